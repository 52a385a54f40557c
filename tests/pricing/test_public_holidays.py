"""Calendars with a country's public holidays: dates when the file is read, and the shipped dates held to them."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import holidays
import pytest

from spendmeter.contracts.catalog import CalendarEntry
from spendmeter.pricing.catalog import load_snapshot
from spendmeter.pricing.catalog.read import read_prices
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import used

FILE = """
source = "https://tide.example/prices"
recorded_at = 2026-11-26T00:00:00Z

[[calendar]]
name = "tide"
time_zone = "Europe/Berlin"
country = "DE"
subdivision = "BY"
years = [2026]
holidays = ["2026-12-24"]

[[model]]
provider = "tide"
sku = "tide-2"
rates = [
  { prices = { input_tokens = "1" } },
  { when = { calendar = "tide", windows = [{ days = [1, 2, 3, 4, 5] }] }, prices = { input_tokens = "2" } },
]
"""


def calendar(text: str) -> CalendarEntry:
    return next(entry for entry in read_prices("a.toml", text.encode()) if isinstance(entry, CalendarEntry))


def test_a_countrys_holidays_become_dates_beside_the_files_own() -> None:
    read = calendar(FILE)
    assert {"2026-01-06", "2026-06-04", "2026-12-24", "2026-12-25"} <= {
        *read.holidays
    }  # Epiphany, Corpus Christi
    assert list(read.holidays) == sorted(read.holidays)
    assert {day[:4] for day in read.holidays} == {"2026"}
    assert read.note == f"public holidays of DE BY in 2026: holidays {holidays.__version__}"
    north = calendar(FILE.replace('subdivision = "BY"\n', ""))
    assert "2026-01-06" not in north.holidays


def test_the_entry_says_no_more_than_if_the_dates_had_been_written_down() -> None:
    read = calendar(FILE)
    dates = ", ".join(f'"{day}"' for day in read.holidays)
    written = FILE.replace('country = "DE"\nsubdivision = "BY"\nyears = [2026]\nholidays = ["2026-12-24"]', f"holidays = [{dates}]")  # fmt: skip
    assert calendar(written).id == read.id


def test_a_holiday_is_no_peak() -> None:
    book = PriceBook(read_prices("a.toml", FILE.encode()))
    for day, cost in (
        ("2026-12-23", 2),
        ("2026-12-24", 1),
        ("2026-12-25", 1),
        ("2026-12-26", 1),
        ("2026-12-28", 2),
    ):
        at = datetime.fromisoformat(f"{day}T12:00:00Z")
        assert rate(used("tide", "tide-2", {"input_tokens": 1_000_000}, at=at), book).list == cost


@pytest.mark.parametrize(
    ("was", "becomes", "reason"),
    [
        ('"DE"', '"ZZ"', r"calendar\[0\]: nothing is known of the public holidays of 'ZZ BY'"),
        ('"BY"', '"XX"', "nothing is known of the public holidays of 'DE XX'"),
        ('"DE"', '"Germany"', "country"),
        ("years = [2026]", "", "missing required field `years`"),
        ("years = [2026]", "years = []", "years"),
        ("[2026]", "[1492]", "years"),
        ("[2026]", f"{[*range(2000, 2021)]}", "years"),
        ('country = "DE"\n', "", "missing required field `country`"),
        (
            "time_zone",
            "zone",
            r"did you mean time_zone\? allowed are .*holidays, country, subdivision, years",
        ),
    ],
)
def test_what_is_not_understood_is_refused_with_its_place(was: str, becomes: str, reason: str) -> None:
    assert was in FILE
    with pytest.raises(CatalogError, match=reason):
        calendar(FILE.replace(was, becomes))


def test_the_shipped_dates_of_chinas_holidays_are_those_that_the_package_knows() -> None:
    """Of the days on which there are peak hours, Monday to Friday, since the first of them."""
    (shipped,) = [
        e for e in load_snapshot("deepseek") if isinstance(e, CalendarEntry) and e.name == "deepseek"
    ]
    known = holidays.country_holidays("CN", years=[2026, 2027])
    day, last = date(2026, 8, 17), date(2027, 12, 31)
    while day <= last:
        if day.isoweekday() <= 5:
            assert (str(day) in shipped.holidays) == (day in known), day
        day += timedelta(days=1)


def test_who_reads_no_such_file_does_not_wait_for_the_package() -> None:
    code = (
        "import sys; from spendmeter.pricing.catalog import load_snapshot; load_snapshot('openai'); "
        "sys.exit('holidays' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_peak_hours_begin_on_their_first_day_and_not_before() -> None:
    book = PriceBook(load_snapshot("deepseek"))
    million = {"input_tokens": 1_000_000}
    for at, cost in (
        (datetime(2026, 8, 14, 2, tzinfo=UTC), "0.435"),  # a Friday morning in Beijing, flat
        (datetime(2026, 8, 17, 2, tzinfo=UTC), "1.32"),  # the first Monday
        (datetime(2027, 2, 8, 2, tzinfo=UTC), "0.66"),  # Spring Festival, a Monday
    ):
        assert str(rate(used("deepseek", "deepseek-v4-pro", million, at=at), book).list.normalize()) == cost
