"""What usage lacks to be priced: each thing that can be missing has words and a remedy of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from spendmeter.contracts.catalog import CatalogEntry, Conditions, FxRate
from spendmeter.contracts.entry_ids import identified
from spendmeter.contracts.events import Amount
from spendmeter.pricing.missing import Missing, missing
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import NOON, RECORDED, price, terms, used

IN = price("m", "input_tokens", "1")
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
EURO = terms("acme", currency="EUR")


def fx(base: str, quote: str, since: datetime) -> FxRate:
    return identified(
        FxRate(base=base, quote=quote, rate="0.9", effective_from=since, source="test", recorded_at=RECORDED)
    )


def lacks(
    *entries: CatalogEntry, usage: dict[str, int | Decimal] | None = None, **said: object
) -> list[Missing]:
    sku = str(said.pop("sku", "m"))
    return missing(used("openai", sku, usage or {"input_tokens": 5}, **said), PriceBook(entries))  # type: ignore[arg-type]


def test_what_is_priced_lacks_nothing() -> None:
    assert lacks(IN) == []


def test_a_missing_rate_is_no_missing_price() -> None:
    (found,) = lacks(IN, EURO)
    assert (found.kind, found.says, found.base, found.quote) == ("rate", "no rate USD → EUR", "USD", "EUR")
    assert found.advice == "state the rate USD → EUR, from when it is needed on; the price is known"


def test_a_rate_of_later_says_before_which_day_there_is_none() -> None:
    (found,) = lacks(IN, EURO, fx("USD", "EUR", DECEMBER))
    assert found.says == "no rate USD → EUR before 2026-12-01"
    (found,) = lacks(IN, EURO, fx("USD", "EUR", DECEMBER.replace(hour=14, minute=30)))
    assert found.says == "no rate USD → EUR before 2026-12-01 14:30:00Z"


def test_a_contract_in_a_currency_without_a_rate_lacks_that_rate() -> None:
    agreed = price(
        "m", "input_tokens", "0.8", kind="contracted", layer="contract", tenant="acme", currency="CHF"
    )
    (found,) = lacks(IN, agreed)
    assert found.says == "no rate CHF → USD"


def test_a_reported_cost_without_a_rate_lacks_that_rate_alone() -> None:
    (found,) = lacks(IN, sku="nobody-knows", reported=Amount(amount="3", currency="GBP"), trusted=True)
    assert (found.kind, found.says) == ("rate", "no rate GBP → USD")


def test_a_trusted_sender_who_reports_no_cost_lacks_the_name_of_a_model_as_anybody() -> None:
    (found,) = lacks(IN, sku="nobody-knows", trusted=True)
    assert (found.kind, found.unit) == ("model", "input_tokens")


def test_a_unit_that_nobody_knows_has_the_nearest_one_beside_it() -> None:
    (found,) = lacks(IN, usage={"input_token": 5})
    assert (found.kind, found.says) == ("unit", "input_token is no unit: did you mean input_tokens?")
    assert found.advice.startswith("send it as input_tokens; ")
    (found,) = lacks(IN, usage={"sparks": 5})
    assert (found.says, found.nearest) == ("sparks is no unit", "")


def test_a_unit_without_a_price_is_told_by_its_model() -> None:
    (found,) = lacks(IN, usage={"gpu_hours": 5, "input_tokens": 1})
    assert (found.kind, found.says) == ("price", "no price for gpu_hours of openai/m")


def test_a_price_that_begins_later_or_ended_is_no_price_of_then() -> None:
    later = price("m", "input_tokens", "1", when=Conditions(effective_from=DECEMBER))
    (found,) = lacks(later)
    assert (found.kind, found.says) == (
        "dates",
        "no price for input_tokens of openai/m before 2026-12-01",
    )
    ended = price("m", "input_tokens", "1", when=Conditions(effective_to=NOON.replace(hour=0)))
    (found,) = lacks(ended)
    assert found.says == "no price for input_tokens of openai/m from 2026-11-20 on"


def test_a_price_for_batches_alone_says_so() -> None:
    (found,) = lacks(price("m", "input_tokens", "1", when=Conditions(batch=True)))
    assert found.says == "no price for input_tokens of openai/m as it was served; there are prices in a batch"


def test_a_model_that_nobody_knows_is_bounded_and_lacks_its_price_or_its_name() -> None:
    sibling = price("gpt-5-mini", "input_tokens", "1")
    (found,) = lacks(sibling, sku="gpt-6-mini")
    assert (found.kind, found.says) == (
        "model",
        "unknown model: 1.5 times the nearest of the family gpt-mini (gpt-5-mini)",
    )
    assert found.advice == "state what openai/gpt-6-mini costs, or of which model it is another name"


def test_a_bound_without_a_rate_lacks_both() -> None:
    found = lacks(price("gpt-5-mini", "input_tokens", "1"), EURO, sku="gpt-6-mini")
    assert [each.kind for each in found] == ["rate", "model"]
