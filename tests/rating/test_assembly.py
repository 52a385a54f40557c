"""Publications put together from whatever lies on the catalog topic."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from aiokafka import TopicPartition

from services.rating.catalog_follower import Assembly
from services.rating.partition_state import open_partition
from spendmeter.contracts.catalog import Price, Publication, encode_catalog
from spendmeter.contracts.entry_ids import published
from tests.pricing.entries import price

ENTRIES = [price("m", unit, "1") for unit in ("input_tokens", "output_tokens", "reasoning_tokens")]
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def record(number: int, version: int = 1) -> bytes:
    return encode_catalog(published(ENTRIES[number], version))


def marker(version: int, entries: int) -> bytes:
    return encode_catalog(Publication(version=version, entries=entries, published_at=NOW))


def test_a_publication_is_complete_at_its_marker_and_not_before() -> None:
    assembly = Assembly()
    assert not assembly.take([record(0), record(1)])
    assert assembly.complete() is None
    assert assembly.take([marker(1, 2)])
    assert assembly.complete() == (1, [published(entry, 1) for entry in ENTRIES[:2]])


def test_a_marker_whose_entries_are_not_all_here_completes_nothing() -> None:
    assembly = Assembly()
    assembly.take([record(0), marker(1, 2)])
    assert assembly.complete() is None
    assert "has 2 entries, of which this worker can read 1" in assembly.missing()
    assembly.take([record(1), marker(1, 2)])
    assert assembly.complete() is not None
    assert assembly.missing() == ""


def test_a_catalog_of_a_later_release_leaves_the_book_of_who_runs_and_gives_none_to_who_starts() -> None:
    before = [record(0), marker(1, 1)]
    later = [record(1, version=2).replace(b".price.v1", b".tomorrow.v1"), marker(2, 2)]
    runs = Assembly()
    runs.take(before)
    assert runs.complete() == (1, [published(ENTRIES[0], 1)])
    runs.take(later)
    assert runs.complete() is None  # so that the book in use stays
    assert "publication 2 has 2 entries, of which this worker can read 1" in runs.missing()
    starts = Assembly()
    starts.take([*before, *later])
    assert starts.complete() is None


def test_entries_of_a_publication_under_way_are_no_part_of_the_one_before() -> None:
    assembly = Assembly()
    assembly.take([record(0), record(2, version=2), marker(1, 1)])
    assert assembly.complete() == (1, [published(ENTRIES[0], 1)])
    assembly.take([record(1, version=2), marker(2, 3)])
    version, entries = assembly.complete() or (0, [])
    assert (version, len(entries)) == (2, 3)


def test_publishing_again_changes_nothing() -> None:
    assembly = Assembly()
    assembly.take([record(0), marker(1, 1), record(0), marker(1, 1)])
    assert assembly.complete() == (1, [published(ENTRIES[0], 1)])


def test_what_is_no_entry_is_skipped_and_counted() -> None:
    assembly = Assembly()
    forged = msgspec.json.encode(msgspec.json.decode(record(0)) | {"price": "99"})
    tomorrow = msgspec.json.encode(msgspec.json.decode(record(1)) | {"type": "spendmeter.catalog.moon.v1"})
    unversioned = encode_catalog(ENTRIES[2])
    assembly.take([b"\xff\x00", b"", None, b"[" * 100_000, forged, tomorrow, unversioned, marker(1, 0)])
    assert assembly.skipped == 7
    assert assembly.complete() == (1, [])


def test_a_lane_begins_where_the_group_stands_or_at_the_beginning_and_names_what_is_gone() -> None:
    def lane(committed: int | None, begin: int, end: int) -> tuple[int, int, str]:
        opened = open_partition(
            TopicPartition("usage.events", 0), topic_id="f", committed=committed, begin=begin, end=end
        )
        return opened.prev, opened.next, opened.stopped

    assert lane(None, 0, 9) == (-1, 0, "")
    assert lane(None, 4, 9) == (3, 4, "")
    assert lane(7, 0, 9) == (6, 7, "")
    assert lane(9, 9, 9) == (8, 9, "")
    assert lane(3, 5, 9)[2] == "usage.events/0: records [3, 5) were deleted before they were rated"
    assert lane(9, 0, 7)[2] == "usage.events/0: the log ends at 7, before the rated position 9"


def test_equal_values_of_many_prices_are_held_once() -> None:
    assembly = Assembly()
    assembly.take([record(0), record(1), marker(1, 2)])
    _, (one, other) = assembly.complete() or (0, [])
    assert isinstance(one, Price)
    assert isinstance(other, Price)
    assert one.source is other.source
    assert one.when is other.when
