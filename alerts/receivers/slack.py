"""Slack as a receiver: one message per group, updated as it changes, with what is new in its thread."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from aiohttp import ClientError, ClientSession
from aiohttp.client_exceptions import ClientConnectorError, InvalidURL
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from alerts.decision import Reason
from alerts.errors import SecretUnreadable
from alerts.notification import Notification, clip
from alerts.outcome import Failed, Finding, Outcome, Retry, Sent, Unknowable
from alerts.receiver_config import SlackConfig
from alerts.receivers.base import judge_status, retry_after_ms, secret
from alerts.receivers.slack_blocks import blocks, fallback, reply
from alerts.receivers.slack_buttons import buttons
from alerts.receivers.slack_history import find

_T = TypeVar("_T")
_CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]{2,}")
_TRANSIENT = frozenset(
    {"fatal_error", "internal_error", "request_timeout", "service_unavailable", "team_added_to_org"}
)
_PICTURE_REFUSED = frozenset({"invalid_blocks", "invalid_blocks_format", "invalid_attachments"})
_GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found"})
_TOKEN_REMEDY = "put a valid bot token (xoxb-…) into token or token_file"
_HISTORY_REMEDY = (
    "the bot may not look whether it has arrived; give it the scope channels:history, or groups:history where the "
    "channel is private"
)
_CHANNEL_REMEDY = "correct the channel, and invite the bot to it"
_REMEDIES = {
    "account_inactive": _TOKEN_REMEDY,
    "channel_not_found": _CHANNEL_REMEDY,
    "invalid_auth": _TOKEN_REMEDY,
    "is_archived": "unarchive the channel, or name another",
    "missing_scope": "give the bot the scope chat:write",
    "not_authed": _TOKEN_REMEDY,
    "not_in_channel": _CHANNEL_REMEDY,
    "token_expired": _TOKEN_REMEDY,
    "token_revoked": _TOKEN_REMEDY,
}


class _Client(AsyncWebClient):
    """The SDK's client, made not to follow redirects, which would carry the token elsewhere."""

    async def _request(self, *, http_verb: str, api_url: str, req_args: dict[str, Any]) -> dict[str, Any]:
        fixed = req_args | {"allow_redirects": False}
        answer: dict[str, Any] = await super()._request(http_verb=http_verb, api_url=api_url, req_args=fixed)
        # The SDK's own check stumbles over plain text, which some proxies answer with.
        return answer if isinstance(answer["data"], dict) else answer | {"data": {}}


