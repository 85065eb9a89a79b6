"""Where the broker and the store are, and how one is let in: the one place their clients learn it from.

`Brokers` for Kafka, `StoreAddress` for Redis. A plain ``host:port`` or URL in their place is a server without
security. Secrets are in no ``repr`` and no message.
"""

from streams.connections.brokers import Brokers, Login, Tls, aiokafka_options, faust_options, in_the_clear
from streams.connections.store import StoreAddress, connect, remedy
from streams.connections.tokens import TokenEndpoint, TokenError, TokenFile, Tokens

__all__ = [
    "Brokers",
    "Login",
    "StoreAddress",
    "Tls",
    "TokenEndpoint",
    "TokenError",
    "TokenFile",
    "Tokens",
    "aiokafka_options",
    "connect",
    "faust_options",
    "in_the_clear",
    "remedy",
]
