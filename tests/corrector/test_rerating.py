"""Which booked events a job is about, and what another version makes of them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from services.corrector.in_force import EntryInForce
from services.corrector.rerating import TOO_LONG, Findings, concerned, entries_named, rating_of, reprice
from services.corrector.selection import PublicationReach, is_named, may_concern
from spendmeter.contracts.catalog import Alias, CatalogEntry
from spendmeter.contracts.corrections import Selection
from spendmeter.contracts.entry_ids import identified
from spendmeter.contracts.event_identity import identity
from spendmeter.contracts.events import UsageEvent, encode_event, event_time
from spendmeter.contracts.rated import encode_rated
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import NOON, RECORDED, adjustment, model, price, terms, used
from tests.pricing.test_causes import History, fx, withdrawn

MILLION = {"input_tokens": 1_000_000}
ANY = Selection()


def booked(event: UsageEvent, book: PriceBook) -> EntryInForce:
    """The event as the ledger books it by a version of the catalog."""
    rating = rate(event, book)
    return EntryInForce(
        occurred_at=event_time(event),
        identity=identity(event.tenant, event.source, event.id),
        seq=0,
        origin_partition=0,
        origin_offset=0,
        correction_id=None,
        tenant=event.tenant,
        recorded_at=RECORDED,
        first_recorded_at=RECORDED,
        series_id=b"s" * 16,
        catalog_version=rating.catalog_version,
        accounting_period=rating.accounting_period,
        status=rating.status,
        currency=rating.currency,
        list=rating.list,
        contracted=rating.contracted,
        effective=rating.effective,
        event=encode_event(event).decode(),
        lines=encode_rated(rating.lines).decode(),
    )


class Versions(History):
    def book(self, version: int) -> PriceBook:
        return PriceBook([entry for entry in self.entries if entry.version <= version], version)

    def reprice(
        self, *events: UsageEvent, selection: Selection = ANY, since: int = 1, until: int = 2
    ) -> Findings:
        return reprice([booked(event, self.book(since)) for event in events], self.book(until), selection)

    def concerned(self, *events: UsageEvent, publication: int = 2, **versions: int) -> list[str]:
        """The skus of those that are about a publication."""
        found = self.reprice(*events, **versions)
        reach = PublicationReach(
            version=publication, before=self.book(publication - 1), after=self.book(publication)
        )
        facts = {key: fact for key, fact in self.facts().items() if key in entries_named(found.changed)}
        return [each.event.data.sku for each, _ in concerned(found.changed, reach, facts)]


def use(sku: str = "m", **said: Any) -> UsageEvent:
    return used("openai", sku, said.pop("usage", MILLION), **said)


OLD = price("m", "input_tokens", "2")
RAISED: tuple[list[CatalogEntry], ...] = ([OLD], [withdrawn(OLD), price("m", "input_tokens", "3")])


def test_an_event_that_costs_something_else_is_found_with_both_ratings() -> None:
    [found] = Versions(*RAISED).reprice(use()).changed
    assert (found.old.effective, found.new.effective, found.new.catalog_version) == (
        Decimal(2),
        Decimal(3),
        2,
    )


def test_an_event_that_costs_the_same_is_none_also_where_the_same_price_is_newer() -> None:
    versions = Versions([OLD], [price("other", "input_tokens", "9")])
    assert versions.reprice(use()) == Findings(seen=1)
    [again] = Versions(*RAISED).reprice(use()).changed  # what a job has done, it does not do again
    entry = replace(
        again.entry, lines=again.lines, list=Decimal("3.0"), contracted=Decimal(3), effective=Decimal(3)
    )
    assert reprice([entry], Versions(*RAISED).book(2), ANY) == Findings(seen=1)


def test_the_same_amount_by_another_entry_is_a_change_for_its_lines_say_so() -> None:
    versions = Versions([OLD], [withdrawn(OLD), price("m", "input_tokens", "2", revision=1)])
    assert len(versions.reprice(use()).changed) == 1


def test_what_a_later_version_priced_stays() -> None:
    assert Versions(*RAISED).reprice(use(), since=2, until=1) == Findings(seen=1)


def test_an_amount_with_more_digits_than_money_holds_leaves_its_entry_and_says_why() -> None:
    """A price of 18 places times a quantity of 12 times a factor is more than 60 digits."""
    digits = "123456789012345678.123456789012345679"
    long = Versions([OLD], [withdrawn(OLD), price("m", "input_tokens", digits, per=1)])
    usage = {"input_tokens": 1, "output_tokens": 1}
    assert long.reprice(use(usage=usage)).left == []
    factors = [adjustment(f"f{number}", "1.123456789012345679") for number in range(3)]
    longer = Versions([OLD], [withdrawn(OLD), price("m", "input_tokens", digits, per=1), *factors])
    [left] = longer.reprice(use(usage=usage)).left
    assert left.reason == TOO_LONG


@pytest.mark.parametrize(
    ("selection", "selected"),
    [
        (Selection(), True),
        (Selection(providers=("OpenAI",)), True),
        (Selection(providers=("azure",)), False),
        (Selection(skus=("gpt-4o",)), True),
        (Selection(skus=("gpt-4o-2024-08-06",)), True),
        (Selection(skus=("gpt-5",)), False),
        (Selection(providers=("azure",), skus=("gpt-4o",)), False),
    ],
)
def test_a_model_is_selected_by_the_name_that_was_sent_and_by_what_it_means(
    selection: Selection, selected: bool
) -> None:
    book = PriceBook([price("gpt-4o", "input_tokens", "2"), identified(model("gpt-4o", "gpt-4o-2024-08-06"))])
    assert is_named(selection, "acme", "openai", "GPT-4o-2024-08-06", book) is selected


def test_a_status_selects_by_what_an_event_costs_now() -> None:
    rating = rating_of(booked(use(), Versions([OLD]).book(1)))
    assert [may_concern(Selection(statuses=(status,)), rating) for status in ("priced", "unpriced")] == [
        True,
        False,
    ]


def test_a_missing_rate_selects_what_waits_for_it_and_nothing_else() -> None:
    """2 euros without a rate wait for one of euros; the model without any price waits for a price."""
    versions = Versions([price("m", "input_tokens", "2", currency="EUR")], [fx("EUR", "1.25")])
    events = use(), used("nobody", "unknown", MILLION)
    found = versions.reprice(*events, selection=Selection(missing_rate_of="EUR"))
    assert [(each.event.data.sku, each.new.effective) for each in found.changed] == [("m", Decimal("2.5"))]
    assert versions.reprice(*events, selection=Selection(missing_rate_of="JPY")).changed == []


# -- a publication -------------------------------------------------------------------------------------------------


def test_a_publication_concerns_events_that_it_prices_and_those_whose_price_it_withdrew() -> None:
    gone = price("gone", "input_tokens", "5")
    versions = Versions([OLD, gone], [withdrawn(OLD, gone), price("m", "input_tokens", "3")])
    assert versions.concerned(use(), use("gone")) == ["m", "gone"]


def test_what_another_publication_changed_is_left_to_a_job_of_its_own() -> None:
    """m was made dearer by version 2, n by version 3: a job for 3, at 3, leaves m at its old price."""
    other = price("n", "input_tokens", "5")
    versions = Versions([OLD, other], RAISED[1], [withdrawn(other), price("n", "input_tokens", "6")])
    assert versions.concerned(use(), use("n"), publication=3, until=3) == ["n"]


def test_the_bound_of_another_unknown_model_that_moves_with_it_stays() -> None:
    """Twenty models cost 1 to 20: the 95th percentile is 19. The next one's price of 30 makes it 20, an old entry's."""
    ladder: list[CatalogEntry] = [price(f"a{n}b", "input_tokens", str(n)) for n in range(1, 21)]
    versions = Versions(ladder, [price("zz", "input_tokens", "30")])
    [moved] = versions.reprice(use("unheard-of")).changed
    assert (moved.old.effective, moved.new.effective) == (Decimal(19), Decimal(20))
    assert versions.concerned(use("unheard-of")) == []


def test_a_name_that_it_explains_is_concerned_though_no_line_names_it() -> None:
    """nova-1 becomes the name of m: the price of m stood before, and the lines name that."""
    alias = identified(Alias(provider="openai", name="nova-1", sku="m", source="t", recorded_at=RECORDED))
    versions = Versions([OLD], [alias])
    assert versions.concerned(use("nova-1")) == ["nova-1"]


def test_terms_that_it_states_concern_their_tenant_from_their_instant_on() -> None:
    """A contract that acme's new terms name: its price stood before."""
    contract = price("m", "input_tokens", "1", layer="contract", contract="f", kind="contracted")
    stated = terms("acme", contracts=("f",), effective_from=NOON)
    versions = Versions([OLD, contract, terms("other", contracts=("f",))], [stated])
    events = [use(), use(at=NOON - timedelta(days=1)), use(tenant="globex")]
    assert [each.event.tenant for each in versions.reprice(*events).changed] == ["acme"]
    assert versions.concerned(*events) == ["m"]
