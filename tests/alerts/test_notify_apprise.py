"""Email and the long tail: real mail through Apprise, in a process that reaches and reads nothing else."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from aiohttp import web
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from services.alerts.notify import DeliveryOutcome
from services.alerts.notify.apprise_child import without_secrets
from services.alerts.notify.apprise_sender import AppriseSender
from services.alerts.notify.apprise_text import disarmed, title_and_body
from spendmeter.contracts.apprise_urls import PLAIN_SCHEMAS, SCHEMAS
from spendmeter.contracts.channels import AppriseSettings, ChannelSettingsError, decode_settings
from tests.alerts.notifying import LINK, incident_event, message
from tests.ports import free_port


class Mailbox:
    """Keeps what arrives; `answer` is said to each mail."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.answer = "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.answer.startswith("250"):
            content = envelope.content
            assert isinstance(content, bytes)
            self.mails.append(email.message_from_bytes(content, policy=email.policy.default))  # type: ignore[arg-type]
        return self.answer


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, str]]:
    box, port = Mailbox(), free_port()
    server = Controller(box, hostname="127.0.0.1", port=port)
    server.start()
    yield box, f"mailto://127.0.0.1:{port}?from=spend@example.org&to=oncall@example.org"
    server.stop()


async def sent(url: str, *, allow_private: bool = True, **changed: Any) -> DeliveryOutcome:
    sender = AppriseSender(allow_private=allow_private)
    return await sender.send(AppriseSettings(url=url), message(**changed), {})


async def test_a_mail_says_what_happened_and_where_to_look(mailbox: tuple[Mailbox, str]) -> None:
    box, url = mailbox
    assert await sent(url) == DeliveryOutcome(delivered=True)
    (mail,) = box.mails
    text = mail.get_content() if not mail.is_multipart() else mail.get_body(("plain",)).get_content()
    assert mail["subject"] == "agent researcher spends 3,092 USD/h, usually 11"
    assert mail["to"] == "oncall@example.org"
    assert "6f1d8a52" in mail["references"]
    assert LINK in text.replace("=\n", "")
    for said in ("3,091.50 USD/h", "10.80 USD/h", "checkout-prod (k0123456789ab)", "researcher"):
        assert said in text


async def test_a_name_adds_no_header_and_no_tag_to_a_mail(mailbox: tuple[Mailbox, str]) -> None:
    box, url = mailbox
    hostile = "x\r\nBcc: thief@example.net\r\n\r\n<script>alert(1)</script>"
    assert (await sent(url, title=hostile, summary=hostile, scope={"agent": hostile})).delivered
    (mail,) = box.mails
    assert mail["bcc"] is None
    assert mail["subject"].startswith("x\\r\\nBcc: thief@example.net")
    assert mail.get_content_type() == "text/plain"


async def test_a_mail_that_the_server_refuses_is_not_delivered_and_its_error_holds_no_secret(
    mailbox: tuple[Mailbox, str],
) -> None:
    box, url = mailbox
    box.answer = "451 try later"
    answer = await sent(url)
    assert not answer.delivered
    assert not answer.final
    assert answer.error
    assert "oncall@example.org" not in answer.error


async def test_a_private_mail_server_is_refused_and_the_refusal_says_how_it_is_allowed() -> None:
    plain = await sent("mailto://127.0.0.1:2525?from=a@example.org&to=b@example.org", allow_private=False)
    encrypted = await sent(
        "mailtos://u:p@127.0.0.1:2525?from=a@example.org&to=b@example.org&mode=ssl", allow_private=False
    )
    named = await sent("ntfys://localhost:9/topic", allow_private=False)
    for answer in (plain, encrypted, named):
        assert not answer.delivered
        assert "SPENDMETER_WEBHOOK_ALLOW_PRIVATE=true" in answer.error
    assert "without encryption" in plain.error
    assert "127.0.0.1 is not a public address" in encrypted.error


async def test_a_receiver_that_redirects_is_not_followed(new_listener: Any) -> None:
    first, second = await new_listener(), await new_listener()
    first.answers = [web.Response(status=302, headers={"location": second.url})]
    answer = await sent(first.url.replace("http://", "ntfy://") + "/topic")
    assert not answer.delivered
    assert second.requests == []


