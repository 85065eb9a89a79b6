"""What can be said of e-mail in the config file; its client is `alerts.receivers.email`."""

from email.errors import MessageError
from email.headerregistry import Address
from email.utils import getaddresses
from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr, ValidationError, ValidationInfo, model_validator

from alerts.duration import PositiveDurationMs
from alerts.http_config import TlsConfig
from alerts.receiver_config import TIMEOUT_MS, HtmlTemplate, PlainTemplate, Section

#: The port where TLS begins with the connection; elsewhere it is asked for by STARTTLS.
TLS_PORT = 465
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_OWN_HEADERS = frozenset(
    {
        "auto-submitted", "bcc", "cc", "content-transfer-encoding", "content-type", "date", "from", "in-reply-to",
        "message-id", "mime-version", "references", "subject", "to",
    }
)  # fmt: skip


def addresses(text: str) -> list[str]:
    """Return the bare addresses of a list such as ``Ops <ops@example.org>, ml@example.org``."""
    return [address for _, address in getaddresses([text])]


def host_and_port(smarthost: str) -> tuple[str, int]:
    """Return the two parts of ``mail.example.org:587`` or ``[::1]:25``."""
    host, _, port = smarthost.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _recipients(text: str) -> str:
    found = addresses(text)
    if not text.isprintable() or not found or not all(_is_address(one) for one in found):
        raise ValueError("not a list of addresses; write ops@example.org, ml@example.org")
    return text


def _sender(text: str) -> str:
    if not text.isprintable() or len(found := addresses(text)) != 1 or not _is_address(found[0]):
        raise ValueError("not one address; write Driftline <driftline@example.org>")
    return text


def _is_address(text: str) -> bool:
    try:
        address = Address(addr_spec=text)
    except (ValueError, IndexError, MessageError):
        return False
    return text.isascii() and bool(address.username and address.domain)


def _smarthost(text: str) -> str:
    host, _, port = text.rpartition(":")
    good = host and text.isprintable() and " " not in text and port.isascii() and port.isdigit()
    if not good or not 0 < int(port) < 65536:
        raise ValueError("not a mail server with its port; write mail.example.org:587")
    return text


def _usable_headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not name.isascii() or not name.replace("-", "").isalnum():
            raise ValueError(f"{name[:80]!r} is not the name of a header")
        if name.lower() == "subject":
            raise ValueError("write it as `subject`, beside `headers`")
        if name.lower() in _OWN_HEADERS:
            raise ValueError(f"header {name!r} is set by the receiver itself; leave it out")
        if not value.isprintable():
            raise ValueError(f"the value of header {name!r} holds a line break or another control character")
    return headers


Recipients = Annotated[str, AfterValidator(_recipients)]
Sender = Annotated[str, AfterValidator(_sender)]
Smarthost = Annotated[str, AfterValidator(_smarthost)]
Hello = Annotated[str, Field(pattern=r"^[A-Za-z0-9.:\[\]_-]+$")]


class SmtpDefaults(Section):
    """The mail server of all ``email_configs``; stands in ``global``."""

    smtp_from: Sender | None = Field(default=None, description="who e-mail is from")
    smtp_smarthost: Smarthost | None = Field(default=None, description="mail server, with its port")
    smtp_hello: Hello = Field(default="localhost", description="our name in EHLO")
    smtp_auth_username: str | None = Field(default=None, min_length=1, description="user at the mail server")
    smtp_auth_password: SecretStr | None = Field(default=None, min_length=1, description="its password")
    smtp_auth_password_file: str | None = Field(default=None, min_length=1, description="file that holds it")
    smtp_require_tls: bool = Field(default=True, description="send over TLS alone")


class EmailConfig(Section):
    """Sends one e-mail per notification, those of a group as one thread."""

    to: Recipients = Field(description="addresses, separated by commas")
    sender: Sender | None = Field(
        default=None, alias="from", description="who it is from; default smtp_from of global"
    )
    smarthost: Smarthost | None = Field(
        default=None,
        description="mail server with its port; 465 is TLS from the start; default smtp_smarthost",
    )
    hello: Hello | None = Field(default=None, description="our name in EHLO; default smtp_hello")
    auth_username: str | None = Field(
        default=None, min_length=1, description="user; default smtp_auth_username"
    )
    auth_password: SecretStr | None = Field(default=None, min_length=1, description="its password")
    auth_password_file: str | None = Field(default=None, min_length=1, description="file that holds it")
    require_tls: bool | None = Field(
        default=None, description="send over TLS alone; default smtp_require_tls, which is true"
    )
    tls_config: TlsConfig | None = Field(default=None, description="whom to trust, and who we are")
    subject: PlainTemplate | None = Field(default=None, description="template of the subject")
    text: PlainTemplate | None = Field(default=None, description="template of the text")
    html: HtmlTemplate | None = Field(default=None, description="template of the HTML")
    headers: Annotated[dict[str, str], AfterValidator(_usable_headers)] = Field(
        default={}, description="more headers"
    )
    send_resolved: bool = Field(default=True, description="also tell when an alert is over")
    timeout_ms: PositiveDurationMs = Field(
        default=TIMEOUT_MS, alias="timeout", description="limit of one try"
    )

    @model_validator(mode="after")
    def _whole(self, info: ValidationInfo) -> "EmailConfig":
        given: SmtpDefaults | None = info.context and info.context.smtp
        if given is None:
            return self
        whole = with_defaults(self, given)
        if whole.sender is None:
            raise ValueError("no sender; write from here, or smtp_from under global")
        if whole.smarthost is None:
            raise ValueError("no mail server; write smarthost here, or smtp_smarthost under global")
        password = whole.auth_password is not None or whole.auth_password_file is not None
        if whole.auth_password is not None and whole.auth_password_file is not None:
            raise ValueError("give either auth_password or auth_password_file")
        if password != (whole.auth_username is not None):
            raise ValueError("give both auth_username and its password, or neither")
        host, port = host_and_port(whole.smarthost)
        if password and not whole.require_tls and port != TLS_PORT and host not in _LOCAL:
            raise ValueError("a password is sent over TLS alone; leave require_tls out")
        return self


def with_defaults(config: EmailConfig, given: SmtpDefaults) -> EmailConfig:
    """Return the section with what it does not say taken from ``global``."""
    update: dict[str, Any] = {
        "sender": config.sender or given.smtp_from,
        "smarthost": config.smarthost or given.smtp_smarthost,
        "hello": config.hello or given.smtp_hello,
        "require_tls": given.smtp_require_tls if config.require_tls is None else config.require_tls,
        "auth_username": config.auth_username or given.smtp_auth_username,
    }
    if config.auth_password is None and config.auth_password_file is None:
        update["auth_password"] = given.smtp_auth_password
        update["auth_password_file"] = given.smtp_auth_password_file
    return config.model_copy(update=update)


def readable_defaults(section: object) -> SmtpDefaults | None:
    """Return what ``global`` says of e-mail; None where that holds a mistake, which is told at its own place."""
    items = section.items() if isinstance(section, dict) else ()
    try:
        return SmtpDefaults.model_validate(
            {name: value for name, value in items if name in SmtpDefaults.model_fields}
        )
    except ValidationError:
        return None
