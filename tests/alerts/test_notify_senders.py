"""One attempt by each sender: what is posted where, and what each receiver's answer means."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from services.alerts.notify import DeliveryOutcome
from services.alerts.notify.pace import ReceiverPace
from services.alerts.notify.senders import Senders
from spendmeter.contracts.channels import (
    AlertmanagerSettings,
    AppriseSettings,
    ChannelSettings,
    PagerDutySettings,
    SlackSettings,
    WebhookSettings,
)
from tests.alerts.conftest import WEBHOOK_SECRET, Listener
from tests.alerts.fake_slack import CHANNEL_ID, TOKEN, FakeSlack
from tests.alerts.notifying import DELIVERY, message

KEY = "0123456789abcdef0123456789ABCDEF"


async def sent(
    settings: ChannelSettings, remembered: dict[str, str] | None = None, **changed: Any
) -> DeliveryOutcome:
    async with Senders(allow_private=True) as senders:
        return await senders.send(settings, message(**changed), remembered or {})


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    fake = FakeSlack()
    application = web.Application()
    application.router.add_post("/{tail:.*}", fake.receive)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield fake
    await runner.cleanup()


def bot(slack: FakeSlack, channel: str = CHANNEL_ID) -> SlackSettings:
    return SlackSettings(token=TOKEN, channel=channel, url=slack.url + "/api")


async def test_a_webhook_is_signed_and_says_the_incident(new_listener: Any) -> None:
    listener: Listener = await new_listener()
    assert (await sent(WebhookSettings(url=listener.url, secret=WEBHOOK_SECRET))).delivered
    headers, body = listener.requests[0]
    said = Webhook(WEBHOOK_SECRET).verify(body, headers)
    assert said["type"] == "incident.opened"
    assert said["data"]["scope"] == {"agent": "researcher"}
    assert headers["webhook-id"] == str(DELIVERY)


async def test_a_webhook_in_googles_format_gets_googles_json_signed_and_no_bursts(new_listener: Any) -> None:
    listener: Listener = await new_listener()
    settings = WebhookSettings(url=listener.url, secret=WEBHOOK_SECRET, format="google_budget")
    burst = await sent(settings)
    assert (burst.delivered, bool(burst.skipped)) == (True, True)
    assert (await sent(settings, kind="budget", threshold_percent="50", amount="5", expected="10")).delivered
    ((headers, body),) = listener.requests
    said = Webhook(WEBHOOK_SECRET).verify(body, headers)
    assert (said["costAmount"], said["budgetAmount"], said["alertThresholdExceeded"]) == (5.0, 10.0, 0.5)


@pytest.mark.parametrize(
    ("status", "final", "gone"),
    [(500, False, False), (503, False, False), (429, False, False), (404, False, False), (302, False, False),
     (410, True, True)],
)  # fmt: skip
async def test_what_a_webhooks_status_means(new_listener: Any, status: int, final: bool, gone: bool) -> None:
    listener: Listener = await new_listener()
    listener.answers = [web.Response(status=status)]
    answer = await sent(WebhookSettings(url=listener.url, secret=WEBHOOK_SECRET))
    assert (answer.delivered, answer.error, answer.final, answer.gone) == (
        False,
        f"HTTP {status}",
        final,
        gone,
    )


@pytest.mark.parametrize(
    ("said", "least_s", "most_s"),
    [
        ("7", 7, 7),
        ("999999999999", 3600, 3600),
        ("", 30, 30),
        ("soon", 30, 30),
        ("date", 50, 60),
        ("-5", 30, 30),
    ],
)
async def test_a_receiver_says_when_to_come_again(
    new_listener: Any, said: str, least_s: int, most_s: int
) -> None:
    listener: Listener = await new_listener()
    if said == "date":
        said = format_datetime(datetime.now(UTC) + timedelta(minutes=1), usegmt=True)
    listener.answers = [web.Response(status=429, headers={"retry-after": said} if said else {})]
    answer = await sent(WebhookSettings(url=listener.url, secret=WEBHOOK_SECRET))
    assert answer.retry_after is not None
    assert timedelta(seconds=least_s) <= answer.retry_after <= timedelta(seconds=most_s)
    assert not answer.final


async def test_pagerduty_gets_an_event(new_listener: Any) -> None:
    listener: Listener = await new_listener()
    listener.answers = [web.json_response({"status": "success", "dedup_key": "x"}, status=202)]
    base = listener.url.removesuffix("/hook")
    assert (await sent(PagerDutySettings(routing_key=KEY, url=base))).delivered
    said = json.loads(listener.requests[0][1])
    assert (said["routing_key"], said["event_action"], said["payload"]["severity"]) == (
        KEY,
        "trigger",
        "critical",
    )


@pytest.mark.parametrize(("status", "final"), [(400, True), (429, False), (500, False), (502, False)])
async def test_pagerduty_is_asked_again_only_where_that_helps(
    new_listener: Any, status: int, final: bool
) -> None:
    listener: Listener = await new_listener()
    listener.answers = [web.Response(status=status)]
    answer = await sent(PagerDutySettings(routing_key=KEY, url=listener.url))
    assert (answer.delivered, answer.final) == (False, final)
    assert (answer.retry_after is not None) == (status == 429)
    assert KEY not in answer.error


async def test_alertmanager_is_posted_to_with_the_channels_authorization(new_listener: Any) -> None:
    listener: Listener = await new_listener()
    settings = AlertmanagerSettings(url=listener.url, authorization="Bearer sesame")
    answer = await sent(settings)
    assert answer.delivered
    assert json.loads(answer.remember["labels"])["alertname"] == "SpendBurst"
    headers, body = listener.requests[0]
    assert headers["Authorization"] == "Bearer sesame"
    assert json.loads(body)[0]["labels"]["agent"] == "researcher"


async def test_slack_shows_an_incident_in_one_message(slack: FakeSlack) -> None:
    first = await sent(bot(slack, channel="alerts"))
    assert first.delivered
    assert first.remember == {
        "ts": "1700000000.000000",
        "channel": CHANNEL_ID,
    }  # the name's id, for chat.update
    assert (
        await sent(bot(slack), dict(first.remember), transition="acknowledged", state="acknowledged")
    ).delivered
    assert (await sent(bot(slack), dict(first.remember), transition="resolved")).delivered
    assert [method for method, _ in slack.calls] == ["chat.postMessage", "chat.update", "chat.update"]
    assert len(slack.messages) == 1
    assert "✅" in slack.messages["1700000000.000000"]["text"]


async def test_what_grew_is_also_replied_once_though_the_renewal_fails(slack: FakeSlack) -> None:
    remembered = dict((await sent(bot(slack))).remember)
    slack.trouble = []
    async with Senders(allow_private=True) as senders:
        grew = message(transition="grew", number=1)
        original = slack.answer

        def failing(method: str, *others: Any) -> dict[str, Any]:
            return (
                {"ok": False, "error": "internal_error"}
                if method == "chat.update"
                else original(method, *others)
            )

        slack.answer = failing  # type: ignore[method-assign]
        failed = await senders.send(bot(slack), grew, remembered)
        assert (failed.delivered, failed.final, failed.remember) == (False, False, {"replied": "1"})
        slack.answer = original  # type: ignore[method-assign]
        assert (await senders.send(bot(slack), grew, remembered | failed.remember)).delivered
    replies = [body for method, body in slack.calls if body.get("thread_ts")]
    assert len(replies) == 1
    assert replies[0]["reply_broadcast"] is True


async def test_a_message_that_somebody_deleted_is_posted_anew(slack: FakeSlack) -> None:
    answer = await sent(bot(slack), {"ts": "1.1", "channel": CHANNEL_ID}, transition="resolved")
    assert answer.delivered
    assert answer.remember["ts"] in slack.messages


@pytest.mark.parametrize(
    ("error", "final"),
    [("invalid_auth", True), ("channel_not_found", True), ("is_archived", True), ("invalid_blocks", True),
     ("token_revoked", True), ("internal_error", False), ("ratelimited", False), ("service_unavailable", False)],
)  # fmt: skip
async def test_slacks_word_says_whether_another_attempt_helps(
    slack: FakeSlack, error: str, final: bool
) -> None:
    slack.trouble = [(200, error, {})]
    assert await sent(bot(slack)) == DeliveryOutcome(error=error, final=final)


async def test_slack_says_when_to_come_again(slack: FakeSlack) -> None:
    slack.trouble = [(429, "ratelimited", {"retry-after": "3"})]
    answer = await sent(bot(slack))
    assert (answer.delivered, answer.final, answer.retry_after) == (False, False, timedelta(seconds=3))


async def test_a_slack_webhook_that_was_removed_says_so_and_is_no_secret_told(slack: FakeSlack) -> None:
    settings = SlackSettings(webhook_url=slack.url + "/services/T0/B0/sesame/hook")
    assert (await sent(settings)).delivered
    slack.trouble = [(404, "no_service", {})]
    assert await sent(settings) == DeliveryOutcome(error="HTTP 404 no_service", final=True)
    lost = await sent(SlackSettings(webhook_url="http://127.0.0.1:9/services/sesame"))
    assert not lost.delivered
    assert "sesame" not in lost.error


async def test_a_channel_of_slacks_gets_a_message_a_second(slack: FakeSlack) -> None:
    async with Senders(allow_private=True) as senders:
        began = time.monotonic()
        answers = await asyncio.gather(*(senders.send(bot(slack), message(), {}) for _ in range(3)))
        assert all(answer.delivered for answer in answers)
        assert time.monotonic() - began >= 2.0  # the first at once, then one each second


async def test_who_would_wait_too_long_for_a_turn_is_told_how_long() -> None:
    pace = ReceiverPace(every_s=10.0, wait_s_max=3.0)
    assert await pace.turn("a") is None
    wait = await pace.turn("a")
    assert wait is not None
    assert timedelta(seconds=9) < wait <= timedelta(seconds=10)
    assert await pace.turn("b") is None


@pytest.mark.parametrize(
    "settings",
    [
        WebhookSettings(url="https://10.0.0.1/hook", secret=WEBHOOK_SECRET),
        AlertmanagerSettings(url="https://localhost:9093"),
        AlertmanagerSettings(url="http://alertmanager.example.org"),
        PagerDutySettings(routing_key=KEY, url="https://[::1]:1"),
        SlackSettings(token=TOKEN, channel=CHANNEL_ID, url="https://127.0.0.1:1/api"),
        SlackSettings(webhook_url="https://169.254.169.254/services/sesame"),
        AppriseSettings(url="mailto://mail.example.org?from=a@example.org"),
    ],
)
async def test_no_channel_leads_to_a_private_address_and_each_says_how_it_may(
    settings: ChannelSettings,
) -> None:
    async with Senders(allow_private=False) as senders:
        answer = await senders.send(settings, message(), {})
    assert not answer.delivered
    assert not answer.final  # an operator may allow it meanwhile
    assert "SPENDMETER_WEBHOOK_ALLOW_PRIVATE=true" in answer.error
    assert "sesame" not in answer.error


@pytest.mark.parametrize("host", ["127.0.0.1", "LOCALHOST"])
async def test_no_error_repeats_an_address_that_is_a_secret_however_it_is_spelt(host: str) -> None:
    async def garbled(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 10_000 + b"\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(garbled, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        outcome = await sent(SlackSettings(webhook_url=f"http://{host}:{port}/services/T0/B0/%7Esecret"))
    assert outcome.error and "secret" not in outcome.error and "T0" not in outcome.error
