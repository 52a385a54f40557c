"""Each entry is in the currency and the month of its tenant's terms at the event's time, by the catalog alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from spendmeter.contracts import terms as contract
from spendmeter.verify.entries import LATE, Entries
from spendmeter.verify.report import CLEAN, FOUND, INCOMPLETE, Report
from spendmeter.verify.streams import BookedEntry
from spendmeter.verify.terms import TermsHistory
from spendmeter.verify.usage import identity, read
from tests.verify.conftest import NOON, WrittenBook, event
from tests.verify.test_verify import said
from tests.verify.test_walk import DIMENSIONS

DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
"""When acme goes over from USD and UTC to EUR and Berlin, in publication 2."""
FIRST_IN_EUROS = 36
"""The event of acme with which the written book goes over: NOON and 252 seconds, to the microsecond."""


def stated(tenant: str, version: int, id: str, **body: Any) -> dict[str, Any]:
    kind = "spendmeter.catalog.tenant.v1"
    said_so = json.dumps({"type": kind, "tenant": tenant, "of_tomorrow": 1} | body)
    return {"id": id, "version": version, "type": kind, "body": said_so}


def withdrawn(version: int, *ids: str) -> dict[str, Any]:
    kind = "spendmeter.catalog.withdrawal.v1"
    return {"id": "w", "version": version, "type": kind, "body": json.dumps({"type": kind, "entries": ids})}


def euros_from(begins: str, version: int = 2, id: str = "eur") -> dict[str, Any]:
    return stated("acme", version, id, effective_from=begins, currency="EUR", time_zone="Europe/Berlin")


EUROS = euros_from("2026-12-01T00:00:00Z")


def judged(time: datetime, currency: str, month: date, late_version: int | None = None) -> Report:
    """What is said of an entry of acme's, of an event of `time`, with EUROS in the catalog."""
    body = event(1) | {"tenant": "acme", "time": time.isoformat()}
    body["data"] |= {"provider": "openai", "sku": "gpt-4o", "usage": {"input_tokens": 10}}
    text, report = json.dumps(body), Report()
    row = BookedEntry(
        identity("acme", "bot", "e1"), 0, time, 0, 0, "acme", b"s", "priced", currency, "5", "5", "5", text,
        '[{"unit": "input_tokens", "entry": "x", "price": "0.5", "amount": "5"}]', month, late_version,
    )  # fmt: skip
    Entries(report=report, terms=TermsHistory([EUROS]), series={("acme", b"s"): DIMENSIONS}).judge(
        row, read(text), row.identity, text
    )
    return report


@pytest.mark.parametrize(
    ("time", "currency", "month"),
    [
        (DECEMBER - timedelta(microseconds=1), "USD", date(2026, 11, 1)),
        (DECEMBER, "EUR", date(2026, 12, 1)),
        (datetime(2026, 12, 31, 22, 59, 59, tzinfo=UTC), "EUR", date(2026, 12, 1)),
        (datetime(2026, 12, 31, 23, 0, tzinfo=UTC), "EUR", date(2027, 1, 1)),
    ],
)
def test_an_event_is_in_the_currency_and_the_local_month_of_its_instant(
    time: datetime, currency: str, month: date
) -> None:
    assert judged(time, currency, month).exit_code == CLEAN


def test_a_late_event_of_the_old_period_stays_in_it_though_it_is_december_in_berlin() -> None:
    time = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)
    assert judged(time, "USD", date(2026, 11, 1)).exit_code == CLEAN
    report = judged(time, "EUR", date(2026, 12, 1))
    assert report.named["I4a"][0].what == (
        "changed: currency is EUR, its tenant's terms say USD; "
        "accounting period is 2026-12-01, its tenant's terms say 2026-11-01"
    )


def test_a_listed_entry_is_held_against_the_terms_that_its_rater_knew() -> None:
    counted = judged(DECEMBER, "USD", date(2026, 12, 1), late_version=1)
    assert (counted.exit_code, counted.unchecked["I4a"]) == (INCOMPLETE, {LATE: 1})
    for currency, month in (("GBP", date(2026, 12, 1)), ("USD", date(2026, 11, 1))):
        assert judged(DECEMBER, currency, month, late_version=1).exit_code == FOUND


def test_terms_that_were_withdrawn_hold_never_but_held_for_the_raters_of_their_time() -> None:
    terms = TermsHistory([withdrawn(3, "eur"), EUROS, euros_from("2027-01-01T00:00:00Z", 3, "eur2")])
    assert terms.due("acme", DECEMBER).currency == "USD"
    assert terms.due("acme", datetime(2027, 1, 1, tzinfo=UTC)).currency == "EUR"
    assert terms.due_in(2, "acme", DECEMBER).currency == "EUR"
    assert terms.due("globex", DECEMBER).currency == "USD"


def test_a_move_to_the_west_at_midnight_gives_no_hour_back_to_the_month_before() -> None:
    west = stated("acme", 1, "ny", effective_from="2026-12-01T00:00:00Z", time_zone="America/New_York")
    assert TermsHistory([west]).due("acme", DECEMBER).month == date(2026, 12, 1)  # 19:00 of 30 November there


ZONES = ("UTC", "Europe/Berlin", "America/New_York", "America/Havana", "Asia/Kathmandu", "Pacific/Auckland")


def test_the_second_reader_and_the_services_put_any_instant_in_the_same_month() -> None:
    random = Random(8)
    for _ in range(100):
        starts = sorted(_instant(random) for _ in range(3))
        zones = [random.choice(ZONES) for _ in starts]
        rows = [
            stated("acme", 1, str(at), effective_from=start.isoformat(), time_zone=zone)
            for at, (start, zone) in enumerate(zip(starts, zones, strict=True))
        ]
        terms = TermsHistory(rows)
        timeline = contract.Timeline(
            (start, contract.Terms(zone=ZoneInfo(zone))) for start, zone in zip(starts, zones, strict=True)
        )
        for time in _near(starts, random):
            assert terms.due("acme", time).month == timeline.month(time), (time, starts, zones)


