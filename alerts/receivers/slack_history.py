"""Whether Slack has a message of ours, by the idempotency key in its metadata."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from alerts.outcome import Finding, Found, Missing, Unknowable

#: Slack's clock and ours need not agree; what was begun so much earlier is looked for too, in ms.
SKEW_MS = 60_000
_PAGE = 200
_PAGES = 5
_THREAD_GONE = frozenset({"thread_not_found", "message_not_found"})

Fetch = Callable[[str | None], Awaitable[Any]]


class _TooLong(Exception):
    """More was said in the channel since than is looked through."""


async def find(client: AsyncWebClient, channel: str, ts: str, idempotency_key: str, begun_ms: int) -> Finding:
    """Look through a group's thread, then through the channel.

    A group's message that was merely updated has not arrived: what tells people is the reply.

    Parameters
    ----------
    ts
        The group's message, "" if there is none yet.

    Raises
    ------
    SlackApiError
        If Slack does not let us look.
    """
    oldest = f"{max(begun_ms - SKEW_MS, 0) / 1000:.6f}"

    def replies(cursor: str | None) -> Awaitable[Any]:
        return client.conversations_replies(
            channel=channel, ts=ts, cursor=cursor, oldest=oldest, limit=_PAGE, include_all_metadata=True
        )

    def history(cursor: str | None) -> Awaitable[Any]:
        return client.conversations_history(
            channel=channel, cursor=cursor, oldest=oldest, limit=_PAGE, include_all_metadata=True
        )

    try:
        if ts and await _is_among(_thread(replies), idempotency_key, ts):
            return Found({"channel": channel, "ts": ts})
        async for message in _messages(history):
            if _key(message) == idempotency_key and message.get("ts") != ts and _is_top(message):
                return Found({"channel": channel, "ts": str(message["ts"])})
    except _TooLong:
        return Unknowable(f"more than {_PAGE * _PAGES} messages were written to the channel since")
    return Missing()


async def _is_among(messages: AsyncIterator[Mapping[str, Any]], idempotency_key: str, ts: str) -> bool:
    async for message in messages:
        if message.get("ts") != ts and _key(message) == idempotency_key:
            return True
    return False


async def _thread(replies: Fetch) -> AsyncIterator[Mapping[str, Any]]:
    try:
        async for message in _messages(replies):
            yield message
    except SlackApiError as error:
        # Deleted, so that it was posted anew, if at all.
        if error.response.get("error") not in _THREAD_GONE:
            raise


async def _messages(fetch: Fetch) -> AsyncIterator[Mapping[str, Any]]:
    cursor: str | None = None
    for _ in range(_PAGES):
        answer = await fetch(cursor)
        for message in answer.get("messages") or ():
            if isinstance(message, Mapping):
                yield message
        cursor = (answer.get("response_metadata") or {}).get("next_cursor")
        if not cursor:
            return
    raise _TooLong


def _key(message: Mapping[str, Any]) -> object:
    metadata = message.get("metadata")
    payload = metadata.get("event_payload") if isinstance(metadata, Mapping) else None
    return payload.get("idempotency_key") if isinstance(payload, Mapping) else None


def _is_top(message: Mapping[str, Any]) -> bool:
    return bool(message.get("thread_ts", message.get("ts")) == message.get("ts"))
