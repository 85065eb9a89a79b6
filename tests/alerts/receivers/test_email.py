"""E-mail against a local mail server, well and misbehaving."""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword
from certificates import Authority
from pydantic import ValidationError

from alerts.config import parse
from alerts.decision import Reason
from alerts.email_config import EmailConfig
from alerts.notification import Notification, NotifiedAlert, rank
from alerts.outcome import Failed, Outcome, Retry, Sent
from alerts.receivers.email import EmailReceiver

NINE = 1_795_424_400_000
PASSWORD = "s3cret-password"


def alert(name: str = "Drift", status: Any = "firing", severity: str = "critical") -> NotifiedAlert:
    labels = {"alertname": name, "model": "churn & <b>", "severity": severity}
    annotations = {"summary": "age moved → 41", "cause": "mean 41 → 63", "runbook_url": f"/runbooks/{name}"}
    return NotifiedAlert(
        f"f-{name}", status, labels, annotations, NINE, NINE if status == "resolved" else None
    )


def told(*alerts: NotifiedAlert, key: str = "k1", **more: Any) -> Notification:
    return Notification(
        "{}:{}", "ops", {"model": "churn"}, rank(alerts or [alert()]), Reason.FIRST, key,
        external_url="https://drift.example", **more,
    )  # fmt: skip


