"""Channels as people set them: every kind, secrets that are never shown, who is told what and when, a test."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import httpx
import pytest

from services.api.channels import deliveries
from tests.api.book import Book

WEBHOOK = {"url": "https://hooks.example/x", "secret": "whsec_" + "c3BlbmRtZXRlciBzaWducyB3aGF0IGl0IHNheXM="}
KINDS: dict[str, dict[str, Any]] = {
    "webhook": WEBHOOK,
    "alertmanager": {
        "url": "https://alerts.example",
        "labels": {"team": "x"},
        "authorization": "Bearer s3cr3t-1",
    },
    "pagerduty": {"routing_key": "0123456789abcdef0123456789abcdef"},
    "slack": {"token": "xoxb-1234567890-s3cr3t", "channel": "C0123ABCD"},
    "apprise": {"url": "mailtos://me:s3cr3t@example.org"},
}
SECRETS = {
    "webhook": "secret", "alertmanager": "authorization", "pagerduty": "routing_key", "slack": "token",
    "apprise": "url",
}  # fmt: skip


async def added(client: httpx.AsyncClient, kind: str = "webhook", **fields: Any) -> dict[str, Any]:
    body = {"name": kind, "kind": kind, "settings": KINDS[kind], **fields}
    answer = await client.post("/v1/channels", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


@pytest.mark.parametrize("kind", KINDS)
async def test_a_channel_of_each_kind_is_added_and_its_secrets_are_never_shown(
    acme: httpx.AsyncClient, kind: str
) -> None:
    made = await added(acme, kind)
    secret = KINDS[kind][SECRETS[kind]]
    assert made["secret"] == (secret if kind == "webhook" else None)
    assert made["secrets"][SECRETS[kind]] is True
    one = await acme.get(f"/v1/channels/{made['id']}")
    for answer in (one, await acme.get("/v1/channels")):
        assert secret not in answer.text
    assert (
        one.json()["settings"].items()
        >= {name: value for name, value in KINDS[kind].items() if name != SECRETS[kind]}.items()
    )
    assert made["created_by"].startswith("key k")


@pytest.mark.parametrize(
    ("kind", "settings", "told"),
    [
        ("pagerduty", {"routing_key": "s3cr3t"}, "32 letters and digits"),
        ("slack", {"token": "xoxb-1234567890-s3cr3t"}, "channel must be"),
        ("slack", {}, "either webhook_url is set, or token and channel"),
        ("webhook", {"url": "https://a.example", "sercet": "s3cr3t"}, "sercet"),
        ("webhook", {"url": "https://a.example", "secret": "s3cr3t"}, "secret must be"),
        ("alertmanager", {"url": "https://10.0.0.7:9093"}, "SPENDMETER_WEBHOOK_ALLOW_PRIVATE"),
        (
            "pagerduty",
            {"routing_key": "a" * 32, "url": "http://a.example"},
            "SPENDMETER_WEBHOOK_ALLOW_PRIVATE",
        ),
        ("webhook", {"kind": "slack"}, "another kind is another channel"),
    ],
)
async def test_what_cannot_be_told_is_refused_without_a_word_of_the_secret(
    acme: httpx.AsyncClient, kind: str, settings: dict[str, Any], told: str
) -> None:
    answer = await acme.post("/v1/channels", json={"name": "c", "kind": kind, "settings": settings})
    assert answer.status_code == 422
    assert told in answer.json()["detail"]
    assert "s3cr3t" not in answer.text


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("match", {"severity": "grave"}, "grave"),
        ("match", {"scope": {"color": "red"}}, "is not one of"),
        ("quiet", [{"from": "22:00", "until": "8"}], "time of day"),
        ("quiet", [{"from": "00:00", "until": "00:00"}], "leave none"),
        ("digest_minutes", 1441, "1440"),
    ],
)
async def test_a_route_that_cannot_be_is_refused(
    acme: httpx.AsyncClient, field: str, value: Any, told: str
) -> None:
    answer = await acme.post("/v1/channels", json={"name": "c", "settings": WEBHOOK, field: value})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
    assert told in answer.text


async def test_a_change_leaves_what_it_does_not_name_and_lets_a_failing_channel_begin_anew(
    acme: httpx.AsyncClient, book: Book
) -> None:
    made = await added(acme, "slack", digest_minutes=15)
    await book.connection.execute(
        "UPDATE channels SET failing_since = now(), failures = 3, last_error = 'not_in_channel', "
        "disabled_at = now(), disabled_reason = 'HTTP 410'"
    )
    url = f"/v1/channels/{made['id']}"
    shown = (
        await acme.patch(url, json={"name": "ops", "quiet": [{"from": "22:00", "until": "08:00"}]})
    ).json()
    assert (shown["name"], shown["digest_minutes"], shown["last_error"]) == ("ops", 15, "not_in_channel")
    shown = (await acme.patch(url, json={"settings": {"channel": "C0123WXYZ"}, "enabled": True})).json()
    assert (shown["settings"]["channel"], shown["secrets"]["token"]) == ("C0123WXYZ", True)
    assert (shown["failing_since"], shown["last_error"], shown["disabled_at"]) == (None, "", None)
    kept = await book.connection.fetchval("SELECT settings ->> 'token' FROM channels")
    assert kept == KINDS["slack"]["token"]
    refused = await acme.patch(url, json={"settings": {"kind": "webhook"}})
    assert refused.status_code == 422
    disabled = (await acme.patch(url, json={"enabled": False})).json()
    assert disabled["disabled_reason"].startswith("by key k")


async def test_a_rotated_secret_is_shown_once(acme: httpx.AsyncClient) -> None:
    made = await added(acme)
    rotated = (await acme.post(f"/v1/channels/{made['id']}/rotate-secret")).json()
    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != made["secret"]
    assert rotated["secret"] not in (await acme.get("/v1/channels")).text
    other = await added(acme, "pagerduty")
    assert (await acme.post(f"/v1/channels/{other['id']}/rotate-secret")).status_code == 422


async def test_channels_and_deliveries_are_tables_too(acme: httpx.AsyncClient) -> None:
    made = await added(acme, match={"severity": "warning"})
    for path in ("", f"/{made['id']}/deliveries"):
        answer = await acme.get(f"/v1/channels{path}", headers={"Accept": "text/csv"})
        assert answer.status_code == 200
        assert answer.text.startswith("id,")
        assert WEBHOOK["secret"] not in answer.text


async def test_a_removed_channel_is_forgotten_but_for_its_deliveries(
    acme: httpx.AsyncClient, book: Book
) -> None:
    made = await added(acme)
    assert (await acme.delete(f"/v1/channels/{made['id']}")).status_code == 204
    assert await book.connection.fetchval("SELECT settings::text FROM channels") == '{"kind": "webhook"}'
    for method, path in (("GET", ""), ("POST", "/test"), ("GET", "/deliveries"), ("POST", "/rotate-secret")):
        assert (await acme.request(method, f"/v1/channels/{made['id']}{path}")).status_code == 404


async def carry_out(book: Book, state: str, error: str) -> None:
    """As alerts does."""
    async with asyncio.timeout(5):
        while not await book.connection.fetchval(
            "UPDATE deliveries SET state = $1, last_error = $2, finished_at = now(), attempts = 1 "
            "WHERE transition = 'test' AND state = 'pending' RETURNING true",
            state, error,
        ):  # fmt: skip
            await asyncio.sleep(0.05)


async def test_a_test_says_what_came_of_it(acme: httpx.AsyncClient, book: Book) -> None:
    made = await added(acme)
    url = f"/v1/channels/{made['id']}"
    for state, error in (("delivered", ""), ("failed", "HTTP 404")):
        answer, _ = await asyncio.gather(acme.post(f"{url}/test"), carry_out(book, state, error))
        assert (answer.status_code, answer.json()["state"], answer.json()["error"]) == (200, state, error)
    listed = (await acme.get(f"{url}/deliveries")).json()["deliveries"]
    assert [(each["transition"], each["state"], each["last_error"]) for each in listed] == [
        ("test", "failed", "HTTP 404"), ("test", "delivered", ""),
    ]  # fmt: skip


async def test_a_test_that_nobody_sends_is_pending_and_asked_for_once(
    acme: httpx.AsyncClient, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "OUTCOME_S_MAX", 0.5)
    made = await added(acme)
    url = f"/v1/channels/{made['id']}/test"
    first, second = [(await acme.post(url)).json() for _ in range(2)]
    assert first["state"] == "pending"
    assert "has not sent it" in first["error"]
    assert first["id"] == second["id"]
    assert await book.connection.fetchval("SELECT count(*) FROM deliveries") == 1


async def test_deliveries_are_listed_page_by_page_and_by_state(acme: httpx.AsyncClient, book: Book) -> None:
    made = await added(acme)
    for number in range(5):
        await book.connection.execute(
            "INSERT INTO deliveries (tenant, transition, channel_id, body, state, finished_at, created_at) "
            "VALUES ('acme', 'test', $1, '', $2, now(), $3)",
            made["id"], "failed" if number % 2 else "delivered",
            datetime.fromisoformat(f"2026-11-23T10:0{number}:00+00:00"),
        )  # fmt: skip
    url, seen, cursor = f"/v1/channels/{made['id']}/deliveries", [], ""
    while cursor is not None:
        page = (await acme.get(url, params={"limit": 2, "cursor": cursor})).json()
        seen += [each["created_at"][14:16] for each in page["deliveries"]]
        cursor = page["next_cursor"]
    assert seen == ["04", "03", "02", "01", "00"]
    failed = (await acme.get(url, params={"state": "failed"})).json()["deliveries"]
    assert [each["created_at"][14:16] for each in failed] == ["03", "01"]


async def test_nobody_sees_or_changes_anothers_channel(
    acme: httpx.AsyncClient, client: httpx.AsyncClient, book: Book
) -> None:
    made = await added(acme)
    other = {"Authorization": f"Bearer {await book.key('globex', 'read', 'admin')}"}
    for method, path in (
        ("GET", ""),
        ("PATCH", ""),
        ("POST", "/test"),
        ("GET", "/deliveries"),
        ("DELETE", ""),
    ):
        answer = await client.request(
            method, f"/v1/channels/{made['id']}{path}", headers=other, json={} if method == "PATCH" else None
        )
        assert answer.status_code == 404, (method, path)
    assert await book.connection.fetchval("SELECT count(*) FROM deliveries") == 0
