"""A job keeps little in memory, whatever its tenant has: what is late is taken some at a time, and so are series."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from services.corrector import job_work, late, sweep
from services.corrector.rerates import Rerates
from tests.corrector.rerate_world import NOON, RerateBook, use, wrong_then_right
from tests.pricing.entries import price
from tests.pricing.test_causes import withdrawn


async def test_what_is_late_is_read_a_chunk_in_all_and_a_share_of_each_partition(
    rerate_book: RerateBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 100, 3 and 50 rows, 30 at once: 10 of each partition, or what it has; then 15 of each that is left, and
    so on, until all are looked at once and in order."""
    monkeypatch.setattr(late, "CHUNK_ENTRIES", 30)
    have = {0: 100, 1: 3, 2: 50}
    for partition, rows in have.items():
        await rerate_book.book(*(use(f"e{partition}-{n}") for n in range(2)), partition=partition)
        await rerate_book.owner.execute(
            "INSERT INTO late_rated (identity, occurred_at, catalog_version, tenant, origin_partition, "
            "origin_offset, other_currency) SELECT decode(lpad(to_hex($1 * 1000 + n), 32, '0'), 'hex'), $3, 0, "
            "'acme', $1, n, false FROM generate_series(0, $2 - 1) n",
            partition, rows, NOON,
        )  # fmt: skip
    await rerate_book.owner.execute("UPDATE positions SET next_origin = 1000, booked = 1000")
    shares, seen = [], []
    while rows := await late.read(rerate_book.corrector):
        shares.append(dict(Counter(row["origin_partition"] for row in rows)))
        seen += [(row["origin_partition"], row["origin_offset"]) for row in rows]
        await late.mark(rerate_book.corrector, rows)
    assert shares[:2] == [{0: 10, 1: 3, 2: 10}, {0: 15, 2: 15}]
    assert max(sum(share.values()) for share in shares) <= 30
    for partition, rows in have.items():
        assert [offset for where, offset in seen if where == partition] == [*range(rows)]


async def test_large_entries_that_are_late_are_taken_one_by_one_and_each_is_priced_anew_once(
    rerate_book: RerateBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A million tokens at 2 a token before the job, and six times behind it, by an old rater, on two partitions:
    each is 2 in the end. The corrector ends after each step, and another one goes on."""
    right = await wrong_then_right(rerate_book, use("a"))
    await rerate_book.rerate(right)
    for partition in (0, 1):
        late_ones = [use(f"late-{partition}-{number}") for number in range(3)]
        await rerate_book.book(*late_ones, version=1, partition=partition)
    monkeypatch.setattr(late, "CHUNK_BYTES", 1)
    taken: list[int] = []
    entries_of_job = late.entries_of_job

    async def counted(*asked: Any) -> Sequence[Any]:
        entries = await entries_of_job(*asked)
        taken.append(len(entries))
        return entries

    monkeypatch.setattr(late, "entries_of_job", counted)
    for _ in range(20):
        rerate_book.rerates = Rerates(log_ends=rerate_book.log_ends, told=rerate_book.told.extend)
        await rerate_book.step()
    assert taken == [1] * 6
    assert await rerate_book.owner.fetchval("SELECT max(effective) FROM entries WHERE seq = 2") == 2
    assert await rerate_book.owner.fetchval("SELECT count(*) FROM entries WHERE seq = 2") == 7


@pytest.mark.parametrize("series_max", [2, 1000])
async def test_a_job_remembers_some_series_alone_and_changes_those_that_are_selected(
    rerate_book: RerateBook, monkeypatch: pytest.MonkeyPatch, series_max: int
) -> None:
    """8 teams use m and n, 2 and 4 a million: m is 3 now. 8 x 3 + 8 x 4 = 56, and one that is late makes 59. Of
    more series than are named nobody knows how many events there are: not 16, which are all of the tenant's."""
    monkeypatch.setattr(job_work, "SERIES_MAX", series_max)
    monkeypatch.setattr(job_work, "SERIES_READ", 3)
    monkeypatch.setattr(sweep, "CHUNK_ENTRIES", 3)
    monkeypatch.setattr(job_work, "SPENDERS_MAX", 4)
    first = [price("m", "input_tokens", "2"), price("n", "input_tokens", "4")]
    await rerate_book.publish(*first)
    teams = [f"team{number}" for number in range(8)]
    await rerate_book.book(*(use(f"{team}-{sku}", sku, team=team) for team in teams for sku in "mn"))
    new = await rerate_book.publish(withdrawn(first[0]), price("m", "input_tokens", "3"))
    job = await rerate_book.rerate(new, skus=("m",))
    assert await rerate_book.money() == Decimal(56)
    await rerate_book.book(use("late", "m", team="others"), use("n", "n", team="others"), version=1)
    await rerate_book.work()
    assert await rerate_book.money() == Decimal(56 + 3 + 4)
    assert await rerate_book.counts(job) == {
        "about": 8 if series_max > 8 else 0, "seen": 8, "changed": 9, "left_alone": 0, "elsewhere": 0, "late": 1,
    }  # fmt: skip
    found = await rerate_book.differences(job, "applied")
    assert {team for team, *_ in found} == {*teams, "others"}
    works = rerate_book.rerates._works.values()
    assert works
    assert max(len(work._spenders) for work in works) <= 4
