"""What is agreed with a tenant from an instant on: an event is priced by the terms of its own time."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from spendmeter.contracts.catalog import CatalogEntry, FxRate, Withdrawal
from spendmeter.contracts.entry_ids import identified
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.review.lint import lint
from tests.pricing.entries import RECORDED, price, terms, used

DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
BEFORE, AFTER = datetime(2026, 11, 30, 23, 30, tzinfo=UTC), datetime(2026, 12, 1, 0, 30, tzinfo=UTC)
MILLION = {"input_tokens": 1_000_000}
LIST = price("m", "input_tokens", "2")
DEAL = price("m", "input_tokens", "1", layer="contract", contract="deal", kind="contracted")
RATE = identified(
    FxRate(base="USD", quote="EUR", rate="0.9", effective_from=datetime(2026, 11, 1, tzinfo=UTC), source="t",
           recorded_at=RECORDED)
)  # fmt: skip
EUROS = terms("acme", currency="EUR", time_zone="Europe/Berlin", contracts=("deal",), effective_from=DECEMBER)
BOOK = PriceBook([LIST, DEAL, RATE, EUROS])


def test_an_event_is_in_the_currency_of_its_own_time_however_late_it_comes() -> None:
    events = [used("openai", "m", MILLION, at=at) for at in (AFTER, BEFORE, AFTER, BEFORE)]
    ratings = [rate(event, BOOK) for event in events]
    assert [(each.currency, each.list, each.contracted) for each in ratings] == [
        ("EUR", Decimal("1.8"), Decimal("0.9")),
        ("USD", Decimal("2"), Decimal("2")),  # the contract begins with the terms that name it
        ("EUR", Decimal("1.8"), Decimal("0.9")),
        ("USD", Decimal("2"), Decimal("2")),
    ]


def test_the_accounting_period_is_the_month_in_the_zone_of_its_own_time() -> None:
    berlin = PriceBook([LIST, terms("acme", time_zone="Europe/Berlin")])
    assert rate(used("openai", "m", MILLION, at=BEFORE), berlin).accounting_period == date(2026, 12, 1)
    assert rate(used("openai", "m", MILLION, at=BEFORE), BOOK).accounting_period == date(2026, 11, 1)
    assert rate(used("openai", "m", MILLION, at=AFTER), BOOK).accounting_period == date(2026, 12, 1)
    assert rate(used("openai", "m", MILLION, at=BEFORE, tenant="globex"), BOOK).accounting_period == date(
        2026, 11, 1
    )


def test_terms_end_where_the_next_begin() -> None:
    back = terms("acme", effective_from=datetime(2027, 1, 1, tzinfo=UTC))
    book = PriceBook([LIST, DEAL, RATE, EUROS, back])
    in_january = rate(used("openai", "m", MILLION, at=datetime(2027, 1, 5, tzinfo=UTC)), book)
    assert (in_january.currency, in_january.contracted) == ("USD", Decimal("2"))


def test_a_contract_of_any_of_the_terms_is_the_tenants_to_read() -> None:
    assert BOOK.agreement("acme").contracts == {"deal"}
    assert BOOK.agreement("globex").contracts == frozenset()


REFUSED: list[tuple[list[CatalogEntry], str]] = [
    (
        [EUROS, terms("acme", currency="GBP", effective_from=DECEMBER)],
        "both the TenantTerms of acme, 2026-12-01",
    ),
    ([terms("acme", time_zone="Mars/Olympus")], "terms of acme: 'No time zone found with key Mars/Olympus'"),
]


@pytest.mark.parametrize(("entries", "reason"), REFUSED)
def test_terms_that_cannot_be_are_refused(entries: list[CatalogEntry], reason: str) -> None:
    with pytest.raises(CatalogError, match=reason):
        PriceBook(entries)


def test_new_terms_say_from_when_what_becomes_what() -> None:
    (found,) = lint([LIST, DEAL, RATE], [LIST, DEAL, RATE, EUROS])
    assert (found.rule, found.severity) == ("terms", "confirm")
    assert found.message == (
        "terms of acme from 2026-12-01T00:00:00+00:00: currency 'USD' becomes 'EUR'; time_zone 'UTC' becomes "
        "'Europe/Berlin'; contracts () becomes ('deal',)"
    )
    gone = identified(Withdrawal(entries=(EUROS.id,), source="t", recorded_at=RECORDED))
    (found,) = lint([LIST, DEAL, RATE, EUROS], [LIST, DEAL, RATE, EUROS, gone])
    assert "currency 'EUR' becomes 'USD'" in found.message