def _instant(random: Random) -> datetime:
    """A quarter of an hour not far from the turn of a month."""
    turn = datetime(2026, random.randrange(9, 13), 1, tzinfo=UTC)
    return turn + timedelta(minutes=15 * random.randrange(-80, 81))


def _near(starts: list[datetime], random: Random) -> Iterator[datetime]:
    for start in starts:
        yield from (start, start - timedelta(microseconds=1))
    yield from (_instant(random) for _ in range(20))


def test_each_difference_between_the_table_and_the_catalog_is_named() -> None:
    terms = TermsHistory([stated("acme", 1, "usd"), EUROS])
    usual = {"zone": "UTC", "first_weekday": 1, "fiscal_start_month": 1, "tenant": "acme", "version": 1}
    first = usual | {
        "effective_from": None, "effective_to": DECEMBER, "currency": "USD", "entry": "usd",
    }  # fmt: skip
    second = usual | {
        "effective_from": DECEMBER, "effective_to": None, "currency": "EUR", "zone": "Europe/Berlin",
        "entry": "eur", "version": 2,
    }  # fmt: skip
    assert not list(terms.differences([first, second]))
    found = list(terms.differences([second | {"currency": "GBP"}, second | {"tenant": "globex"}]))
    assert found == [
        ("the catalog has them, tenant_terms has no row", "terms of tenant 'acme' from the beginning"),
        (
            "tenant_terms says GBP, Europe/Berlin, weeks from day 1, years from month 1, until further notice "
            "(entry 'eur', version 2), the catalog EUR, Europe/Berlin, weeks from day 1, years from month 1, until "
            "further notice (entry 'eur', version 2)",
            "terms of tenant 'acme' from 2026-12-01T00:00:00+00:00",
        ),
        (
            "tenant_terms has a row, the catalog has no such terms in force",
            "terms of tenant 'globex' from 2026-12-01T00:00:00+00:00",
        ),
    ]


@pytest.fixture
async def in_euros(book: WrittenBook) -> WrittenBook:
    """The written book, with acme's events from FIRST_IN_EUROS on under terms of publication 2."""
    begins = NOON + timedelta(seconds=7 * FIRST_IN_EUROS)
    await book.state_terms("acme", None, "USD")
    await book.state_terms("acme", begins, "EUR", "Europe/Berlin", version=2)
    await book.owner.execute(
        "UPDATE entries SET currency = 'EUR', catalog_version = 2 WHERE tenant = 'acme' AND occurred_at >= $1",
        begins,
    )
    await book.recount()
    return book


async def spoil(book: WrittenBook, number: int, change: str) -> None:
    done = await book.owner.execute(f'UPDATE entries SET {change} WHERE event LIKE \'%"id": "e{number}"%\'')
    assert done == "UPDATE 1"
    await book.recount()


async def test_a_book_that_goes_over_to_another_currency_is_right_to_the_event(in_euros: WrittenBook) -> None:
    report = await in_euros.check(literals=None)
    assert not report.named
    assert not report.unchecked["I4a"]
    assert report.checked["I4a"] == 57 + 2  # the entries, and the stretches of acme


@pytest.mark.parametrize(
    ("number", "change", "what"),
    [
        (FIRST_IN_EUROS, "currency = 'USD'", "currency is USD, its tenant's terms say EUR"),
        (33, "currency = 'EUR'", "currency is EUR, its tenant's terms say USD"),
        (33, "accounting_period = '2026-12-01'", "accounting period is 2026-12-01, its tenant's terms say 2026-11-01"),
    ],
)  # fmt: skip
async def test_an_entry_that_the_owner_gave_another_currency_or_month_is_named(
    in_euros: WrittenBook, number: int, change: str, what: str
) -> None:
    await spoil(in_euros, number, change)
    report = await in_euros.check(literals=None)
    assert report.exit_code == FOUND
    assert report.found["I4a"] == sum(report.found.values()) == 1
    assert f"acme bot/e{number} (entry of 2026-11-23T12:0" in said(report, "I4a")
    assert f"changed: {what}" in said(report, "I4a")


async def test_an_entry_that_a_lagging_rater_booked_is_counted_where_the_book_lists_it(
    in_euros: WrittenBook,
) -> None:
    await spoil(in_euros, FIRST_IN_EUROS, "currency = 'USD', catalog_version = 1")
    await in_euros.owner.execute(
        "INSERT INTO late_rated (identity, occurred_at, catalog_version, tenant, origin_partition, origin_offset, "
        "other_currency) SELECT identity, occurred_at, catalog_version, tenant, origin_partition, origin_offset, "
        "true FROM entries "
        f'WHERE event LIKE \'%"id": "e{FIRST_IN_EUROS}"%\''
    )
    report = await in_euros.check(literals=None)
    assert not report.named
    assert report.unchecked["I4a"] == {LATE: 1}


async def test_a_table_of_terms_that_says_otherwise_than_the_catalog_is_named(in_euros: WrittenBook) -> None:
    await in_euros.owner.execute("UPDATE tenant_terms SET zone = 'Europe/Paris' WHERE currency = 'EUR'")
    report = await in_euros.check(literals=None)
    assert report.exit_code == FOUND
    assert "terms of tenant 'acme' from 2026-11-23T12:04:12.123000+00:00" in said(report, "I4a")
    assert "tenant_terms says EUR, Europe/Paris" in said(report, "I4a")
