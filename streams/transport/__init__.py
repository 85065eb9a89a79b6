"""A Faust transport that hands a whole fetched chunk of one partition to the stream as one event.

Importing this package registers the URL scheme ``chunks`` with Faust, so that
``faust.App(..., broker="chunks://host:9092")`` uses it (several brokers: a list of such URLs).
`streams.transport.engine.make_app` does that, with the settings the stages want.

A topic is a chunk topic when it is declared with a `ChunkSchema` (`chunk_topic` does so); all others,
changelogs among them, pass through as stock Faust delivers them. Chunks are acknowledged by hand::

    @app.agent(chunk_topic(app, "driftline.predictions"))
    async def profile(stream):
        async for event in stream.noack().events():
            fold(event.value)                  # a Chunk
            receipts.append(Receipt(event))    # holds no records
            ...                                # later, in any order: receipt.ack()

The committed offset is ``last + 1`` of the chunks acknowledged without a gap, never more.
"""

from faust.transport.drivers import TRANSPORTS

from streams.transport.chunk import Chunk, ChunkSchema, Receipt, chunk_topic

SCHEME = "chunks"

TRANSPORTS.aliases[SCHEME] = "streams.transport.driver:Transport"

__all__ = ["SCHEME", "Chunk", "ChunkSchema", "Receipt", "chunk_topic"]
