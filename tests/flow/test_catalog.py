"""The catalog on a running system: a provider that nobody has heard of, two seconds, and kill -9."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import asyncpg
import httpx
import msgspec
import pytest

from spendmeter.contracts.catalog import Alias, CatalogEntry, Model, Price
from spendmeter.pricing.catalog import load_snapshot
from spendmeter.pricing.names import family
from spendmeter.pricing.price_book import PriceBook
from tests.flow.book import outcomes
from tests.flow.system import System, eventually, usage_event
from tests.pricing.test_provisional import MODELS, USAGE, cost

WITHIN_S = 2.0
NEWEST = "SELECT max(version) FROM catalog_publications"
HEADER = 'source = "https://example.org/prices"\nrecorded_at = 2026-11-20T00:00:00Z\n'
FICTITIOUS = """
[[provider]]
provider = "{name}"
[[unit]]
unit = "{name}_sparks"
about = "sparks of the {name} engine"
[[calendar]]
name = "{name}-hours"
time_zone = "Pacific/Chatham"
[[model]]
provider = "{name}"
sku = "dynamo"
[[model.rates]]
per = 1000
prices = {{ {name}_sparks = "4" }}
[[model.rates]]
per = 1000
prices = {{ {name}_sparks = "1" }}
[model.rates.when]
calendar = "{name}-hours"
windows = [{{ start = "22:00", end = "06:00" }}]
"""


def change(system: System, file: Path, *said: str) -> int:
    """Propose and approve a file with the command line; the version that it became."""
    proposed = json.loads(system.cli("catalog", "propose", file, "--json", *said).stdout)
    approved = system.cli("catalog", "approve", str(proposed["id"]), "--confirm", "--json").stdout
    return int(json.loads(approved)["version"])


@contextmanager
def stream(system: System, source: str, **event: Any) -> Iterator[list[tuple[str, float]]]:
    """One event every 50 ms, with the instants at which they were sent."""
    sent: list[tuple[str, float]] = []
    done = threading.Event()

    def send() -> None:
        while not done.wait(0.05):
            said = usage_event(f"e{len(sent)}", source=source, **event.get("data", {}))
            said |= {name: value for name, value in event.items() if name != "data"}
            at = time.monotonic()
            assert system.send(said).status_code == 204
            sent.append((said["id"], at))

    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send)
        try:
            yield sent
        finally:
            done.set()
            sending.result()


async def booked(owner: asyncpg.Connection, source: str, events: int) -> dict[str, tuple[str, Decimal]]:
    """Status and amount by event, once all are booked."""
    query = (
        "SELECT event::json->>'id' AS id, status, effective FROM entries WHERE event::json->>'source' = $1"
    )
    deadline = time.monotonic() + 30
    while len(rows := await owner.fetch(query, source)) < events:
        assert time.monotonic() < deadline, f"{len(rows)} of {events} booked: {await outcomes(owner, source)}"
    return {row["id"]: (row["status"], row["effective"]) for row in rows}


async def one_costs(owner: asyncpg.Connection, source: str, amount: Decimal) -> None:
    """Wait until an event of this source is booked at it. How soon that is to be says another test."""
    query = "SELECT EXISTS (SELECT FROM entries WHERE event::json->>'source' = $1 AND effective = $2)"
    deadline = time.monotonic() + 60
    while not await owner.fetchval(query, source, amount):
        assert time.monotonic() < deadline, f"none costs {amount}: {await outcomes(owner, source)}"
        await asyncio.sleep(0.2)


@pytest.mark.alone
async def test_a_fictitious_provider_is_priced_within_two_seconds_without_a_restart(
    system: System, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    name = f"v{uuid4().hex[:6]}"
    file = tmp_path / "fictitious.toml"
    file.write_text(HEADER + FICTITIOUS.format(name=name))
    zone = ZoneInfo("Pacific/Chatham")
    midday = (datetime.now(zone) - timedelta(days=2)).replace(hour=12, minute=0, second=0, microsecond=0)
    night = midday.replace(hour=22)
    worker = system.process("rating").pid
    data = {"provider": name, "sku": "dynamo", "usage": {f"{name}_sparks": 1500}}
    with stream(system, name, time=night.astimezone(UTC).isoformat(), data=data) as sent:
        eventually("some events before", lambda: len(sent) >= 5)
        change(system, file)
        approved = time.monotonic()
        time.sleep(WITHIN_S + 0.5)
    answers = await booked(owner, name, len(sent))
    priced = [at for event, at in sent if answers[event] == ("priced", Decimal("1.5"))]
    unpriced = [at for event, at in sent if answers[event][0] == "unpriced"]
    assert len(priced) + len(unpriced) == len(sent)
    assert unpriced, "nothing was known of it before"
    assert max(unpriced) < approved + WITHIN_S
    assert min(priced) < approved + WITHIN_S
    print(f"priced {min(priced) - approved:+.3f} s after the approval returned")
    by_day = usage_event("day", source=name, **data) | {"time": midday.astimezone(UTC).isoformat()}
    assert system.send(by_day).status_code == 204
    assert (await booked(owner, name, len(sent) + 1))["day"] == ("priced", Decimal(6))
    assert system.process("rating").pid == worker


@pytest.mark.alone
async def test_an_unknown_model_is_in_the_inbox_within_two_seconds(system: System) -> None:
    sku = f"gpt-{uuid4().hex[:8]}-mini"
    sent = time.monotonic()
    assert system.send(usage_event("first", source=sku, sku=sku)).status_code == 204
    seen = eventually("the inbox has it", lambda: in_inbox(system, "openai", sku), WITHIN_S)
    print(f"in the inbox after {time.monotonic() - sent:.3f} s")
    assert seen is not None
    assert (seen["provider"], seen["events"], seen["age_s"] <= WITHIN_S) == ("openai", 1, True)
    assert Decimal(seen["at_stake"][0]["provisional"]) > 0
    assert seen["usage"] == {"input_tokens": "1000", "output_tokens": "100"}
    assert seen["nearest"] and seen["proposal"]


@pytest.mark.alone
def test_real_models_that_leave_the_catalog_are_bounded_and_in_the_inbox_within_two_seconds(
    system: System, tmp_path: Path
) -> None:
    """Ten of ten families, one after the other; and back as they were."""
    shipped = PriceBook(load_snapshot())
    as_sold = PriceBook(each for each in load_snapshot() if not isinstance(each, Alias))
    """By what siblings cost when they were sold, not by what their names have become."""
    try:
        for provider, sku in MODELS:
            withdraw(system, provider, sku)
        time.sleep(WITHIN_S)  # every worker prices without them
        for provider, sku in MODELS:
            said = usage_event("first", source=f"gone-{sku}", provider=provider, sku=sku, usage=USAGE)
            sent = time.monotonic()
            assert system.send(said).status_code == 204
            seen = eventually(f"the inbox has {sku}", lambda: in_inbox(system, provider, sku), WITHIN_S)  # noqa: B023
            print(f"{sku}: in the inbox after {time.monotonic() - sent:.3f} s")
            assert seen is not None
            bound = Decimal(seen["at_stake"][0]["provisional"])
            siblings = [
                cost(provider, name, as_sold)[0]
                for seller, name in shipped.prices
                if seller == provider and family(name) == family(sku) and name != sku
            ]
            true = cost(provider, sku, shipped)[0]
            assert true <= bound <= 5 * median(siblings), (sku, true, bound, siblings)
            assert seen["nearest"][0]["reason"].startswith("same family")
    finally:
        back = tmp_path / "back.jsonl"
        back.write_bytes(stated_again(load_snapshot()))
        change(system, back)
    assert system.get("/v1/catalog/model", provider="openai", sku="o3")["prices"]


def stated_again(shipped: list[CatalogEntry]) -> bytes:
    """A price file of what is shipped about the models, corrections included."""
    lines = ['{"source": "as shipped", "recorded_at": "2026-11-26T00:00:00Z"}']
    for entry in shipped:
        if isinstance(entry, Model | Price) and (entry.provider, entry.sku) in MODELS:
            table = msgspec.to_builtins(entry)
            is_price = isinstance(entry, Price)
            for field in ("id", "recorded_at", "by", "revision", "version", *(["layer"] if is_price else [])):
                table.pop(field, None)
            table["type"] = "price" if is_price else "model"
            if is_price:
                table["prices"] = {table.pop("unit"): table.pop("price")}
                table.setdefault("per", 1)
            lines.append(json.dumps(table))
    return "\n".join(lines).encode()


def withdraw(system: System, provider: str, sku: str) -> None:
    """Take a model and all its prices out of force."""
    history = system.get("/v1/catalog/model", provider=provider, sku=sku)["history"]
    entries = [row["entry"]["id"] for row in history if row["withdrawn_version"] is None]
    api = httpx.Client(
        base_url=f"{system.api}/v1/catalog",
        headers={"Authorization": f"Bearer {system.state.environment['SPENDMETER_ADMIN_KEY']}"},
        timeout=30,
    )
    with api:
        made = api.post("/proposals", params={"name": "gone.toml", "withdraw": entries})
        assert made.status_code == 201, made.text
        done = api.post(f"/proposals/{made.json()['id']}/approve", json={"confirm": True})
        assert done.status_code == 200, done.text


def in_inbox(system: System, provider: str, sku: str) -> dict[str, Any] | None:
    """What the inbox of acme says of a model."""
    found: list[dict[str, Any]] = system.get("/v1/catalog/inbox", limit="200")["items"]
    return next((each for each in found if (each["provider"], each["sku"]) == (provider, sku)), None)


async def test_kill_9_in_a_publication_leaves_the_old_book_or_the_new_one(
    system: System, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    """Both units of a request change their price in one publication, so an event that pays one old and one new
    price shows. The first kill strikes before anything is recorded, the others while it is published."""
    name = f"k{uuid4().hex[:6]}"
    file = tmp_path / "prices.toml"

    def prices(amount: int) -> str:
        many = [
            f'[[price]]\nprovider = "{name}"\nsku = "m{number}"\nper = 1\n'
            f'prices = {{ characters = "{amount}", pages = "{amount}" }}\n'
            for number in range(1000)
        ]
        return "\n".join([HEADER, *many])

    file.write_text(prices(1))
    change(system, file)
    admin = {"Authorization": f"Bearer {system.state.environment['SPENDMETER_ADMIN_KEY']}"}
    data = {"provider": name, "sku": "m500", "usage": {"characters": 1, "pages": 1}}
    states = set()
    for amount, delay_s in ((2, None), (3, 0.0), (4, 0.02), (5, 0.04)):
        source = f"{name}-{amount}"
        file.write_text(prices(amount))
        proposal = json.loads(system.cli("catalog", "propose", file, "--replace", "--json").stdout)["id"]
        path = f"{system.api}/v1/catalog/proposals/{proposal}"
        with stream(system, source, data=data) as sent, ThreadPoolExecutor(1) as pool:
            version = await owner.fetchval(NEWEST)
            answer = pool.submit(
                httpx.post, f"{path}/approve", json={"confirm": True}, headers=admin, timeout=60
            )
            while delay_s is not None and await owner.fetchval(NEWEST) == version:
                assert not answer.done(), f"nothing was recorded: {answer.result()}"
            await asyncio.sleep(0.1 if delay_s is None else delay_s)
            old = system.kill("api")
            system.restarted("api", old)
            state = httpx.get(path, headers=admin, timeout=30).json()["state"]
            states.add(state)
            if state == "open":
                again = httpx.post(f"{path}/approve", json={"confirm": True}, headers=admin, timeout=30)
                assert again.status_code == 200, again.text
            await one_costs(owner, source, Decimal(2 * amount))
        answers = await booked(owner, source, len(sent))
        amounts = [answers[event][1] for event, _ in sent]
        assert set(amounts) == {Decimal(2 * (amount - 1)), Decimal(2 * amount)}, set(amounts)
        assert amounts[-1] == 2 * amount
    assert "approved" in states, "no kill struck after the commit"
