"""E-mail as a receiver, over SMTP."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.message import EmailMessage

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPException,
    SMTPRecipientsRefused,
    SMTPResponseException,
)

from alerts.email_config import TLS_PORT, EmailConfig, host_and_port
from alerts.errors import SecretUnreadable
from alerts.notification import Notification
from alerts.outcome import Failed, Outcome, Retry, Sent
from alerts.receivers.base import clock_ms
from alerts.receivers.email_message import message, message_id
from alerts.receivers.gate import demand_host
from alerts.receivers.login import read_secret, tls_context

_logger = logging.getLogger(__name__)
_WHO = "the mail server"
_PARTING_S = 1.0
_TIMEOUT_REMEDY = "check smarthost, and that its port is open"


class EmailReceiver:
    """Sends one e-mail per notification; those of a group answer its first one.

    The reference is ``{"message_id"}`` of that first e-mail. What breaks off before the mail server was given
    the e-mail has delivered nothing.

    When to use: for who reads mail; not to have somebody woken.
    """

    def __init__(self, config: EmailConfig, now_ms: Callable[[], int] = clock_ms) -> None:
        self.config = config
        self._now_ms = now_ms

    async def send(self, notification: Notification, previous_reference: Mapping[str, str] | None) -> Outcome:
        """Send once, to all recipients together."""
        thread = (previous_reference or {}).get("message_id", "")
        mail = message(notification, self.config, thread, self._now_ms())
        try:
            client, password = self._client(), self._password()
        except SecretUnreadable as error:
            return Failed(str(error))
        given = _Given()
        try:
            async with asyncio.timeout(self.config.timeout_ms / 1000):
                await self._hand_over(client, password, mail, given)
        except TimeoutError:
            reason = f"{_WHO} did not answer within {self.config.timeout_ms} ms; {_TIMEOUT_REMEDY}"
            return Retry(0, reason, maybe_delivered=given.mail)
        except (SMTPException, OSError) as error:
            return _judge(error, given)
        finally:
            await _part(client)
        return Sent({"message_id": thread or message_id(notification, self.config.sender or "")})

    def _client(self) -> SMTP:
        host, port = host_and_port(self.config.smarthost or "")
        tls = self.config.tls_config
        return SMTP(
            hostname=host,
            port=port,
            local_hostname=self.config.hello,
            use_tls=port == TLS_PORT,
            start_tls=port != TLS_PORT and bool(self.config.require_tls),
            tls_context=None if tls is None else tls_context(tls),
            timeout=None,
        )

    def _password(self) -> str:
        if self.config.auth_username is None:
            return ""
        return read_secret("auth_password_file", self.config.auth_password, self.config.auth_password_file)

    async def _hand_over(self, client: SMTP, password: str, mail: EmailMessage, given: "_Given") -> None:
        await demand_host(host_and_port(self.config.smarthost or "")[0])
        await client.connect()
        await client.ehlo()
        if self.config.auth_username is not None:
            await client.login(self.config.auth_username, password)
        given.mail = True
        refused, _ = await client.send_message(mail)
        if refused:
            codes = ", ".join(f"{address} ({answer.code})" for address, answer in sorted(refused.items()))
            _logger.error("%s takes no e-mail for %s, the others have theirs; correct `to`", _WHO, codes)


class _Given:
    """How far it came: whether the mail server may have the e-mail."""

    mail = False


async def _part(client: SMTP) -> None:
    # What came of the e-mail is known by now, however we part.
    with suppress(SMTPException, OSError):
        async with asyncio.timeout(_PARTING_S):
            if client.is_connected:
                await client.quit()
    client.close()


def _judge(error: SMTPException | OSError, given: _Given) -> Retry | Failed:
    name = type(error).__name__
    if isinstance(error, SMTPRecipientsRefused):
        codes = sorted({refusal.code for refusal in error.recipients})
        said = f"{_WHO} takes no e-mail for any of `to` ({', '.join(map(str, codes))})"
        if all(code < 500 for code in codes):
            return Retry(0, said)
        return Failed(f"{said}; check the addresses, and that {_WHO} relays for us")
    if isinstance(error, SMTPResponseException):
        # Its answer is a definite one: the e-mail was not taken.
        said = f"{_WHO} answered {error.code}"
        if error.code < 500:
            return Retry(0, said)
        if isinstance(error, SMTPAuthenticationError):
            return Failed(f"{said}; check auth_username and its password")
        return Failed(f"{said}; check from, to, and what it allows us")
    if type(error) is SMTPException:
        return Failed(
            f"{_WHO} does not offer STARTTLS or a login that we can use; check smarthost and require_tls"
        )
    return Retry(0, f"the talk with {_WHO} failed ({name}); check smarthost", maybe_delivered=given.mail)
