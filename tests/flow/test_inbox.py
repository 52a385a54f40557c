"""The inbox on a running system: what is missing is named as what it is, and what is booked stays in view."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg

from tests.flow.system import System, eventually, priced_by, usage_event
from tests.flow.test_catalog import booked, change

HEADER = 'source = "https://example.org/prices"\nrecorded_at = 2026-11-20T00:00:00Z\n'
NOW = datetime.now(UTC).replace(microsecond=0)
TODAY = NOW.replace(hour=0, minute=0, second=0)
YESTERDAY = TODAY - timedelta(hours=12)


def approved(system: System, proposal: dict[str, Any]) -> str:
    """What approving a proposal prints."""
    return system.cli("catalog", "approve", str(proposal["id"]), "--confirm").stdout


def item(system: System, sku: str) -> dict[str, Any] | None:
    found: list[dict[str, Any]] = system.get("/v1/catalog/inbox", limit="200")["items"]
    return next((each for each in found if each["sku"] == sku), None)


async def test_a_missing_rate_is_named_stated_and_its_events_stay_in_view(
    system: System, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    """A price in a currency whose rate begins today, and an event of yesterday: 2,000 tokens at 1 a million."""
    sku, currency = f"euro-{uuid4().hex[:6]}", "SEK"
    file = tmp_path / "prices.toml"
    file.write_text(
        f'{HEADER}[[price]]\nprovider = "{sku}"\nsku = "{sku}"\ncurrency = "{currency}"\nprices = {{ input_tokens = "1" }}\n'
        f'[[fx]]\nbase = "{currency}"\nquote = "USD"\nrate = "0.1"\neffective_from = {TODAY:%Y-%m-%d}T00:00:00Z\n'
    )
    version = change(system, file)
    said = usage_event("early", source=sku, provider=sku, sku=sku, usage={"input_tokens": 2000})
    eventually("rating prices with it", lambda: priced_by(system) >= version)
    assert system.send(said | {"id": "now"}).status_code == 204
    assert system.send(said | {"time": YESTERDAY.isoformat()}).status_code == 204
    seen = eventually("the inbox has it", lambda: item(system, sku))
    assert seen is not None
    assert (seen["state"], seen["unpriced_events"], seen["proposal"]) == ("open", 1, None)
    assert seen["reasons"] == [f"no rate {currency} → USD before {TODAY:%Y-%m-%d}"]
    shown = system.cli("catalog", "inbox").stdout
    way = f"next: spendmeter catalog inbox --rate {currency}/USD=RATE --since {YESTERDAY:%Y-%m-%d}"
    assert way in shown[shown.index(f"{sku}/{sku}") :]
    refused = system.cli("catalog", "inbox", "--accept", f"{sku}/{sku}", check=False)
    assert refused.returncode == 1 and f"state the rate {currency} → USD" in refused.stderr
    made = json.loads(system.cli("catalog", "inbox", "--rate", f"{currency}/USD=0.11", "--json").stdout)
    assert made["name"] == f"{currency}-USD-{YESTERDAY:%Y-%m-%d}.yaml"
    approved(system, made)
    kept = eventually("it is booked, and stays", lambda: _booked(system, sku))
    assert kept["kept"] == "unpriced; booked before its rate was stated; keeps no amount until re-rated"
    assert (await booked(owner, sku, 2))["early"] == ("unpriced", Decimal(0))


def _booked(system: System, sku: str) -> dict[str, Any] | None:
    found = item(system, sku)
    return found if found and found["state"] == "booked" else None


async def test_approving_a_price_says_what_it_does_and_leaves_booked_events_at_their_bound(
    system: System, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    """Three events at a bound of the family; the price that comes later is for usage from then on."""
    sku = f"gpt-{uuid4().hex[:8]}-mini"
    events = [usage_event(f"e{number}", source=sku, sku=sku) for number in range(3)]
    assert system.send(*events).status_code == 204
    before = await booked(owner, sku, 3)
    assert {status for status, _ in before.values()} == {"provisional"}
    eventually("the inbox has all three", lambda: (item(system, sku) or {}).get("events") == 3)
    file = tmp_path / "price.toml"
    file.write_text(
        f'{HEADER}[[price]]\nprovider = "openai"\nsku = "{sku}"\nprices = {{ input_tokens = "0.3", output_tokens = "1" }}\n'
    )
    shown = system.cli("catalog", "propose", file).stdout
    assert "what it does: usage from now on; 3 events booked since " in shown
    assert "Z keep their price" in shown
    assert "were they priced again: " in shown
    proposal = system.get("/v1/catalog/inbox")  # of the tenant; proposals are everybody's
    assert proposal["version"] > 0
    number = next(word for word in shown.split() if word.isdecimal() and f"proposal {word} is open" in shown)
    said = approved(system, {"id": number})
    assert "usage from now on; 3 events booked since " in said
    kept = eventually("it is booked, and stays", lambda: _booked(system, sku))
    assert kept["kept"] == "provisional; booked before its price was stated; keeps its bound until re-rated"
    assert kept["events"] == 3
    later = [usage_event("later", source=sku, sku=sku, usage={"input_tokens": 1000, "output_tokens": 100})]

    def priced() -> bool:
        later[0]["id"] = f"later-{uuid4().hex[:6]}"
        return system.send(*later).status_code == 204

    eventually("workers price by it", priced)
    after = await booked(owner, sku, 4)
    assert {name: amount for name, amount in after.items() if name in before} == before


async def test_a_unit_that_nobody_knows_is_in_the_inbox_with_the_one_that_was_meant(system: System) -> None:
    source = f"typo-{uuid4().hex[:6]}"
    said = usage_event("typo", source=source, usage={"reasoning_tokns": 5})
    assert system.send(said).status_code == 204

    def seen() -> dict[str, Any] | None:
        units = system.get("/v1/catalog/inbox")["units"]
        return next((each for each in units if each["unit"] == "reasoning_tokns"), None)

    unit = eventually("the inbox has the unit", seen)
    assert unit is not None
    assert unit["says"] == "reasoning_tokns is no unit: did you mean reasoning_tokens?"
    assert "openai/gpt-4o" in unit["of"]
