"""Why an entry decided: the winner is always rating's, and every loser is named with its reason."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendmeter.contracts.catalog import (
    Adjustment,
    CalendarEntry,
    Conditions,
    FxRate,
    HoursWindow,
    Price,
    UnitEntry,
)
from spendmeter.contracts.entry_ids import identified
from spendmeter.contracts.events import Amount
from spendmeter.contracts.money import plain
from spendmeter.pricing.arithmetic import entries_of
from spendmeter.pricing.engine import rate
from spendmeter.pricing.explain import contests, explain, text
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import NOON, RECORDED, adjustment, model, price, terms, used

MILLION = {"input_tokens": 1_000_000}
UTC_CALENDAR = identified(CalendarEntry(name="utc", time_zone="UTC", source="test", recorded_at=RECORDED))
STANDARD = price("m", "input_tokens", "2")


def reasons(entries: list[Any], usage: Any = MILLION, unit: str = "input_tokens", **said: Any) -> dict:
    """The list price's winner, and why each other lost: {id: reason}."""
    found = contests(used("openai", "m", usage, **said), PriceBook(entries), unit)
    listed = next(each for each in found if each.of == "list price")
    return {"winner": listed.entry} | {loser.entry: loser.reason for loser in listed.losers}


@pytest.mark.parametrize(
    ("loser", "served", "reason"),
    [
        ({"layer": "organisation", "when": Conditions(effective_from=datetime(2026, 12, 1, tzinfo=UTC))}, {},
         "not effective yet: from 2026-12-01 00:00 UTC"),
        ({"layer": "organisation", "when": Conditions(effective_to=NOON)}, {}, "no longer effective: until 2026-11-20 12:00 UTC"),
        ({"when": Conditions(batch=True)}, {}, "for batches alone, and this was none"),
        ({"when": Conditions(batch=False)}, {"batch": True}, "not for batches, and this was one"),
        ({"when": Conditions(tiers=("flex",))}, {}, "of another tier: flex, and standard served"),
        ({"when": Conditions(regions=("eu", "uk"))}, {"region": "US"}, "of another region: eu or uk, and us served"),
        ({"when": Conditions(context_min=1_000_000)}, {},
         "outside its context bracket: context over 1,000,000 tokens, and this had 1,000,000"),
        ({"when": Conditions(context_max=1_000_000, context_max_inclusive=False)}, {},
         "outside its context bracket: context under 1,000,000 tokens, and this had 1,000,000"),
        ({"when": Conditions(calendar="utc", windows=(HoursWindow(days=(6, 7), start="11:00", end="13:00"),))}, {},
         "outside its hours: Sat/Sun 11:00-13:00 (utc), and it was Friday 12:00:00 UTC"),
        ({"layer": "contract", "tenant": "globex"}, {}, "another tenant's"),
        ({"layer": "contract", "contract": "deal"}, {}, "of a contract that the tenant does not have: deal"),
    ],
)  # fmt: skip
def test_an_entry_that_is_not_for_the_event_lost_by_the_condition_that_does_not_hold(
    loser: dict[str, Any], served: dict[str, Any], reason: str
) -> None:
    other = price("m", "input_tokens", "1", **loser)
    assert reasons([STANDARD, other, UTC_CALENDAR], **served) == {"winner": STANDARD.id, other.id: reason}


@pytest.mark.parametrize(
    ("winner", "served", "reason"),
    [
        ({"layer": "organisation"}, {}, "of a lower layer: public, under organisation"),
        ({"when": Conditions(batch=True)}, {"batch": True}, "less specific: it says nothing of the batch"),
        ({"when": Conditions(tiers=("flex",))}, {"service_tier": "flex"},
         "less specific: it says nothing of the service tier"),
        ({"when": Conditions(regions=("eu",))}, {"region": "eu"}, "less specific: it says nothing of the region"),
        ({"when": Conditions(context_min=10)}, {}, "less specific: it says nothing of the context length"),
        ({"when": Conditions(calendar="utc", windows=(HoursWindow(start="12:00", end="13:00"),))}, {},
         "less specific: it says nothing of the hours"),
    ],
)  # fmt: skip
def test_an_entry_that_holds_lost_to_one_that_says_more(
    winner: dict[str, Any], served: dict[str, Any], reason: str
) -> None:
    best = price("m", "input_tokens", "1", **winner)
    assert reasons([STANDARD, best, UTC_CALENDAR], **served) == {"winner": best.id, STANDARD.id: reason}


