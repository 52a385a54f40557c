"""A database restored to an older state, and the catalog topic that has more: what is brought back, and what is not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from spendmeter.contracts.catalog import CatalogEntry, Publication, PublishedAs, Withdrawal, encode_catalog
from spendmeter.contracts.entry_ids import identified, published
from spendmeter.platform.catalog_return import UNSAID, LostPublication, Parted, lost_publications
from spendmeter.platform.catalog_topic import UnknownEntry
from tests.pricing.entries import RECORDED, price, terms

FIRST, SECOND, THIRD, FOURTH = (price("m", "input_tokens", amount) for amount in ("1", "2", "3", "4"))
GONE = identified(Withdrawal(entries=(SECOND.id,), source="test", recorded_at=RECORDED, by="key b"))
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def sent(
    version: int, *entries: CatalogEntry, total: int | None = None, by: str = "key a"
) -> list[UnknownEntry]:
    """A publication as it lies on the topic, recorded at noon and so many hours; without a total by an older release."""
    at = NOON + timedelta(hours=version)
    said = None if total is None else PublishedAs(by=by, note=f"proposal {version}", at=at, entries=total)
    stated = [published(entry, version) for entry in entries]
    return [UnknownEntry(entry, encode_catalog(entry).decode(), said) for entry in stated]


def marker(version: int, entries: int) -> Publication:
    return Publication(version=version, entries=entries, published_at=NOON)


def lost(
    unknown: Sequence[UnknownEntry], last: Publication | None, recorded: dict[str, int]
) -> tuple[list[LostPublication], str]:
    return lost_publications(unknown, last, recorded)


def test_what_a_database_lacks_comes_back_in_order_as_it_was_recorded() -> None:
    """It has version 1, with one entry; version 2 brought one more, version 3 took that out of force for another."""
    second, third = sent(2, SECOND, total=2), sent(3, GONE, THIRD, total=4, by="key b")
    found, partly = lost([*third, *second], marker(3, 4), {FIRST.id: 1})
    assert partly == ""
    assert found == [
        LostPublication(
            version=2, bodies=[second[0].body], by="key a", note="proposal 2", at=NOON + timedelta(hours=2)
        ),
        LostPublication(
            version=3, bodies=[each.body for each in third], by="key b", note="proposal 3", at=NOON + timedelta(hours=3)
        ),
    ]  # fmt: skip


def test_a_database_that_has_all_of_the_topic_lacks_nothing() -> None:
    """Of version 2 another process has recorded what was unknown when the topic began to be read."""
    assert lost([], None, {}) == ([], "")
    assert lost([], marker(1, 1), {FIRST.id: 1}) == ([], "")
    assert lost(sent(2, SECOND, total=2), marker(2, 2), {FIRST.id: 1, SECOND.id: 2}) == ([], "")


def test_a_publication_that_lacks_its_marker_alone_is_whole() -> None:
    """Its approval was answered: what came with its entries says how many there are."""
    found, partly = lost(sent(2, SECOND, THIRD, total=3), marker(1, 1), {FIRST.id: 1})
    assert ([each.version for each in found], partly) == ([2], "")


def test_a_publication_of_which_a_part_was_sent_is_not_brought_back_and_those_before_it_are() -> None:
    unknown = [*sent(2, SECOND, total=2), *sent(3, GONE, total=4)]
    found, partly = lost(unknown, marker(2, 2), {FIRST.id: 1})
    assert [each.version for each in found] == [2]
    assert partly == (
        "the database is at version 1, and of version 3 the catalog topic has only a part: with it there are 3 "
        "entries, of 4"
    )
    _, partly = lost(sent(2, SECOND), marker(1, 1), {FIRST.id: 1})
    assert "of an unknown number" in partly, "an older release did not say how many there should be"


def test_a_version_that_was_given_away_twice_is_no_ones_to_publish() -> None:
    """Restored to version 1, and then something else approved as version 2."""
    with pytest.raises(Parted, match=f"entry {SECOND.id} under version 2, and the database, .* not at all"):
        lost(sent(2, SECOND, total=2), marker(2, 2), {FIRST.id: 1, THIRD.id: 2})
    with pytest.raises(Parted, match="has it under version 2: a version was given away twice"):
        lost(sent(3, THIRD, total=3), marker(3, 3), {FIRST.id: 1, THIRD.id: 2})


@pytest.mark.parametrize("unknown", [[], sent(2, SECOND, total=2), sent(3, THIRD, total=3), sent(3, THIRD)])
def test_one_that_was_in_force_and_is_not_whole_anywhere_stops_all(unknown: list[UnknownEntry]) -> None:
    with pytest.raises(Parted, match="has only a part"):
        lost(unknown, marker(3, 3), {FIRST.id: 1})


def test_what_an_older_release_published_comes_back_with_what_its_entries_say() -> None:
    """It sent no word on who recorded a publication: who is named in one; a release, or the first tenants' terms, name
    nobody."""
    mine = replace(THIRD, by="key c", recorded_at=NOON)
    unknown = [*sent(1, FIRST), *sent(2, terms("acme")), *sent(3, SECOND, mine)]
    found, partly = lost(unknown, marker(3, 4), {})
    assert partly == ""
    assert [(each.version, each.by, each.at) for each in found] == [
        (1, "migrate", RECORDED), (2, "setup", RECORDED), (3, "key c", NOON),
    ]  # fmt: skip
    assert {each.note for each in found} == {UNSAID}
    with pytest.raises(Parted):
        lost(unknown, marker(3, 5), {})
