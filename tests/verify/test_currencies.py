"""A book in several currencies is judged by what its lines say in each, against amounts worked out by hand.

e7 is globex's: 1,007 input, 70 cached and 7 output tokens of claude-sonnet-4-5 at 12:00:49.
e11 is globex's: 1,011 input, 110 cached and 7 output tokens of gpt-4o at 12:01:17.
"""

from __future__ import annotations

import json
from typing import Any

from spendmeter.verify.report import CLEAN, FOUND
from tests.verify.conftest import WrittenBook
from tests.verify.test_verify import said

IN_USD = {
    7: {
        "input_tokens": ("0.000003", "0.003021"),
        "cache_read_tokens": ("0.0000003", "0.000021"),
        "output_tokens": ("0.000015", "0.000105"),
    },
    11: {
        "input_tokens": ("0.0000025", "0.0025275"),
        "cache_read_tokens": ("0.0000025", "0.000275"),
        "output_tokens": ("0.00001", "0.00007"),
    },
}
E11_IN_GBP = {"input_tokens": "0.002022", "cache_read_tokens": "0.00022", "output_tokens": "0.000056"}
"""At 0.8 GBP for a USD; together 0.002298."""


def lines(number: int, **said_of_each: Any) -> list[dict[str, Any]]:
    return [
        {"unit": unit, "entry": "x", "price": price, "amount": amount, "currency": "USD", **said_of_each}
        for unit, (price, amount) in IN_USD[number].items()
    ]


def unpriced(number: int) -> list[dict[str, Any]]:
    return lines(number, status="unpriced", reason="No rate from USD to GBP on 2026-11-23")


def converted(number: int, rate: str) -> list[dict[str, Any]]:
    return [
        line | {"fx": rate, "book_list": E11_IN_GBP[line["unit"]], "a_field_of_tomorrow": True}
        for line in lines(number)
    ]


async def rate(book: WrittenBook, begins: str, worth: str = "0.8") -> str:
    """0.8 GBP for a USD in the catalog, from an instant on."""
    body = {"type": "spendmeter.catalog.fx.v1", "base": "USD", "quote": "GBP", "rate": worth}
    await book.owner.execute(
        "INSERT INTO catalog_entries (id, type, body, version, recorded_by) VALUES ('fx1', $1, $2, 1, 'test')",
        body["type"], json.dumps(body | {"effective_from": begins, "id": "fx1", "of_tomorrow": 1}),
    )  # fmt: skip
    return "fx1"


async def test_a_foreign_line_without_a_rate_counts_nothing_and_is_right(book: WrittenBook) -> None:
    await book.rebook(7, "GBP", "0", "unpriced", unpriced(7))
    report = await book.check()
    assert (dict(report.named), report.exit_code) == ({}, CLEAN)
    assert report.facts["list"]["GBP"] == "0"


async def test_a_foreign_line_that_is_wrong_in_its_own_currency_is_named(book: WrittenBook) -> None:
    wrong = unpriced(7)
    wrong[0]["amount"] = "0.003022"
    await book.rebook(7, "GBP", "0", "unpriced", wrong)
    report = await book.check()
    assert "input_tokens: 1007 x 0.000003 is 0.003021, not 0.003022" in said(report, "I4")
    assert "e7 (usage.events 1@3): changed: list is 0.003148, the table says 0.003147" in said(report, "I4")


async def test_a_foreign_line_without_a_rate_that_counts_all_the_same_is_named(book: WrittenBook) -> None:
    await book.rebook(7, "GBP", "0.003147", "unpriced", unpriced(7))
    report = await book.check()
    assert "list is 0.003147, its lines say 0" in said(report, "I4")


async def test_a_rate_that_begins_between_two_events_of_a_tenant_converts_the_later_one_alone(
    book: WrittenBook,
) -> None:
    """The tenant's other events stay in USD: it has two currencies."""
    name = await rate(book, "2026-11-23T12:01:00Z")
    await book.rebook(7, "GBP", "0", "unpriced", unpriced(7))
    await book.rebook(11, "GBP", "0.002298", "priced", converted(11, name))
    report = await book.check()
    assert (dict(report.named), report.exit_code) == ({}, CLEAN)
    assert report.facts["list"]["GBP"] == "0.002298"
    assert report.facts["outcomes"]["unpriced"] == 1


async def test_a_rate_that_was_not_in_force_yet_is_named(book: WrittenBook) -> None:
    name = await rate(book, "2026-11-23T12:02:00Z")
    await book.rebook(11, "GBP", "0.002298", "priced", converted(11, name))
    report = await book.check()
    assert report.exit_code == FOUND
    assert "rate fx1 begins 2026-11-23T12:02:00+00:00, after the event" in said(report, "I4")


async def test_an_amount_that_its_rate_does_not_make_is_named(book: WrittenBook) -> None:
    name = await rate(book, "2026-11-23T12:01:00Z", worth="0.9")
    await book.rebook(11, "GBP", "0.002298", "priced", converted(11, name))
    report = await book.check()
    assert "0.0025275 USD x 0.9 is 0.002274750000 GBP, not 0.002022" in said(report, "I4")