def test_contracts_and_tenants_rank_within_their_layer() -> None:
    first = price("m", "input_tokens", "1", layer="contract", contract="first")
    second = price("m", "input_tokens", "1.1", layer="contract", contract="second")
    mine = price("m", "input_tokens", "1.2", layer="contract", tenant="acme")
    acme = terms("acme", contracts=("first", "second"))
    assert reasons([first, second, acme]) == {
        "winner": first.id, second.id: "of second, and first comes first",
    }  # fmt: skip
    assert reasons([first, mine, acme]) == {
        "winner": mine.id, first.id: f"for everybody, and entry {mine.id} for this tenant alone",
    }  # fmt: skip


def test_a_parents_price_lost_to_a_nearer_one_and_decides_where_there_is_none() -> None:
    cached = price("m", "cache_read_tokens", "0.2")
    usage = {"cache_read_tokens": 5}
    assert reasons([STANDARD, cached], usage, "cache_read_tokens") == {
        "winner": cached.id, STANDARD.id: "a parent's price (input_tokens): a nearer one holds",
    }  # fmt: skip
    assert reasons([STANDARD], usage, "cache_read_tokens") == {"winner": STANDARD.id}


def test_a_parents_contracted_price_is_named_where_it_may_not_stand_for_a_nearer_list_price() -> None:
    agreed = price("m", "input_tokens", "1", layer="contract", tenant="acme", kind="contracted")
    event = used("openai", "m", {"cache_read_tokens": 5})
    book = PriceBook([STANDARD, price("m", "cache_read_tokens", "0.2"), agreed])
    [_, contracted] = contests(event, book, "cache_read_tokens")
    assert (contracted.entry, contracted.why) == ("", "none of these may stand for it")
    assert "a parent's contracted price (input_tokens)" in contracted.losers[0].reason


def test_an_unpriced_line_names_the_entries_that_would_have_priced_it() -> None:
    later = price("m", "input_tokens", "2", when=Conditions(effective_from=datetime(2027, 1, 1, tzinfo=UTC)))
    rating, [line] = explain(used("openai", "m", MILLION), PriceBook([later]))
    assert (rating.status, line.contests[0].entry, line.contests[0].why) == (
        "unpriced",
        "",
        "none of these holds",
    )
    assert line.contests[0].losers[0].reason == "not effective yet: from 2027-01-01 00:00 UTC"


def test_of_adjustments_of_one_name_the_broader_and_those_of_others_are_losers() -> None:
    broad, narrow = adjustment("discount", "0.9"), adjustment("discount", "0.5", skus=("m",))
    theirs = adjustment("discount", "0.1", layer="contract", tenant="globex")
    other_model = adjustment("discount", "0.2", skus=("other",))
    entries = [STANDARD, broad, narrow, theirs, other_model]
    [_, contest] = contests(used("openai", "m", MILLION), PriceBook(entries), "input_tokens")
    assert (contest.of, contest.entry) == ("discount (list)", narrow.id)
    assert {loser.entry: loser.reason for loser in contest.losers} == {
        broad.id: "less specific: it says nothing of the model",
        theirs.id: "another tenant's",
    }