@dataclass
class Mailbox:
    """A mail server's handler: keeps what it takes, answers what it is told to."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    hang: bool = False

    async def handle_MAIL(self, *given: Any) -> str:
        _, _, envelope, address, _ = given
        envelope.mail_from = address
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(self, *given: Any) -> str:
        _, _, envelope, address, _ = given
        answer = self.answers.get(address) or self.answers.get("RCPT", "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        if self.hang:
            await asyncio.Event().wait()
        if "DATA" in self.answers:
            return self.answers["DATA"]
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.envelopes.append(envelope)
        return "250 OK"


@asynccontextmanager
async def serving(
    make: Callable[[], asyncio.BaseProtocol], tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    box = Mailbox()
    async with serving(lambda: SMTP(box, hostname="mx")) as port:
        box.port = port
        yield box


def receiver(port: int, **config: Any) -> EmailReceiver:
    section = {
        "to": "Ops <ops@example.org>, ml@example.org", "from": "Driftline <drift@example.org>",
        "smarthost": f"127.0.0.1:{port}", "require_tls": False, **config,
    }  # fmt: skip
    data = {"route": {"receiver": "mail"}, "receivers": [{"name": "mail", "email_configs": [section]}]}
    (place,) = parse(data).integrations()["mail"]
    assert isinstance(place.config, EmailConfig)
    assert PASSWORD not in repr(place)
    return EmailReceiver(place.config, lambda: NINE + 61_000)


async def test_an_email_says_it_in_text_and_html(box: Mailbox) -> None:
    sender = receiver(box.port, headers={"X-Team": "growth"})
    outcome = await sender.send(told(alert(), alert("Gone", "resolved")), None)
    assert outcome == Sent({"message_id": "<k1@example.org>"})
    (mail,) = box.mails
    assert box.envelopes[0].rcpt_tos == ["ops@example.org", "ml@example.org"]
    assert (mail["From"], mail["To"]) == (
        "Driftline <drift@example.org>", "Ops <ops@example.org>, ml@example.org",
    )  # fmt: skip
    assert mail["Subject"] == "CRITICAL: churn & <b> (1 firing, 1 resolved)"
    assert mail["Date"] == "Mon, 23 Nov 2026 09:01:01 +0000"
    assert (mail["Auto-Submitted"], mail["X-Team"]) == ("auto-generated", "growth")
    assert mail["References"] is None
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    silence = "matcher=alertname%3D%22Drift%22&matcher=model%3D%22churn+%26+%3Cb%3E%22"
    assert text.get_content().splitlines()[:9] == [
        "CRITICAL: churn & <b> (1 firing, 1 resolved)",
        "",
        "CRITICAL: Drift · churn & <b>",
        "age moved → 41",
        "Cause: mean 41 → 63",
        "since 2026-11-23 09:00:00 UTC",
        "Runbook: https://drift.example/runbooks/Drift",
        f"Silence: https://drift.example/silences/new?{silence}",
        "",
    ]
    assert "<b>Cause:</b> mean 41 → 63" in html.get_content()
    assert "churn &amp; &lt;b&gt;" in html.get_content()
    assert '<a href="https://drift.example/runbooks/Drift">Runbook</a>' in html.get_content()


async def test_the_mails_of_a_group_are_one_thread_and_a_repeat_is_the_same_mail(box: Mailbox) -> None:
    sender = receiver(box.port)
    first = await sender.send(told(), None)
    assert isinstance(first, Sent)
    second = await sender.send(told(key="k2"), first.reference)
    third = await sender.send(
        told(alert("Drift", "resolved"), key="k3", possible_repeat=True), first.reference
    )
    await sender.send(told(alert("Drift", "resolved"), key="k3"), first.reference)
    assert first == second == third
    assert [mail["Message-ID"] for mail in box.mails] == [
        "<k1@example.org>", "<k2@example.org>", "<k3@example.org>", "<k3@example.org>",
    ]  # fmt: skip
    assert {(mail["In-Reply-To"], mail["References"]) for mail in box.mails[1:]} == {
        ("<k1@example.org>",) * 2
    }
    assert box.mails[2]["Subject"].endswith("(possible repeat)")


async def test_no_name_can_add_a_header_or_break_the_mail(box: Mailbox) -> None:
    evil = replace(
        alert(), labels={"alertname": "A\r\nBcc: x@evil.org\r\n\r\nbody\r\n.\r\n", "model": "é" * 900}
    )
    assert isinstance(await receiver(box.port).send(told(evil), None), Sent)
    (mail,) = box.mails
    assert mail["Bcc"] is None
    assert box.envelopes[0].rcpt_tos == ["ops@example.org", "ml@example.org"]


async def test_hundreds_of_alerts_are_listed_worst_first_and_counted(box: Mailbox) -> None:
    many = [alert(f"D{n}", severity="info") for n in range(200)]
    await receiver(box.port).send(told(alert("Worst"), *many), None)
    body = box.mails[0].get_body(("plain",))
    assert body is not None
    assert body.get_content().index("Worst") < body.get_content().index("D0")
    assert "and 151 more alerts" in body.get_content()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def server_tls(authority: Authority) -> ssl.SSLContext:
    made = authority.issue("server")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.cert, made.key)
    return context


async def test_starttls_with_a_login_from_a_file(authority: Authority, tmp_path: Path) -> None:
    box, seen = Mailbox(), []

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
        assert session.ssl is not None
        assert isinstance(given, LoginPassword)
        seen.append((given.login, given.password))
        return AuthResult(success=given.password == PASSWORD.encode(), handled=False)

    def make() -> SMTP:
        return SMTP(
            box, hostname="mx", tls_context=server_tls_context, require_starttls=True,
            auth_required=True, authenticator=authenticate,
        )  # fmt: skip

    server_tls_context = server_tls(authority)
    file = tmp_path / "password"
    async with serving(make) as port:
        login = {"auth_username": "drift", "auth_password_file": str(file), "require_tls": True}
        sender = receiver(port, **login, tls_config={"ca_file": str(authority.cert)})
        missing = await sender.send(told(), None)
        assert isinstance(missing, Failed)
        assert missing.reason.startswith("auth_password_file: cannot read")
        file.write_text(f"{PASSWORD}\n")
        assert isinstance(await sender.send(told(), None), Sent)
        file.write_text("wrong-password")
        refused = await sender.send(told(), None)
        assert refused == Failed("the mail server answered 535; check auth_username and its password")
        stranger = await receiver(port, **login).send(told(), None)
    assert isinstance(stranger, Retry)
    assert not stranger.maybe_delivered
    assert seen[0] == (b"drift", PASSWORD.encode())
    assert len(box.mails) == 1


async def test_without_starttls_nothing_is_sent_where_tls_is_required(box: Mailbox) -> None:
    outcome = await receiver(box.port, require_tls=True).send(told(), None)
    assert isinstance(outcome, Failed)
    assert "STARTTLS" in outcome.reason
    assert box.mails == []


@pytest.mark.parametrize(
    ("command", "answer", "kind"),
    [
        ("MAIL", "451 busy", Retry),
        ("MAIL", "550 no", Failed),
        ("RCPT", "450 later", Retry),
        ("RCPT", "550 unknown", Failed),
        ("DATA", "452 full", Retry),
        ("DATA", "554 spam", Failed),
    ],
)
async def test_a_definite_no_has_delivered_nothing(
    box: Mailbox, command: str, answer: str, kind: type[Retry | Failed]
) -> None:
    box.answers[command] = answer
    outcome = await receiver(box.port).send(told(), None)
    assert isinstance(outcome, kind)
    assert answer[:3] in outcome.reason
    assert not getattr(outcome, "maybe_delivered", False)


async def test_one_bad_address_keeps_the_mail_from_nobody_else_and_is_told(
    box: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    box.answers["ml@example.org"] = "550 unknown"
    assert isinstance(await receiver(box.port).send(told(), None), Sent)
    assert box.envelopes[0].rcpt_tos == ["ops@example.org"]
    assert "ml@example.org (550)" in caplog.text


async def test_a_hang_before_the_mail_delivered_nothing_and_after_it_maybe(box: Mailbox) -> None:
    box.hang = True
    after = await receiver(box.port, timeout="3s").send(told(), None)
    async with serving(asyncio.Protocol) as silent:
        before = await receiver(silent, timeout="50ms").send(told(), None)
    for outcome in (after, before):
        assert isinstance(outcome, Retry)
        assert "did not answer within" in outcome.reason
    assert (getattr(before, "maybe_delivered", None), getattr(after, "maybe_delivered", None)) == (
        False,
        True,
    )


def breaking(at: bytes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """A mail server that hangs up when it is told ``at``, or that a mail has ended."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mx\r\n")
        while (line := await reader.readline()) and not line.startswith(at):
            writer.write(b"354 go on\r\n" if line.startswith(b"DATA") else b"250 OK\r\n")
            if line.startswith(b"DATA") and at == b".\r\n":
                await reader.readuntil(b"\r\n.\r\n")
                break
        writer.close()

    return serve


