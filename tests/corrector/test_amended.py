"""An amended event is held to the rules of when it was received; what it says of its tenant's own dimensions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.corrector.decide import amended_event
from spendmeter.contracts.dimensions import OWN_FROM
from spendmeter.contracts.events import EventError, Labels, UsageEvent, encode_event
from spendmeter.contracts.gate import PER_EVENT_MAX_FROM
from tests.corrector.written_book import Book, correction, event

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
EARLIER = timedelta(seconds=1)


def amended(patch: str, first: UsageEvent | None = None, received_at: datetime = NOW) -> UsageEvent:
    text = encode_event(first or event()).decode()
    return amended_event(correction(patch=patch), text, received_at)


def refusal(patch: str, first: UsageEvent | None = None, received_at: datetime = NOW) -> str:
    with pytest.raises(EventError) as caught:
        amended(patch, first, received_at)
    return str(caught.value)


def with_own(id: str = "e1", folded: tuple[str, ...] = (), **own: str) -> UsageEvent:
    return event(id, time=NOW, labels=Labels(own=own, folded=folded))


def test_an_amend_is_held_to_the_rules_that_held_when_its_event_was_received() -> None:
    """A hundred trillion tokens of one event are too many, since there are bounds; what came before has none."""
    patch = '{"usage": {"input_tokens": 99999999999999}}'
    assert "at most" in refusal(patch, received_at=PER_EVENT_MAX_FROM)
    said = amended(patch, received_at=PER_EVENT_MAX_FROM - EARLIER)
    assert said.data.usage["input_tokens"] == 99_999_999_999_999


def test_of_an_event_of_before_there_were_own_dimensions_none_can_be_stated() -> None:
    patch = '{"labels": {"own": {"customer": "a"}}}'
    assert "before 2026-11-26T07:00Z" in refusal(patch, received_at=OWN_FROM - EARLIER)
    assert amended(patch, received_at=OWN_FROM).data.labels.own == {"customer": "a"}


@pytest.mark.parametrize("folded", ["[]", '["customer"]', "null", "5"])
def test_which_values_are_folded_is_ingests_word_alone(folded: str) -> None:
    said = refusal(f'{{"labels": {{"own": {{"customer": "a"}}, "folded": {folded}}}}}')
    assert said == "data.labels.folded: is ingest's word of what a day had no room for; none amends it"


def test_what_was_folded_stays_so_as_long_as_its_value_does() -> None:
    first = with_own(folded=("customer", "region"), customer="a", region="north", tier="gold")
    assert amended('{"usage": {"input_tokens": 5}}', first).data.labels.folded == ("customer", "region")
    other = amended('{"labels": {"own": {"customer": "b"}}}', first)
    assert (other.data.labels.folded, other.data.labels.own["customer"]) == (("region",), "b")
    assert amended('{"labels": {"own": {"region": null}}}', first).data.labels.folded == ("customer",)
    assert not amended('{"labels": {"own": null}}', first).data.labels.folded


async def test_an_amend_brings_in_as_many_new_values_as_a_day_has_room_for(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Room for two a day. a came with its event, b is the second; c has no room, and a costs none. Yesterday's are
    there and take no room of today's."""
    monkeypatch.setattr("services.corrector.own_values.VALUES_PER_DAY_MAX", 2)
    await book.book_events(with_own("e1", customer="a"), *(event(f"e{n}", time=NOW) for n in range(2, 6)))
    await book.correct(states("e2", "b"), states("e3", "c"), states("e4", "a"))
    assert await outcomes(book) == {"e2": "applied", "e3": "refused", "e4": "applied"}
    why = await book.owner.fetchval("SELECT why FROM corrections WHERE state = 'refused'")
    assert why.startswith("data.labels.own.customer: of a dimension")
    assert await values(book) == ["a", "b"]
    await book.owner.execute("UPDATE series SET first_seen = first_seen - interval '1 day'")
    await book.correct(states("e5", "c", revision=1))
    assert (await outcomes(book))["e5"] == "applied"
    assert await values(book) == ["a", "b", "c"]


async def test_a_value_that_was_folded_is_none_that_the_book_has(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.corrector.own_values.VALUES_PER_DAY_MAX", 0)
    await book.book_events(with_own("e1", ("customer",), customer="a"), event("e2", time=NOW))
    await book.correct(correction("e1", patch='{"usage": {"input_tokens": 5}}'), states("e2", "a"))
    assert await outcomes(book) == {"e1": "applied", "e2": "refused"}
    assert await values(book) == ["~other"]


def states(id: str, customer: str, **said: Any) -> Any:
    return correction(id, patch=f'{{"labels": {{"own": {{"customer": "{customer}"}}}}}}', **said)


async def outcomes(book: Book) -> dict[str, str]:
    rows = await book.owner.fetch("SELECT event_id, state FROM corrections")
    return dict(tuple(row) for row in rows)


async def values(book: Book) -> list[str]:
    rows = await book.owner.fetch(
        "SELECT DISTINCT own ->> 'customer' AS value FROM series WHERE own ? 'customer' ORDER BY 1"
    )
    return [row["value"] for row in rows]