async def test_a_receiver_that_hangs_ends_with_its_process(new_listener: Any, monkeypatch: Any) -> None:
    from services.alerts.notify import apprise_sender
    from spendmeter.platform.bounded_process import ProcessBounds

    bounds = ProcessBounds(seconds_max=2, memory_bytes_max=1 << 30, output_bytes_max=65536)
    monkeypatch.setattr(apprise_sender, "BOUNDS", bounds)
    slow = await new_listener()
    slow.delay_s = 30
    async with asyncio.timeout(6):
        answer = await sent(slow.url.replace("http://", "ntfy://") + "/topic")
    assert answer.error == "Apprise was not done within 2 s, or died"


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "syslog://", "dbus://", "exec://ls", "json://example.org", "windows://", "smtp://x",
        "workflows://example.org/a/b?template=/etc/passwd", "discord://1/2?template=file:///etc/passwd",
        "mailtos://u:p@example.org?pgpprv=/etc/ssl/private/key", "mailtos://u:p@example.org?verify=no",
        "mailtos://u:p@example.org?mode=insecure", "mailtos://u:p@example.org?+Bcc=a@example.org",
        "mailtos://a@example.org, exec://ls", "mailtos://a@example.org;syslog://", "ntfys://a/b?attach=http://10.0.0.1",
        "ntfys://a/b?redirect=yes", "discord://1/2#fragment", "mailto", "",
    ],
)  # fmt: skip
def test_an_apprise_url_that_reaches_this_machine_is_no_channel(url: str) -> None:
    with pytest.raises(ChannelSettingsError) as refused:
        decode_settings(f'{{"kind":"apprise","url":"{url}"}}')
    assert "passwd" not in str(refused.value)


def test_apprise_knows_every_service_that_a_channel_may_have() -> None:
    from apprise.manager_plugins import NotificationManager

    manager = NotificationManager()
    assert [schema for schema in SCHEMAS | PLAIN_SCHEMAS if schema not in manager] == []


async def test_the_process_opens_no_file_of_this_machine_and_starts_no_program() -> None:
    from spendmeter.platform.bounded_process import ProcessBounds, run_module

    bounds = ProcessBounds(seconds_max=10, memory_bytes_max=1 << 30, output_bytes_max=65536)
    output = await run_module("tests.alerts.guarded", stdin=b"", bounds=bounds)
    assert output.decode().splitlines() == [
        "open /etc/passwd: PermissionError", "Popen: PermissionError", "connect 10.0.0.1: ForbiddenAddressError",
        "connect a unix socket: PermissionError",
    ]  # fmt: skip


def test_no_part_of_a_url_is_repeated_in_an_error() -> None:
    url = "mailtos://robot:hunter22@example.org/a%40b.example?smtp=mail.example.org"
    said = without_secrets(url, "Login robot failed at mail.example.org with hunter22 for a@b.example")
    for secret in ("hunter22", "mail.example.org", "robot"):
        assert secret not in said


@pytest.mark.parametrize("text", ["@everyone", "<@123>", "[safe](http://evil.example)", "<!channel>"])
def test_a_chat_is_not_commanded_by_a_name(text: str) -> None:
    said = disarmed(f"agent {text} spends")
    for command in ("@everyone", "<@", "](", "<!", "http://"):
        assert command not in said


@pytest.mark.parametrize(("title_max", "body_max"), [(250, 2000), (0, 1000), (60, 10000), (250, 1024)])
@pytest.mark.parametrize("schema", ["discord", "mailtos"])
def test_the_link_is_whole_however_little_a_service_takes(schema: str, title_max: int, body_max: int) -> None:
    event = incident_event(summary="ü@" * 10_000, title="t" * 10_000)
    title, body = title_and_body(event, schema, title_max, body_max)
    assert body.endswith(LINK)
    assert len(body) + (0 if title_max else len(title)) <= body_max
    assert len(title) <= (title_max or body_max)