def test_a_line_as_text_can_be_redone_by_hand() -> None:
    batch = price("m", "input_tokens", "1", when=Conditions(batch=True))
    agreed = price("m", "input_tokens", "1.5", layer="contract", tenant="acme", kind="contracted")
    residency = adjustment("residency", "1.1", when=Conditions(regions=("eu",)))
    _, [line] = explain(
        used("openai", "m", MILLION, region="eu"), PriceBook([STANDARD, batch, agreed, residency])
    )
    assert list(text(line)) == [
        "input_tokens: priced",
        "  price: 2 USD for 1000000 x 1.1 (residency) = 0.0000022 USD each",
        "  list: 1000000 input_tokens x 0.0000022 = 2.2 USD",
        "  contracted price: 1.5 USD for 1000000 x 1.1 (residency) = 0.00000165 USD each",
        "  contracted: 1000000 input_tokens x 0.00000165 = 1.65 USD",
        f"  list price by entry {STANDARD.id}: 2 USD per 1,000,000 input_tokens of openai/m, says test",
        "    why: no other entry's conditions hold",
        f"    not {batch.id}, 1 USD per 1,000,000 input_tokens of openai/m (in a batch): "
        "for batches alone, and this was none",
        f"  contracted price by entry {agreed.id}: 1.5 USD per 1,000,000 input_tokens of openai/m, contract, says test",
        "    why: no other entry's conditions hold",
        f"  residency (list) by entry {residency.id}: x 1.1 on every unit of openai/every model (region eu), says test",
        "    why: no other entry's conditions hold",
    ]


def test_minimum_rate_and_division_are_in_the_arithmetic() -> None:
    rate = FxRate(base="EUR", quote="USD", rate="1.1", effective_from=RECORDED.replace(month=1), source="bank",
                  recorded_at=RECORDED)  # fmt: skip
    hourly = price("m", "audio_seconds", "3.6", per=3600, currency="EUR", minimum="10")
    _, [line] = explain(used("openai", "m", {"audio_seconds": 4}), PriceBook([hourly, identified(rate)]))
    assert line.arithmetic == (
        "4 audio_seconds used, and 10 billed: the price's minimum",
        "price: 3.6 EUR for 3600 = 0.001 EUR each",
        "list: 10 audio_seconds x 0.001 = 0.01 EUR",
        "in USD, to 12 places: 0.01 EUR x 1.1 = 0.011 USD",
    )


def test_an_unknown_model_and_a_reported_cost_have_no_contest_and_say_why() -> None:
    _, [unknown] = explain(used("openai", "m-2", MILLION), PriceBook([STANDARD]))
    assert (unknown.status, unknown.contests) == ("provisional", ())
    assert unknown.reason == "unknown model: its name contains m: bounded by m"
    assert unknown.arithmetic[0] == "price: 2 USD for 1000000 = 0.000002 USD each"
    reported = used("openai", "m", MILLION, reported=Amount(amount="3", currency="USD"), trusted=True)
    _, [line] = explain(reported, PriceBook([STANDARD]))
    assert (line.status, line.contests, line.arithmetic) == (
        "reported", (), ("list: 1 reported_cost x 3 = 3 USD",),
    )  # fmt: skip


def test_hours_alias_and_a_unit_of_the_catalogs_own_are_explained() -> None:
    widget = identified(UnitEntry(unit="widgets", about="widgets", source="test", recorded_at=RECORDED))
    night = price(
        "m",
        "widgets",
        "1",
        when=Conditions(calendar="utc", windows=(HoursWindow(start="20:00", end="06:00"),)),
    )
    day = price("m", "widgets", "3")
    event = used("openai", "m-latest", {"widgets": 4}, at=datetime(2026, 11, 20, 23, tzinfo=UTC))
    _, [line] = explain(event, PriceBook([model("m", "m-latest"), widget, night, day, UTC_CALENDAR]))
    assert line.contests[0].entry == night.id
    assert "(20:00-06:00 (utc))" in line.contests[0].says


# For any prices and any event: explain names what rate() booked, and everything else exactly once.

AMOUNTS = st.decimals(min_value=0, max_value=9, places=2).map(plain)
UNITS = ("input_tokens", "cache_read_tokens", "output_tokens", "requests")
EDGES = (datetime(2026, 11, 1, tzinfo=UTC), NOON, datetime(2026, 12, 1, tzinfo=UTC))