@pytest.mark.parametrize(("at", "maybe"), [(b"EHLO", False), (b".\r\n", True)])
async def test_a_broken_connection_may_have_delivered_what_was_given(at: bytes, maybe: bool) -> None:
    server = await asyncio.start_server(breaking(at), "127.0.0.1", 0)
    async with server:
        outcome = await receiver(server.sockets[0].getsockname()[1]).send(told(), None)
    assert isinstance(outcome, Retry)
    assert outcome.maybe_delivered == maybe


async def test_a_refused_connection_has_delivered_nothing() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        outcome = await receiver(taken.getsockname()[1]).send(told(), None)
    assert isinstance(outcome, Retry)
    assert not outcome.maybe_delivered


async def test_a_server_that_repeats_the_password_does_not_get_it_told(
    box: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    outcomes: list[Outcome] = []
    for command in ("MAIL", "RCPT", "DATA"):
        box.answers = {command: f"550 {PASSWORD}"}
        outcomes.append(await receiver(box.port).send(told(), None))
    assert len(outcomes) == 3
    assert PASSWORD not in repr(outcomes) + caplog.text


def test_what_a_receiver_does_not_say_comes_from_global() -> None:
    login = {"auth_username": "me", "auth_password": PASSWORD}
    sections = [{"to": "a@x.org"}, {"to": "a@x.org", "from": "c@x.org", "smarthost": "h:465", **login}]
    config = parse(
        {
            "global": {
                "smtp_from": "b@x.org", "smtp_smarthost": "mx.x.org:587", "smtp_hello": "drift",
                "smtp_auth_username": "all", "smtp_auth_password_file": "f",
            },
            "route": {"receiver": "m"},
            "receivers": [{"name": "m", "email_configs": sections}],
        }
    )  # fmt: skip
    found: list[Any] = [place.config for place in config.integrations()["m"]]
    names = ("sender", "smarthost", "hello", "require_tls", "auth_username", "auth_password_file")
    assert [tuple(getattr(one, name) for name in names) for one in found] == [
        ("b@x.org", "mx.x.org:587", "drift", True, "all", "f"),
        ("c@x.org", "h:465", "drift", True, "me", None),
    ]


GOOD = {"to": "a@x.org", "from": "b@x.org", "smarthost": "mx:587"}


@pytest.mark.parametrize(
    ("section", "place", "message"),
    [
        ({"to": "nobody"}, ("to",), "write ops@example.org"),
        ({"to": "a@x.org\nBcc: c@x.org"}, ("to",), "write ops@example.org"),
        ({"to": ""}, ("to",), "write ops@example.org"),
        ({"to": "ü@x.org"}, ("to",), "write ops@example.org"),
        ({"from": "a@x.org, b@x.org"}, ("from",), "not one address"),
        ({"from": None}, (), "smtp_from under global"),
        ({"smarthost": None}, (), "smtp_smarthost under global"),
        ({"smarthost": "mx"}, ("smarthost",), "write mail.example.org:587"),
        ({"smarthost": "mx:99999"}, ("smarthost",), "write mail.example.org:587"),
        ({"auth_username": "u"}, (), "both auth_username and its password"),
        ({"auth_username": "u", "auth_password": PASSWORD, "require_tls": False}, (), "over TLS alone"),
        ({"auth_password": PASSWORD, "auth_password_file": "f"}, (), "either auth_password or"),
        ({"headers": {"Subject": "x"}}, ("headers",), "write it as `subject`"),
        ({"headers": {"Date": "x"}}, ("headers",), "set by the receiver itself"),
        ({"headers": {"X-A": "x\r\nBcc: y"}}, ("headers",), "line break"),
        ({"hmtl": "x"}, ("hmtl",), "unknown key 'hmtl'"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_remedy(
    section: dict[str, Any], place: tuple[str, ...], message: str
) -> None:
    given = {name: value for name, value in {**GOOD, **section}.items() if value is not None}
    with pytest.raises(ValidationError) as caught:
        parse({"route": {"receiver": "m"}, "receivers": [{"name": "m", "email_configs": [given]}]})
    errors = {error["loc"]: error["msg"] for error in caught.value.errors()}
    assert message in errors["receivers", 0, "email_configs", 0, *place]
    assert PASSWORD not in str(caught.value)


def test_a_mistake_in_global_is_told_there_alone() -> None:
    data = {
        "global": {"smtp_smarthost": "mx"},
        "route": {"receiver": "m"},
        "receivers": [{"name": "m", "email_configs": [{"to": "a@x.org", "from": "b@x.org"}]}],
    }
    with pytest.raises(ValidationError) as caught:
        parse(data)
    assert [error["loc"] for error in caught.value.errors()] == [("global", "smtp_smarthost")]
