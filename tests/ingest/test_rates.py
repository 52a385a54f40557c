"""How much one key may send, and what becomes of a key that is rotated: at the real door."""

from __future__ import annotations

import time
from datetime import timedelta
from http import HTTPStatus

import asyncpg
import httpx
import pytest

from services.ingest.rates import KeyRates
from services.ingest.refused import RequestRefused
from spendmeter.platform.key_uses import WRITE_S
from spendmeter.platform.keys import create_key, parse_key, rotate_key
from tests.ingest.harness import BATCH, PATH, Ingest, event
from tests.ingest.test_accept import credential
from tests.ingest.test_door import problem


def refusal(rates: KeyRates, key_id: str = "k7f3a00000000") -> RequestRefused:
    with pytest.raises(RequestRefused) as caught:
        rates.admit(credential(key_id=key_id))
    return caught.value


def test_a_key_that_has_sent_its_requests_waits_for_the_next_minute() -> None:
    rates = KeyRates(requests_per_minute=2, events_per_minute=1_000)
    rates.admit(credential())
    rates.admit(credential())
    refused = refusal(rates)
    assert refused.status is HTTPStatus.TOO_MANY_REQUESTS
    assert refused.detail.startswith("key k7f3a00000000 may send 2 requests a minute; send again in ")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    rates.admit(credential(key_id="k000000000002"))  # another key's rate is its own


def test_a_request_that_began_within_the_rate_is_taken_whole() -> None:
    """A thousand events at once, of a key that may send 10 a minute: the rest of the minute it sends nothing."""
    rates = KeyRates(requests_per_minute=100, events_per_minute=10)
    rates.admit(credential())
    rates.count(credential(), 1_000)
    assert "10 events a minute" in refusal(rates).detail


def test_a_keys_own_rate_is_before_that_of_the_process() -> None:
    rates = KeyRates(requests_per_minute=100, events_per_minute=10)
    favoured = credential(events_per_minute=50)
    for _ in range(4):
        rates.admit(favoured)
        rates.count(favoured, 10)
    rates.admit(favoured)
    rates.count(favoured, 10)
    with pytest.raises(RequestRefused):
        rates.admit(favoured)


async def test_over_its_rate_a_key_reads_when_to_come_again_and_nobody_else_waits(door: Ingest) -> None:
    connection = await asyncpg.connect(door.database)
    door.keys["slow"] = await create_key(connection, "acme", ["ingest"], name="slow", events_per_minute=3)
    await connection.close()
    deadline = time.monotonic() + 15
    while (answer := door.post([event(f"slow-{n}") for n in range(5)], BATCH, key="slow")).status_code == 401:
        assert time.monotonic() < deadline
        time.sleep(0.2)  # the snapshot of keys is read every 5 s
    assert answer.status_code == 204
    answer = door.post(event("slow-6"), key="slow")
    found = problem(answer, 429)
    assert "may send 3 events a minute" in found["detail"]
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert door.post(event("brisk"), key="acme").status_code == 204


async def test_a_rotated_key_keeps_its_id_and_both_secrets_open_for_a_while(door: Ingest) -> None:
    connection = await asyncpg.connect(door.database)
    former = await create_key(connection, "acme", ["ingest"], name="rotates")
    parsed = parse_key(former)
    assert parsed is not None
    new = await rotate_key(connection, parsed.key_id, grace=timedelta(hours=1))
    assert new is not None
    assert (again := parse_key(new)) is not None
    assert again.key_id == parsed.key_id
    door.keys |= {"former": former, "new": new}
    deadline = time.monotonic() + 15
    while door.post(event("rotated"), key="new").status_code != 204:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert door.post(event("rotated"), key="former").status_code == 204
    newest = await rotate_key(connection, parsed.key_id, grace=timedelta(0))  # it leaked
    door.keys["newest"] = newest or ""
    deadline = time.monotonic() + 15
    while door.post(event("rotated"), key="newest").status_code != 204:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    for lost in ("former", "new"):
        assert door.post(event("rotated"), key=lost).status_code == 401
    deadline = time.monotonic() + WRITE_S + 10
    used = "SELECT last_used_at FROM key_uses WHERE key_id = $1 AND service = 'ingest'"
    while (last := await connection.fetchval(used, parsed.key_id)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert last > await connection.fetchval(
        "SELECT created_at FROM api_keys WHERE key_id = $1", parsed.key_id
    )
    assert await rotate_key(connection, "k000000000000", grace=timedelta(0)) is None
    await connection.close()


def test_a_refused_key_is_told_nothing_of_rates(door: Ingest) -> None:
    headers = {"Authorization": "Bearer nonsense"}
    assert httpx.post(door.url + PATH, json=event(), headers=headers).status_code == 401