@st.composite
def conditions(draw: st.DrawFn) -> Conditions:
    said: dict[str, Any] = {}
    if draw(st.booleans()):
        said["batch"] = draw(st.booleans())
    if draw(st.booleans()):
        said["tiers"] = (draw(st.sampled_from(["flex", "priority"])),)
    if draw(st.booleans()):
        said["regions"] = (draw(st.sampled_from(["eu", "us"])),)
    if draw(st.booleans()):
        said[draw(st.sampled_from(["context_min", "context_max"]))] = 100
    if draw(st.booleans()):
        said |= {"calendar": "utc", "windows": (HoursWindow(start="12:00", end="18:00"),)}
    said[draw(st.sampled_from(["effective_from", "effective_to"]))] = draw(st.sampled_from(EDGES))
    return Conditions(**said)


OWNERS = (
    {},
    {"layer": "organisation"},
    {"layer": "contract", "tenant": "acme"},
    {"layer": "contract", "tenant": "globex"},
    {"layer": "contract", "contract": "first"},
    {"layer": "contract", "contract": "other"},
)


@st.composite
def books(draw: st.DrawFn) -> list[Any]:
    """Entries of which those that the book would refuse as overlapping are left out."""
    entries: dict[str, Any] = {each.id: each for each in (UTC_CALENDAR, terms("acme", contracts=("first",)))}
    for _ in range(draw(st.integers(1, 14))):
        said = {
            **draw(st.sampled_from(OWNERS)), "kind": draw(st.sampled_from(["list", "list", "contracted"])),
            "when": draw(conditions()),
        }  # fmt: skip
        if draw(st.integers(0, 3)):
            said["all_in"] = draw(st.sampled_from([False, False, True]))
            entry = price("m", draw(st.sampled_from(UNITS)), draw(AMOUNTS), **said)
        else:
            skus, units = draw(st.sampled_from([(), ("m",)])), draw(st.sampled_from([(), UNITS[:1]]))
            factor = draw(st.just("1") | AMOUNTS)
            said |= {"skus": skus, "units": units, "unless_stated": draw(st.booleans())}
            said["unless"] = draw(st.sampled_from([(), (), ("m",)]))
            entry = adjustment(draw(st.sampled_from("ab")), factor, **said)
        try:
            PriceBook([*entries.values(), *(() if entry.id in entries else (entry,))])
        except ValueError:
            continue
        entries[entry.id] = entry
    return list(entries.values())


@settings(max_examples=300, deadline=None)
@given(
    books(),
    st.dictionaries(st.sampled_from(UNITS), st.integers(0, 200), min_size=1),
    st.sampled_from(EDGES),
    st.booleans(),
    st.sampled_from(["", "flex", "priority", "turbo"]),
    st.sampled_from(["", "eu", "us", "mars"]),
    st.sampled_from(["acme", "globex", "nobody"]),
)
def test_the_explained_winner_is_always_ratings_and_every_candidate_has_its_place(
    entries, usage, at, batch, tier, region, tenant
) -> None:
    event = used("openai", "m", usage, at=at, tenant=tenant, batch=batch, service_tier=tier, region=region)
    book = PriceBook(entries)
    rating = rate(event, book)
    again, lines = explain(event, book)
    assert again == rating
    for line, explained in zip(rating.lines, lines, strict=True):
        winners = {contest.entry for contest in explained.contests} - {""}
        elsewhere = {
            loser.entry
            for contest in explained.contests
            for loser in contest.losers
            if loser.reason.startswith("on the other of the two prices")
        }
        assert winners | elsewhere == ({*entries_of(line)} if explained.contests else set())
        if explained.contests and line.entry:
            listed = [contest for contest in explained.contests if contest.of == "list price"]
            no_list = "no list price" in line.reason
            assert no_list or listed[0].entry == line.entry
        told = [loser.entry for contest in explained.contests for loser in contest.losers] + sorted(winners)
        family = {line.unit, "input_tokens"} if line.unit == "cache_read_tokens" else {line.unit}
        about = {
            each.id
            for each in entries
            if (isinstance(each, Price) and each.unit in family and explained.contests)
            or (
                isinstance(each, Adjustment)
                and (not each.units or line.unit in each.units)
                and not each.unless
                and line.entry
            )
        }
        assert sorted(told) == sorted(about)
    assert rating.list == sum(Decimal(line.amount) for line in rating.lines if line.amount is not None)
