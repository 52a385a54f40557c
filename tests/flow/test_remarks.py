"""A region for which no price is, at a vendor that charges by region: remarked on the line, in the receipt, in the
inbox and in a figure of the accounting, and verify adds it up too."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg

from tests.flow.system import System, eventually, priced_by, usage_event
from tests.flow.test_catalog import booked, change

PRICES = """source = "https://example.org/prices"
recorded_at = 2026-11-20T00:00:00Z
[[price]]
provider = "{name}"
sku = "large"
prices = {{ input_tokens = "2" }}
[[adjustment]]
name = "residency"
provider = "{name}"
factor = "1.1"
when = {{ regions = ["eu"] }}
"""
SPELLING = """source = "https://example.org/regions"
recorded_at = 2026-11-20T00:00:00Z
[[spelling]]
provider = "{name}"
of = "region"
name = "eu"
match = ["eu-west-#"]
"""
SAYS = "no price is for region eu-west-9: this one is for any"


def under_remarks(system: System) -> tuple[int, Decimal]:
    """Events and dollars at prices that do not mention their region, as the accounting has them."""
    found: list[Any] = system.get("/v1/accounting")["remarks"]
    regions = [each["by_kind"].get("region") for each in found if each["currency"] == "USD"]
    return next(((each["events"], Decimal(each["effective"])) for each in regions if each), (0, Decimal(0)))


def row(system: System, name: str, state: str) -> dict[str, Any] | None:
    found: list[dict[str, Any]] = system.get("/v1/catalog/inbox")["remarks"]
    return next((each for each in found if (each["provider"], each["state"]) == (name, state)), None)


async def test_money_of_an_unknown_region_is_seen_from_the_line_to_the_accounting(
    system: System, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    """Three events of 1,000,000 tokens at 2 a million: 2 anywhere, 2.2 in the EU, and 2 where nobody says."""
    name = f"vendor-{uuid4().hex[:6]}"
    prices, spelling = tmp_path / "prices.toml", tmp_path / "spelling.toml"
    prices.write_text(PRICES.format(name=name))
    version = change(system, prices)
    eventually("rating prices with it", lambda: priced_by(system) >= version)
    events_before, money_before = under_remarks(system)
    said = {"provider": name, "sku": "large", "usage": {"input_tokens": 1_000_000}}
    regions = {"any": "", "eu": "eu", "odd": "EU-west-9"}
    events = [
        usage_event(each, source=name, **said, context={"region": region}) for each, region in regions.items()
    ]
    assert system.send(*events, *events).status_code == 204  # and each of them once more
    amounts = {"any": ("priced", Decimal(2)), "eu": ("priced", Decimal("2.2")), "odd": ("priced", Decimal(2))}
    assert await booked(owner, name, 3) == amounts

    seen = eventually("the inbox has it", lambda: row(system, name, "open"))
    assert seen is not None
    assert (seen["kind"], seen["value"], seen["says"], seen["events"]) == ("region", "eu-west-9", SAYS, 1)
    assert seen["money"] == [{"currency": "USD", "effective": "2"}]
    assert under_remarks(system) == (events_before + 1, money_before + 2)
    receipt = system.get("/v1/events", source=name, id="odd")
    assert SAYS.replace("eu-west-9", "EU-west-9") in str(receipt)
    assert SAYS in system.cli("catalog", "inbox").stdout
    assert "at prices that do not say how it was served: " in system.cli("status").stdout

    spelling.write_text(SPELLING.format(name=name))
    version = change(system, spelling)
    eventually("rating prices with it", lambda: priced_by(system) >= version)
    kept = eventually("it is booked, and stays", lambda: row(system, name, "booked"))
    assert kept is not None
    assert kept["kept"].endswith("keeps its price until re-rated")
    assert system.send(events[2] | {"id": "later"}).status_code == 204
    assert (await booked(owner, name, 4))["later"] == ("priced", Decimal("2.2"))
    assert under_remarks(system) == (events_before + 1, money_before + 2)