class SlackReceiver:
    """Posts, then updates, one message per group; an update tells nobody, so a thread reply says what is new.

    The reference is ``{"channel", "ts"}`` of the message. One that was deleted is posted anew, with the next news.

    Parameters
    ----------
    has_buttons
        Whether presses of buttons reach us, so that there are any.
    """

    def __init__(self, config: SlackConfig, session: ClientSession, *, has_buttons: bool = False) -> None:
        self.config = config
        self._session = session
        self._has_buttons = has_buttons

    async def send(self, notification: Notification, previous_reference: Mapping[str, str] | None) -> Outcome:
        """Post the group's message, or update it and reply."""
        return await self._try(
            lambda client: self._tell_in_any_case(client, notification, previous_reference or {})
        )

    async def find(
        self, idempotency_key: str, previous_reference: Mapping[str, str] | None, begun_ms: int
    ) -> Finding | Retry:
        """Look for a message of ours in the channel's history, for which the bot needs a scope more."""
        reference = previous_reference or {}
        channel = reference.get("channel") or self.config.channel
        if not _CHANNEL_ID.fullmatch(channel):
            return Unknowable(
                f"Slack wants the id of channel {clip(channel, 80)!r}, not its name; write that"
            )

        async def look(client: AsyncWebClient) -> Finding:
            try:
                return await find(client, channel, reference.get("ts", ""), idempotency_key, begun_ms)
            except SlackApiError as error:
                if _code(error) == "missing_scope":
                    return Unknowable(_HISTORY_REMEDY)
                raise

        outcome = await self._try(look)
        return Unknowable(f"not found out: {outcome.reason}") if isinstance(outcome, Failed) else outcome

    async def _try(self, talk: Callable[[AsyncWebClient], Awaitable[_T]]) -> _T | Retry | Failed:
        try:
            client = self._client()
            async with asyncio.timeout(self.config.timeout_ms / 1000):
                return await talk(client)
        except SecretUnreadable as error:
            return Failed(f"token_file: {error}")
        except SlackApiError as error:
            return _judge(error, self.config.channel)
        except InvalidURL:
            return Failed("api_url is not an address that can be called; write https://host/api/")
        except ClientConnectorError as error:
            return Retry(0, f"Slack cannot be reached ({type(error).__name__})")
        except TimeoutError:
            reason = f"Slack did not answer within {self.config.timeout_ms} ms"
            return Retry(0, reason, maybe_delivered=True)
        except (ClientError, SlackClientError) as error:
            reason = f"the talk with Slack broke off ({type(error).__name__})"
            return Retry(0, reason, maybe_delivered=True)

    def _client(self) -> AsyncWebClient:
        client = _Client(
            token=secret(self.config.token, self.config.token_file),
            base_url=self.config.api_url or AsyncWebClient.BASE_URL,
            session=self._session,
            retry_handlers=[],
        )
        # The session decides about proxies, and knows whom not to reach through one.
        client.proxy = None
        return client

    async def _tell_in_any_case(
        self, client: AsyncWebClient, notification: Notification, reference: Mapping[str, str]
    ) -> Outcome:
        message = self._message(notification)
        try:
            return await self._tell(client, notification, reference, message)
        except SlackApiError as error:
            pictured = any(block["type"] == "image" for block in message["blocks"])
            if _code(error) not in _PICTURE_REFUSED or not pictured:
                raise
        # Slack refuses all of it for a picture that it cannot fetch.
        return await self._tell(client, notification, reference, self._message(notification, picture=False))

    async def _tell(
        self,
        client: AsyncWebClient,
        notification: Notification,
        reference: Mapping[str, str],
        message: Mapping[str, Any],
    ) -> Outcome:
        channel, ts = reference.get("channel"), reference.get("ts")
        if not channel or not ts:
            if notification.is_quiet:
                return Sent()
            return await self._post(client, message)
        try:
            await client.chat_update(channel=channel, ts=ts, **message)
            if not notification.is_quiet:
                await self._reply(client, notification, channel, ts)
        except SlackApiError as error:
            if _code(error) not in _GONE:
                raise
            if not notification.is_quiet:
                return await self._post(client, message)
        return Sent({"channel": channel, "ts": ts})

    async def _post(self, client: AsyncWebClient, message: Mapping[str, Any]) -> Outcome:
        answer = await client.chat_postMessage(
            channel=self.config.channel, unfurl_links=False, unfurl_media=False, **message
        )
        return Sent({"channel": str(answer.get("channel", "")), "ts": str(answer.get("ts", ""))})

    async def _reply(self, client: AsyncWebClient, notification: Notification, channel: str, ts: str) -> None:
        await client.chat_postMessage(
            channel=channel,
            thread_ts=ts,
            # A reminder is for everybody in the channel, not only for who reads the thread.
            reply_broadcast=notification.reason is Reason.REPEAT,
            text=reply(notification),
            metadata=_metadata(notification),
            link_names=False,
            parse="none",
            unfurl_links=False,
            unfurl_media=False,
        )

    def _message(self, notification: Notification, *, picture: bool = True) -> dict[str, Any]:
        pressed = buttons(notification, self.config.location) if self._has_buttons else []
        return {
            "text": fallback(notification),
            "blocks": blocks(notification, pressed, picture=picture),
            "metadata": _metadata(notification),
            "link_names": False,
            "parse": "none",
        }


def _metadata(notification: Notification) -> dict[str, Any]:
    return {
        "event_type": "driftline_notification",
        "event_payload": {"idempotency_key": notification.idempotency_key, "status": notification.status},
    }


def _code(error: SlackApiError) -> str:
    data = getattr(error.response, "data", None)
    code = data.get("error") if isinstance(data, dict) else None
    return clip(code, 80) if isinstance(code, str) else ""


def _judge(error: SlackApiError, channel: str) -> Retry | Failed:
    response, code = error.response, _code(error)
    headers: Mapping[str, str] = getattr(response, "headers", None) or {}
    # Where the SDK could not read the answer, its error carries aiohttp's response.
    status: int = getattr(response, "status_code", 0) or getattr(response, "status", 0)
    if code in ("ratelimited", "rate_limited"):
        return Retry(retry_after_ms(headers), "Slack asks to wait (ratelimited)")
    if code in _TRANSIENT:
        return Retry(retry_after_ms(headers), f"Slack answered {code}", maybe_delivered=True)
    if code:
        remedy = _REMEDIES.get(code, "see the error's name in Slack's documentation of chat.postMessage")
        return Failed(f"Slack refused the message for {clip(channel, 80)!r}: {code}; {remedy}")
    judged = judge_status(status, headers, "Slack")
    return judged or Failed("the answer is not Slack's; check api_url")
