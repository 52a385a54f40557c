"""What accrues, by hand: whole costs to the last digit, months of the calendar, clocks that move."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from spendmeter.contracts.corrections import EventCorrection
from spendmeter.contracts.merge_patch import merged
from spendmeter.pricing.accruals import hours as hours_module
from spendmeter.pricing.accruals.asset import HOUR, Asset, AssetKind, AssetRevision, standings
from spendmeter.pricing.accruals.checks import troubles
from spendmeter.pricing.accruals.hours import AccrualPart, AssetHours, hours_within, split
from spendmeter.pricing.accruals.sent import AssetEvents, at, hours_due, slots_of

D = Decimal
LAPTOP = {"cost": "2400", "months": 36}
SEATS = {"seats": 10, "price_per_seat_month": "30"}


def asset(
    kind: AssetKind,
    terms: dict[str, Any],
    *later: dict[str, Any],
    starts: str = "2026-01-01",
    zone: str = "UTC",
) -> Asset:
    """An asset and what was said of it later: {"from": ..., "recorded": first hour that knew, **change}."""
    found = Asset(
        tenant="acme",
        id="a-1",
        kind=kind,
        currency="USD",
        zone=ZoneInfo(zone),
        starts_on=date.fromisoformat(starts),
        accrue_from=datetime(2000, 1, 1, tzinfo=UTC),
        revisions=(),
    )
    first = {"name": "x", "provider": "lenovo", "sku": "x1", "cost_class": "hardware"} | terms
    said = [_revision(1, found.starts_at, found.starts_at, first)]
    for number, each in enumerate(later, start=2):
        since, recorded = _at(each.pop("from")), each.pop("recorded", None)
        said.append(_revision(number, since, _at(recorded) if recorded else since, each))
    return msgspec.structs.replace(found, revisions=tuple(said))


def _revision(number: int, since: datetime, first_hour: datetime, change: dict[str, Any]) -> AssetRevision:
    return AssetRevision(
        number=number,
        effective_from=since,
        first_hour=first_hour,
        recorded_at=first_hour,
        change=change,
        author="key k1",
        reason="because",
    )


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def by_label(found: Asset, since: str, until: str, name: str = "team") -> dict[str, Decimal]:
    """What accrues in [since, until) of each team, hour by hour."""
    hours = AssetHours(found, found.revisions, _at(until))
    sums: dict[str, Decimal] = {}
    for hour in hours_within(found, _at(since), _at(until)):
        for part in hours.parts(hour):
            key = part.labels.get(name, "")
            sums[key] = sums.get(key, D(0)) + part.amount
    return sums


def test_a_laptop_of_2400_over_36_months_accrues_to_exactly_2400() -> None:
    sums = by_label(asset("hardware", LAPTOP), "2026-01-01", "2030-01-01")
    assert sums == {"": D(2400)}


def test_an_hour_is_the_cost_over_all_hours_of_its_life() -> None:
    # 2026, 2027 and 2028 (a leap year) have 1,096 days, 26,304 hours: 2,400 / 26,304 = 0.091240875912...
    first, *_ = AssetHours(
        asset("hardware", LAPTOP), asset("hardware", LAPTOP).revisions, _at("2026-02-01")
    ).parts(_at("2026-01-01"))
    assert first.amount == D("0.091240875912")
    assert (first.unit, first.quantity) == ("asset_hours", D(1))


def test_what_it_is_still_worth_in_the_end_does_not_accrue() -> None:
    assert by_label(asset("hardware", LAPTOP | {"salvage": "300.01"}), "2026-01-01", "2030-01-01") == {
        "": D("2099.99")
    }


def test_a_reassignment_in_the_middle_of_its_life_splits_the_cost_exactly() -> None:
    # Of 1,096 days the first 274 belong to search: 2,400 x 274 / 1,096 = 600.
    day_274 = (_at("2026-01-01") + timedelta(days=274)).isoformat()[:19]
    moved = asset(
        "hardware",
        LAPTOP | {"labels": {"team": "search"}},
        {"from": day_274, "labels": {"team": "payments"}},
    )
    assert by_label(moved, "2026-01-01", "2029-01-01") == {"search": D(600), "payments": D(1800)}


def test_a_cost_that_changes_is_spread_over_what_is_left_of_its_life() -> None:
    # 600 after 274 days; the other 2,200 of 2,800 over the 822 days that are left.
    day_274 = (_at("2026-01-01") + timedelta(days=274)).isoformat()[:19]
    dearer = asset("hardware", LAPTOP, {"from": day_274, "cost": "2800", "labels": {"team": "late"}})
    assert by_label(dearer, "2026-01-01", "2029-01-01") == {"": D(600), "late": D(2200)}


def test_a_retired_asset_writes_the_rest_off_in_that_hour() -> None:
    # 600 of 2,400 after 274 days; sold for 500: the other 1,300 at once, and nothing after.
    day_274 = (_at("2026-01-01") + timedelta(days=274)).isoformat()[:19]
    sold = asset("hardware", LAPTOP, {"from": day_274, "retired": True, "proceeds": "500"})
    hours = AssetHours(sold, sold.revisions, _at("2029-01-01"))
    assert [part.amount for part in hours.parts(_at(day_274))] == [D(1300)]
    assert hours.parts(_at(day_274) + HOUR) == []
    assert by_label(sold, "2026-01-01", "2029-01-01") == {"": D(1900)}


def test_whoever_says_less_than_has_accrued_already_is_told() -> None:
    cheap = asset("hardware", LAPTOP, {"from": "2027-01-01", "cost": "700"})
    assert [field for field, _ in troubles(cheap, standings(cheap.revisions))] == ["cost"]


def test_whoever_shortens_a_life_that_is_over_by_then_is_told() -> None:
    short = asset("hardware", LAPTOP, {"from": "2027-01-01", "months": 10})
    assert [reason.split(":")[0] for _, reason in troubles(short, standings(short.revisions))] == [
        "its life is over by then, and not all of it has accrued"
    ]
    earlier = asset("hardware", LAPTOP, {"from": "2026-02-01", "months": 10})
    assert troubles(earlier, standings(earlier.revisions)) == []
    assert by_label(earlier, "2026-01-01", "2029-01-01") == {"": D(2400)}


def test_what_is_retired_without_a_word_of_its_proceeds_is_worth_what_it_was_thought_to_be() -> None:
    gone = asset("hardware", LAPTOP | {"salvage": "300"}, {"from": "2027-01-01", "retired": True})
    assert by_label(gone, "2026-01-01", "2029-01-01") == {"": D(2100)}


@pytest.mark.parametrize("kind", ["hardware", "licence", "labour"])
def test_what_is_shown_of_owners_is_what_their_hours_come_to(kind: AssetKind) -> None:
    terms = {
        "hardware": {"cost": "100", "months": 1},
        "licence": SEATS,
        "labour": {"rate_per_hour": "33.33", "hours_per_week": "7"},
    }[kind]
    shares = [{"labels": {"team": "a"}, "weight": 1}, {"labels": {"team": "b"}, "weight": 2}]
    found = asset(kind, terms | {"assigned": shares}, {"from": "2026-01-09", "assigned": shares[1:]})
    shown = AssetHours(found, found.revisions, _at("2026-01-20")).by_owner(
        _at("2026-01-02"), _at("2026-01-20")
    )
    sums = {labels.get("team", ""): amount for labels, _, amount in shown}
    assert sums == by_label(found, "2026-01-02", "2026-01-20")
    assert {idle for _, idle, _ in shown} == ({False, True} if kind == "licence" else {False})


def test_hours_of_the_same_amount_are_split_among_their_owners_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """36 months of a hundred owners: 26,304 hours, of amounts that differ by the last digit alone."""
    splits = []

    def counted(whole: Decimal, weights: Sequence[int]) -> list[Decimal]:
        splits.append(whole)
        return split(whole, weights)

    monkeypatch.setattr(hours_module, "split", counted)
    shares = [{"labels": {"team": f"t{place}"}, "weight": 1} for place in range(100)]
    laptop = asset("hardware", LAPTOP | {"assigned": shares})
    owners = AssetHours(laptop, laptop.revisions, _at("2029-01-01")).by_owner(
        _at("2026-01-01"), _at("2029-01-01")
    )
    # 2,400 over 26,304 hours: 0.0912408759124..., so hours of 0.091240875912 and of 0.091240875913.
    assert sorted(splits) == [D("0.091240875912"), D("0.091240875913")]
    # 2,400 x 10^12 units less 26,304 x 91,240,875,912 units are the 10,752 hours that have one unit more. Of the 912 units
    # that a hundred equal owners leave over, the first 12 have one more each, of 913 the first 13.
    assert [amount for *_, amount in owners[:14]] == [
        *[D("0.000912408760") * 26_304] * 12,
        D("0.000912408759") * 26_304 + 10_752 * D("1E-12"),
        D("0.000912408759") * 26_304,
    ]
    assert sum(amount for *_, amount in owners) == D(2400)


@pytest.mark.parametrize(
    ("starts", "ends"),
    [
        ("2026-01-31", "2026-02-28"),
        ("2028-01-31", "2028-02-29"),
        ("2027-11-30", "2027-12-30"),
        ("2026-12-15", "2027-01-15"),
    ],
)
def test_a_month_from_the_last_of_a_month_ends_on_the_last_of_the_next(starts: str, ends: str) -> None:
    lasting = asset("hardware", {"cost": "31", "months": 1}, starts=starts)
    assert AssetHours(lasting, lasting.revisions, _at("2029-01-01")).over_at == _at(ends)


@pytest.mark.parametrize(
    ("month", "after", "hours"), [("2026-02-01", "2026-03-01", 672), ("2028-02-01", "2028-03-01", 696)]
)
def test_a_seat_costs_its_price_in_february_too(month: str, after: str, hours: int) -> None:
    # 10 seats at 30: 300 a month; 7 of them assigned: 210, and 90 idle.
    assigned = [{"labels": {"team": "search"}, "weight": 4}, {"labels": {"team": "core"}, "weight": 3}]
    licence = asset("licence", SEATS | {"assigned": assigned, "labels": {"team": "it"}})
    assert len(list(hours_within(licence, _at(month), _at(after)))) == hours
    assert by_label(licence, month, after) == {"search": D(120), "core": D(90), "it": D(90)}


def test_idle_seats_have_a_sku_of_their_own() -> None:
    licence = asset("licence", SEATS | {"assigned": [{"labels": {"team": "search"}, "weight": 7}]})
    parts = AssetHours(licence, licence.revisions, _at("2026-02-01")).parts(_at("2026-01-05T10:00:00"))
    # January has 744 hours; the 107th: 210 x 107 / 744 - 210 x 106 / 744, and 90 x 107 / 744 - 90 x 106 / 744.
    assert [(part.slot, part.sku, part.quantity) for part in parts] == [
        ("0", "x1", D(7)),
        ("idle", "x1:idle", D(3)),
    ]
    assert [part.amount for part in parts] == [D("0.282258064516"), D("0.120967741936")]


def test_a_seat_more_from_the_sixteenth_costs_its_half_of_april() -> None:
    # April has 30 days: 10 seats for 15 of them (150), 12 for the other 15 (180).
    licence = asset("licence", SEATS, {"from": "2026-04-16", "seats": 12})
    assert by_label(licence, "2026-04-01", "2026-05-01") == {"": D(330)}


@pytest.mark.parametrize(
    ("month", "after", "hours"), [("2026-03-01", "2026-04-01", 743), ("2026-10-01", "2026-11-01", 745)]
)
def test_a_month_whose_clock_moves_costs_what_others_do(month: str, after: str, hours: int) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    licence = asset("licence", SEATS, zone="Europe/Berlin")
    since, until = (datetime.fromisoformat(day).replace(tzinfo=berlin) for day in (month, after))
    found = list(hours_within(licence, since, until))
    assert len(found) == hours == len({at(licence, hour) for hour in found})
    counted = AssetHours(licence, licence.revisions, until + timedelta(days=1))
    assert sum(part.amount for hour in found for part in counted.parts(hour)) == D(300)


def test_where_days_begin_at_half_past_their_hours_do_too() -> None:
    kolkata = asset("licence", SEATS, zone="Asia/Kolkata")
    assert kolkata.starts_at == _at("2025-12-31T18:30:00")
    january = hours_within(kolkata, _at("2025-12-31T18:30:00"), _at("2026-01-31T18:30:00"))
    counted = AssetHours(kolkata, kolkata.revisions, _at("2026-03-01"))
    assert sum(part.amount for hour in january for part in counted.parts(hour)) == D(300)


def test_a_week_of_work_is_its_hours_times_the_rate() -> None:
    # Monday 2026-03-02 to Sunday: 20 hours at 45.50 = 910.
    reviewer = asset("labour", {"rate_per_hour": "45.50", "hours_per_week": "20"}, starts="2026-03-02")
    assert by_label(reviewer, "2026-03-02", "2026-03-09") == {"": D(910)}
    counted = AssetHours(reviewer, reviewer.revisions, _at("2026-04-01"))
    week = [
        part.quantity
        for hour in hours_within(reviewer, _at("2026-03-02"), _at("2026-03-09"))
        for part in counted.parts(hour)
    ]
    assert (len(week), sum(week)) == (168, D(20))


def test_a_commitment_is_spread_over_its_period() -> None:
    # 1,000 over one day: the hours cannot be equal, and add up all the same.
    bought = asset("commitment", {"cost": "1000", "ends_on": "2026-01-02", "capacity": "3"})
    counted = AssetHours(bought, bought.revisions, _at("2026-02-01"))
    parts = [
        part
        for hour in hours_within(bought, _at("2026-01-01"), _at("2026-02-01"))
        for part in counted.parts(hour)
    ]
    assert (len(parts), sum(part.amount for part in parts), parts[0].quantity) == (24, D(1000), D(3))
    assert {str(part.amount)[:9] for part in parts} == {"41.666666"}


def test_parts_by_weight_add_up_and_the_first_of_equals_gets_the_digit() -> None:
    assert split(D(1), [1, 1, 1]) == [D("0.333333333334"), D("0.333333333333"), D("0.333333333333")]


@given(
    total=st.decimals(min_value=0, max_value=10**9, places=12),
    weights=st.lists(st.integers(1, 10**6), min_size=1, max_size=20),
)
def test_parts_always_add_up(total: Decimal, weights: list[int]) -> None:
    parts = split(total, weights)
    assert sum(parts) == total
    assert all(part >= 0 for part in parts)


@given(
    cost=st.decimals(min_value=1, max_value=10**6, places=2),
    months=st.integers(1, 48),
    day=st.dates(date(2025, 1, 1), date(2028, 12, 31)),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
    moved=st.integers(1, 20_000),
)
def test_whatever_it_cost_and_whenever_it_moved_it_accrues_to_its_cost(
    cost: Decimal, months: int, day: date, zone: str, moved: int
) -> None:
    found = asset("hardware", {"cost": str(cost), "months": months}, starts=day.isoformat(), zone=zone)
    since = found.starts_at + moved * HOUR
    found = msgspec.structs.replace(
        found, revisions=(*found.revisions, _revision(2, since, since, {"salvage": "0.5"}))
    )
    assume(not troubles(found, standings(found.revisions)))
    counted = AssetHours(found, found.revisions, since)
    assert counted.over_at is not None
    accrued = counted.money.within(found.starts_at, counted.over_at + HOUR)
    assert accrued == (cost - D("0.5") if since < counted.over_at else cost)


class TestSent:
    """Events and amends."""

    def test_an_event_names_asset_and_hour_and_no_revision(self) -> None:
        laptop = asset("hardware", LAPTOP | {"labels": {"team": "search", "cost_centre": "4711"}})
        (event,) = AssetEvents(laptop, _at("2026-02-01")).first([_at("2026-01-05T10:00:00")])
        assert (event["source"], event["id"], event["tenant"]) == ("asset:a-1", "2026-01-05T10:00Z", "acme")
        assert event["time"].startswith("2026-01-05T10:")
        assert event["data"] == {
            "provider": "lenovo",
            "sku": "x1",
            "cost_class": "hardware",
            "cadence": "accrual",
            "usage": {"asset_hours": "1"},
            "labels": {"team": "search", "own": {"cost_centre": "4711"}},
            "reported_cost": {"amount": event["data"]["reported_cost"]["amount"], "currency": "USD"},
        }

    def test_the_hour_is_due_at_its_own_minute_and_what_was_missed_is_due_oldest_first(self) -> None:
        laptop = asset("hardware", LAPTOP)
        ten = _at("2026-01-05T10:00:00")
        due = at(laptop, ten)
        over = AssetHours(laptop, laptop.revisions, ten).over_at
        assert hours_due(laptop, ten, over, due - timedelta(seconds=1), 100) == []
        assert hours_due(laptop, ten, over, due, 100) == [ten]
        assert hours_due(laptop, ten, over, due + 3 * HOUR, 2) == [ten, ten + HOUR]
        assert hours_due(laptop, ten, over, due - 5 * HOUR, 100) == []  # a clock that steps back

    def test_what_was_sent_before_a_change_was_recorded_says_the_same_whoever_works_it_out_later(
        self,
    ) -> None:
        laptop = asset("hardware", LAPTOP)
        changed = asset(
            "hardware", LAPTOP, {"from": "2026-01-03", "recorded": "2026-01-05", "labels": {"team": "late"}}
        )
        hours = list(hours_within(laptop, _at("2026-01-02"), _at("2026-01-05")))
        before, after = (
            list(AssetEvents(each, _at("2026-02-01")).first(hours)) for each in (laptop, changed)
        )
        assert before == after

    def test_a_back_dated_reassignment_amends_just_the_hours_that_were_sent(self) -> None:
        laptop = asset(
            "hardware",
            LAPTOP | {"labels": {"team": "search"}},
            {"from": "2026-01-03", "recorded": "2026-01-05", "labels": {"project": "x"}},
        )
        events = AssetEvents(laptop, _at("2026-02-01"))
        hours = list(hours_within(laptop, _at("2026-01-03"), _at("2026-01-05")))
        new, amends = events.amended(laptop.revisions[1], hours)
        assert (len(new), len(amends)) == (0, 48)
        assert patch_of(amends[0])["labels"] == {"team": None, "project": "x"}
        again = events.amended(laptop.revisions[1], hours)[1]
        assert [each.id for each in again] == [each.id for each in amends]
        (next_event,) = events.first([_at("2026-01-05")])
        assert next_event["data"]["labels"] == {"project": "x"}

    def test_after_amends_the_hours_add_up_to_the_new_cost(self) -> None:
        # It did cost 2,000: set right from the beginning on after a month of hours, then sold.
        laptop = asset(
            "hardware",
            LAPTOP | {"months": 2},
            {"from": "2026-01-01", "recorded": "2026-02-01", "cost": "2000"},
            {"from": "2026-02-10", "recorded": "2026-02-10", "retired": True},
        )
        assert booked(laptop, _at("2026-03-01")) == {"": D(2000)}

    def test_seats_that_a_back_dated_change_adds_and_takes_away_add_up(self) -> None:
        # January: 10 seats at 30. Said on the 11th: from the 1st on search had 4 of them. On the 21st: nobody had any.
        said = {"assigned": [{"labels": {"team": "search"}, "weight": 4}]}
        licence = asset(
            "licence",
            SEATS,
            {"from": "2026-01-01", "recorded": "2026-01-11", **said},
            {"from": "2026-01-01", "recorded": "2026-01-21", "assigned": [], "labels": {"team": "it"}},
        )
        events = AssetEvents(licence, _at("2026-02-01"))
        hours = list(hours_within(licence, _at("2026-01-01"), _at("2026-01-11")))
        new, amends = events.amended(licence.revisions[1], hours)
        assert (len(new), len(amends)) == (240, 240)  # search's part is new, the idle one is smaller
        assert slots_of(licence) == ["0", "idle"]
        assert booked(licence, _at("2026-02-01")) == {"it": D(300), "search": D(0)}


def patch_of(correction: EventCorrection) -> dict[str, Any]:
    return dict(msgspec.json.decode(bytes(correction.patch)))  # type: ignore[arg-type]


def booked(found: Asset, until: datetime) -> dict[str, Decimal]:
    """What a book says by team that took every event and then every amend, as the corrector does."""
    events = AssetEvents(found, until)
    book = {each["id"]: each["data"] for each in events.first(hours_within(found, found.starts_at, until))}
    now = dict(book)
    for revision in found.revisions[1:]:
        if revision.back_dated:
            hours = list(hours_within(found, revision.effective_from, revision.first_hour))
            new, amends = events.amended(revision, hours)
            book |= {each["id"]: each["data"] for each in new}
            now |= {each["id"]: each["data"] for each in new}
            for amend in amends:
                now[amend.event_id] = merged(book[amend.event_id], patch_of(amend))
    sums: dict[str, Decimal] = {}
    for data in now.values():
        team = data["labels"].get("team", "")
        sums[team] = sums.get(team, D(0)) + D(data["reported_cost"]["amount"])
    return sums


def test_an_emptied_part_says_nothing_of_money() -> None:
    licence = asset("licence", SEATS)
    part: AccrualPart = AssetHours(licence, licence.revisions, _at("2026-02-01")).parts(_at("2026-01-01"))[0]
    assert (part.emptied().amount, part.emptied().quantity) == (D(0), D(0))


CHANGES = st.sampled_from(
    [
        {"labels": {"team": "a"}},
        {"labels": {"team": "b", "cost_centre": "7"}},
        {"labels": {}},
        {"cost": "150"},
        {"cost": "90.01"},
        {"assigned": [{"labels": {"team": "c"}, "weight": 1}, {"labels": {"team": "d"}, "weight": 2}]},
        {"assigned": []},
        {"sku": "other"},
        {"retired": True, "proceeds": "10"},
    ]
)
LIFE_HOURS = 48
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 20), st.booleans()),
        st.tuples(st.just("say"), st.integers(0, LIFE_HOURS - 1), CHANGES),
    ),
    max_size=12,
)


@given(steps=STEPS)
def test_whatever_is_said_when_and_whoever_dies_the_book_ends_as_the_register_says(
    steps: list[tuple[str, int, Any]],
) -> None:
    """Hours are claimed, sent (and sometimes the sender dies before it says so) while changes of any date come in."""
    found = asset("commitment", {"cost": "100", "ends_on": "2026-01-03"})
    start, book = found.starts_at, dict[str, dict[str, Any]]()
    sent = claimed = 0

    def send(hours: int) -> None:
        until = min(sent + hours, LIFE_HOURS)
        events = AssetEvents(found, start + LIFE_HOURS * HOUR)
        for event in events.first(start + place * HOUR for place in range(sent, until)):
            assert book.setdefault(event["id"], event["data"]) == event["data"], "one id, two contents"

    for kind, number, more in steps:
        if kind == "send":
            send(number)
            claimed = max(claimed, min(sent + number, LIFE_HOURS))
            sent = sent if more else min(sent + number, LIFE_HOURS)
        else:
            said = _revision(
                len(found.revisions) + 1, start + number * HOUR, start + claimed * HOUR, dict(more)
            )
            after = msgspec.structs.replace(found, revisions=(*found.revisions, said))
            over = AssetHours(found, found.revisions, start).over_at
            if (
                over is not None
                and said.effective_from < over
                and not troubles(after, standings(after.revisions))
            ):
                found = after
    send(LIFE_HOURS)
    now, events = dict(book), AssetEvents(found, start + LIFE_HOURS * HOUR)
    for said in found.revisions:
        if said.back_dated:
            new, amends = events.amended(said, hours_within(found, said.effective_from, said.first_hour))
            for event in new:
                assert event["id"] not in book
                book[event["id"]] = now[event["id"]] = event["data"]
            for amend in amends:
                now[amend.event_id] = merged(book[amend.event_id], patch_of(amend))
    sums: dict[str, Decimal] = {}
    for data in now.values():
        team = data["labels"].get("team", "")
        sums[team] = sums.get(team, D(0)) + D(data["reported_cost"]["amount"])
    assert {team: amount for team, amount in sums.items() if amount} == by_label(
        found, "2026-01-01", "2026-01-04"
    )
    last = AssetHours(found, found.revisions, start).standings[-1].terms
    assert sum(sums.values()) == D(last.cost or 0) - (D(10) if last.retired else 0)
