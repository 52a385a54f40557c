"""A tenant's currency and calendar through time: no hour in two periods, none in none, no period in two currencies."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from spendmeter import contracts
from spendmeter.contracts.catalog import TenantTerms
from spendmeter.contracts.entry_ids import entry_id
from spendmeter.contracts.periods import PERIODS, Period, period_bounds
from spendmeter.contracts.rated import RatedUsage, decode_rated
from spendmeter.contracts.terms import FOR_EVER, SINCE_EVER, Terms, Timeline, changes_at

BERLIN, NEW_YORK, UTC_ZONE = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("UTC")
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
BERLINS_DECEMBER = datetime(2026, 11, 30, 23, tzinfo=UTC)
EAST = Timeline([(DECEMBER, Terms(currency="EUR", zone=BERLIN))])
"""US dollars and UTC, then euros and Berlin."""
WEST = Timeline([(None, Terms(currency="EUR", zone=BERLIN)), (BERLINS_DECEMBER, Terms(zone=NEW_YORK))])


def at(text: str) -> datetime:
    return datetime.fromisoformat(text + "Z")


def test_who_stated_nothing_counts_in_dollars_and_utc() -> None:
    assert Timeline().at(DECEMBER) == Terms(currency="USD", zone=UTC_ZONE)
    assert (Timeline().stretches[0].start, Timeline().stretches[0].end) == (SINCE_EVER, FOR_EVER)


def test_terms_hold_from_their_instant_until_the_next_and_the_defaults_before_the_first() -> None:
    assert EAST.at(DECEMBER - timedelta(microseconds=1)).currency == "USD"
    assert EAST.at(DECEMBER).currency == "EUR"


def test_a_move_to_the_east_makes_the_first_new_periods_shorter_by_the_hours_between_the_zones() -> None:
    assert EAST.bounds("day", at("2026-12-01T05:00")) == (DECEMBER, at("2026-12-01T23:00"))
    assert EAST.bounds("month", at("2026-12-20T05:00")) == (DECEMBER, at("2026-12-31T23:00"))
    assert EAST.bounds("month", at("2026-11-30T23:30")) == (at("2026-11-01T00:00"), DECEMBER)


def test_a_move_to_the_west_makes_the_first_new_periods_longer_by_the_hours_between_the_zones() -> None:
    # Berlin's December begins at 23:00 UTC, New York's six hours later: those six are New York's December, too.
    assert WEST.bounds("day", at("2026-12-01T01:00")) == (BERLINS_DECEMBER, at("2026-12-02T05:00"))
    assert WEST.bounds("month", at("2026-12-01T01:00")) == (BERLINS_DECEMBER, at("2027-01-01T05:00"))
    assert WEST.month(at("2026-12-01T01:00")) == date(2026, 12, 1)
    assert WEST.month(at("2026-11-30T22:59")) == date(2026, 11, 1)


def test_a_week_that_runs_over_the_change_is_cut_into_two() -> None:
    # Tuesday 1 December: one day of the old week, six of the new one.
    assert EAST.bounds("week", at("2026-11-30T12:00")) == (at("2026-11-30T00:00"), DECEMBER)
    assert EAST.bounds("week", DECEMBER) == (DECEMBER, at("2026-12-06T23:00"))


@pytest.mark.parametrize("timeline", [EAST, WEST])
@pytest.mark.parametrize("period", PERIODS)
def test_periods_follow_one_another_without_a_gap_or_an_overlap(timeline: Timeline, period: Period) -> None:
    start = timeline.bounds(period, at("2026-11-20T10:00"))[0]
    while start < at("2027-02-01T00:00"):
        here, end = timeline.bounds(period, start)
        assert here == start < end
        for inside in (start, end - timedelta(microseconds=1)):
            assert timeline.bounds(period, inside) == (start, end)
            assert timeline.at(inside) == timeline.at(start), "one period, one currency"
        start = end


def test_a_new_contract_cuts_no_period() -> None:
    timeline = Timeline([(None, Terms()), (at("2026-11-23T09:30"), Terms())])
    assert timeline == Timeline()
    assert timeline.bounds("day", at("2026-11-23T09:00")) == (at("2026-11-23T00:00"), at("2026-11-24T00:00"))


def test_weeks_begin_on_the_tenants_day_and_quarters_in_its_fiscal_year() -> None:
    sundays = Timeline([(None, Terms(first_weekday=7, fiscal_start_month=2))])
    assert sundays.bounds("week", at("2026-11-25T00:00")) == (at("2026-11-22T00:00"), at("2026-11-29T00:00"))
    assert sundays.bounds("quarter", at("2026-12-25T00:00")) == (
        at("2026-11-01T00:00"),
        at("2027-02-01T00:00"),
    )
    assert period_bounds("week", at("2026-11-22T12:00"), UTC_ZONE)[0] == at("2026-11-16T00:00")


def test_terms_may_change_where_the_months_of_the_zone_before_begin() -> None:
    assert changes_at(Timeline([(None, Terms(zone=BERLIN))]), at("2027-02-10T00:00")) == [
        at("2027-02-28T23:00"), at("2027-03-31T22:00"), at("2027-04-30T22:00"),
    ]  # fmt: skip
    assert changes_at(EAST, DECEMBER, 1) == [at("2026-12-31T23:00")]


def test_terms_as_they_were_stated_before_they_had_dates_keep_their_ids() -> None:
    said = {"source": "spendmeter tenants", "recorded_at": DECEMBER}
    undated = TenantTerms(tenant="acme", currency="EUR", time_zone="Europe/Berlin", **said)
    assert entry_id(undated) == "x444s2htm3rji"
    assert entry_id(undated) != entry_id(
        TenantTerms(tenant="acme", currency="EUR", time_zone="Europe/Berlin", effective_from=DECEMBER, **said)
    )


def test_a_rated_record_from_before_accounting_periods_is_still_read() -> None:
    example = json.loads(Path(contracts.__path__[0], "examples", "rated.priced.json").read_text("utf-8"))
    assert example.pop("accounting_period") == "2026-11-01"
    old = decode_rated(json.dumps(example).encode())
    assert isinstance(old, RatedUsage) and old.accounting_period is None


def test_the_months_start_of_the_west_that_was_just_moved_to_is_none_of_its_own() -> None:
    # New York's calendar begins December at 05:00 UTC; the tenant's December began with Berlin's.
    assert changes_at(WEST, at("2026-12-01T01:00"), 1) == [at("2027-01-01T05:00")]
