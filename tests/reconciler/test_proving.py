"""Tests of the tests: what somebody does to the book is named by the reconciler, whether it has passed there or not."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

import asyncpg
import pytest

from services.reconciler import again, proof, proving
from services.reconciler.findings import ProofFinding
from tests.reconciler.conftest import Prover
from tests.verify.conftest import NOON
from tests.verify.test_verify import roll_up

LATER = NOON + timedelta(hours=1)
WRONG_DIGIT = "UPDATE entries SET list = list + 0.000000000001 WHERE event LIKE '%\"e7\"%'"
DELETED = "DELETE FROM entries WHERE event LIKE '%\"e7\"%'"
DOUBLED = """
CREATE TEMP TABLE twice AS SELECT * FROM entries WHERE event LIKE '%"e7"%';
UPDATE twice SET occurred_at = occurred_at + interval '1 second';
INSERT INTO entries SELECT * FROM twice
"""

PAIRED = """
INSERT INTO entries (identity, occurred_at, seq, origin_partition, origin_offset, correction_id, catalog_version,
    accounting_period, series_id, tenant, status, currency, list, contracted, effective, event, lines)
SELECT identity, occurred_at, {seq}, -1, {seq} - 1, 'c', catalog_version, accounting_period, series_id, tenant, status,
    currency, {sign} * list, {sign} * contracted, {sign} * effective, {stated}
FROM entries WHERE event LIKE '%"e7"%' AND seq = 0;
"""
CORRECTED = (
    PAIRED.format(seq=1, sign=-1, stated="NULL, NULL")
    + PAIRED.format(seq=2, sign=1, stated="event, lines")
    + "INSERT INTO corrector (topic, next_entry) VALUES ('t', 3)"
)
"""e7 is taken back and booked once more."""
TRUE_UP_ID = blake2b(
    b"".join(
        len(part).to_bytes(4, "big") + part for part in (b"acme", b"term", b"2026-11-01T00:00:00Z", b"0")
    ),
    digest_size=16,
    person=b"true-up",
).digest()
TRUED_UP = """
WITH listed AS (
    INSERT INTO true_ups (tenant, term, period_start, revision, period_end, covered_to, identity, occurred_at, effect,
        provider, cost_class, currency, amount, catalog_version, explanation)
    VALUES ('acme', 'term', '2026-11-01', 0, '2026-12-01', '2026-11-24', $1, '2026-11-23T12:00Z', 'allowance', 'openai',
        'model', 'USD', -2, 1, '{}')
)
INSERT INTO entries (identity, occurred_at, seq, origin_partition, origin_offset, catalog_version, accounting_period,
    series_id, tenant, status, currency, list, contracted, effective, event, lines)
VALUES ($1, '2026-11-23T12:00Z', -2, -1, 2, 1, '2026-11-01', $1, 'acme', 'priced', 'USD', 0, 0, -2,
    '{"id": "term/2026-11-01/0", "data": {"usage": {}}}', '[{"effective_amount": "-2"}]')
"""
"""Two dollars of November are free."""


async def test_a_book_that_is_right_is_proved_to_its_end(prover: Prover) -> None:
    await prover.moment(NOON, 10, 10)
    await prover.moment(LATER, 30, 30)
    await prover.moment(LATER + timedelta(seconds=1), 30, 31)
    await prover.proving.look()
    await prover.again.round()
    assert await prover.found() == []
    assert await prover.marks() == {-1: (0, 0), 0: (30, 30), 1: (30, 30)}
    assert await prover.proved_until() == LATER
    assert prover.proving.behind == 0


async def test_a_partition_in_many_windows_is_fetched_once_and_each_of_its_records_is_looked_at(
    prover: Prover, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (proving, again):
        monkeypatch.setattr(module, "WINDOW", 7)
    fetched: list[int] = []
    for reader in (prover.proving.reader, prover.again.reader):
        consumer = reader.topic._consumer

        def counted(partitions: list[Any], assign: Any = consumer.assign) -> None:
            fetched.extend(each.partition for each in partitions)
            assign(partitions)

        monkeypatch.setattr(consumer, "assign", counted)
    await prover.proving.look()
    assert fetched == [0, 1]
    await prover.again.round()
    assert fetched == [0, 1, 0, 1]
    assert await prover.found() == []
    assert await prover.marks() == {-1: (0, 0), 0: (30, 30), 1: (30, 30)}
    await prover.owner.execute(WRONG_DIGIT)
    await prover.again.round()
    assert any("changed: list is 0.003147000001" in each for each in await prover.found())


@pytest.mark.parametrize(
    "spoiled, named",
    [
        (
            WRONG_DIGIT,
            "acme bot/e7 (entry of 2026-11-23T12:00:49.123000Z, seq 0): changed: list is 0.003147000001",
        ),
        (DELETED, "acme bot/e7 (usage.events 1@3): missing"),
        (DOUBLED, "doubled: 1@3 has more than one outcome"),
    ],
)
async def test_a_spoiled_entry_is_named_when_it_is_passed_and_when_it_was_passed_before(
    prover: Prover, spoiled: str, named: str
) -> None:
    await prover.moment(NOON, 30, 3)
    await prover.moment(LATER, 30, 30)
    await prover.proving.look()
    assert await prover.proved_until() == LATER
    await prover.owner.execute(spoiled)
    await prover.again.round()
    assert any(named.replace("acme ", "globex ") in each or named in each for each in await prover.found())
    await prover.proving.look()
    assert (await prover.marks())[1] == (30, 3)
    assert await prover.proved_until() == NOON
    await prover.owner.execute("TRUNCATE proof_findings, proof_acts, proved_marks, proved_until")
    await prover.proving.look()
    assert (await prover.marks())[1] == (30, 3)


async def test_after_a_finding_far_behind_the_last_moment_before_it_is_found_in_a_few_steps(
    prover: Prover, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a day with a moment every four seconds; e7 is offset 3 of partition 1, which is passed at the 1,001st."""
    await prover.owner.execute(
        "INSERT INTO moments (at, held_until, partitions, accounts, next_offsets) "
        "SELECT at, at, '{-1,0,1}', '{0,0,0}', ARRAY[0, 30, CASE WHEN n < 1000 THEN 3 ELSE 30 END] "
        "FROM generate_series(0, 21599) AS n, LATERAL (SELECT $1::timestamptz + n * interval '4 seconds' AS at) AS m",
        NOON,
    )
    asked: list[str] = []
    last_proved = proof._last_proved

    async def counted(connection: asyncpg.Connection, *span: datetime) -> object:
        connection.add_query_logger(lambda query: asked.append(query.query))
        return await last_proved(connection, *span)

    await prover.proving.look()
    assert await prover.proved_until() == NOON + timedelta(seconds=4 * 21_599)
    monkeypatch.setattr(proof, "_last_proved", counted)
    await prover.owner.execute(DELETED)
    await prover.again.round()
    await prover.proving.look()
    assert await prover.proved_until() == NOON + timedelta(seconds=4 * 999)
    assert (
        sum("FROM moments" in query for query in asked) <= 12
    )  # a day is 288 times five minutes: nine halves


async def test_a_finding_that_an_operator_has_seen_lets_the_proof_go_on_and_stays_listed(
    prover: Prover,
) -> None:
    await prover.moment(NOON, 30, 3)
    await prover.moment(LATER, 30, 30)
    await prover.owner.execute(WRONG_DIGIT)
    await prover.proving.look()
    assert await prover.proved_until() == NOON
    await prover.see("e7")
    await prover.proving.look()
    assert await prover.proved_until() == LATER
    assert len(await prover.found()) == 1
    assert await prover.owner.fetchval("SELECT seen_by FROM findings_seen(10)") == "root"


async def test_what_somebody_has_put_right_is_gone_with_the_next_round(prover: Prover) -> None:
    await prover.moment(LATER, 30, 30)
    await prover.owner.execute(WRONG_DIGIT)
    await prover.proving.look()
    assert await prover.proved_until() is None
    await prover.owner.execute(WRONG_DIGIT.replace("+", "-"))
    await prover.again.round()
    await prover.proving.look()
    assert await prover.proved_until() == LATER
    assert len(await prover.found()) == 1
    assert await prover.owner.fetchval("SELECT gone_at IS NOT NULL FROM findings_seen(10)")


async def test_what_was_seen_and_put_right_holds_the_proof_when_it_is_there_again(prover: Prover) -> None:
    written = prover.proving.proof
    finding = ProofFinding(tenant="", invariant="I6", what="booked is 1 more", named="partition 0")
    for times in (1, 2, 3):
        await written.note([finding])
        await written.note([finding])  # it is the same, as long as it is there
        assert await written.prove([]) == 1
        assert len(await prover.found()) == times
        unseen = "SELECT id FROM findings_seen(10) WHERE seen_at IS NULL"
        assert await prover.owner.fetchval(f"SELECT see_finding(({unseen}), 'root', 'is mended')")
        assert await written.prove([]) == 0
        await written.put_right(await written.now(), [], all_sums=True)


async def test_an_edited_rollup_is_named_and_holds_the_proof(prover: Prover) -> None:
    await prover.moment(NOON, 30, 30)
    await prover.proving.look()
    await prover.owner.execute("UPDATE rollups_minute SET list = list + 1 WHERE ctid = '(0,3)'")
    await prover.again.round()
    assert ["list is" in each and "its entries say" in each for each in await prover.found()] == [True]
    await prover.moment(LATER, 30, 30)
    await prover.proving.look()
    assert await prover.proved_until() == NOON
    await prover.see("its entries say")
    await prover.proving.look()
    assert await prover.proved_until() == LATER


@pytest.mark.parametrize("size", ["hour", "day"])
async def test_an_edited_rollup_of_a_larger_size_is_named(prover: Prover, size: str) -> None:
    """The first of all, whose day begins before the first minute of the book."""
    await roll_up(prover.book)
    await prover.proving.look()
    await prover.again.round()
    assert await prover.found() == []
    await prover.owner.execute(
        "UPDATE rollups SET list = list + 1 WHERE ctid = (SELECT min(ctid) FROM rollups WHERE size = $1)",
        size,
    )
    await prover.again.round()
    assert any(f" {size} from 2026-11-23T" in each and "list is" in each for each in await prover.found())


@pytest.mark.parametrize(
    "spoiled, named",
    [
        (
            "effective = effective + 0.000000000001 WHERE seq = 1",
            "seq 1: changed: a reversal that is not minus its entry",
        ),
        ("contracted = contracted + 1 WHERE seq = 2", "seq 2): changed: contracted is"),
        ("effective = effective - 1 WHERE seq = -2", "-3 USD are booked, -2 are listed"),
    ],
)
async def test_a_spoiled_entry_of_the_corrector_is_named_when_it_is_passed_and_when_it_was_passed_before(
    prover: Prover, spoiled: str, named: str
) -> None:
    await prover.owner.execute(CORRECTED)
    await prover.owner.execute(TRUED_UP, TRUE_UP_ID)
    await prover.proving.look()
    assert await prover.found() == []
    assert (await prover.marks())[-1] == (3, 3)
    await prover.owner.execute(f"UPDATE entries SET {spoiled}")
    await prover.again.round()
    assert any(named in each for each in await prover.found())
    await prover.proving.look()
    assert (await prover.marks())[-1][0] == 3 > (await prover.marks())[-1][1]
    await prover.owner.execute("TRUNCATE proof_findings, proof_acts, proved_marks, proved_until")
    await prover.proving.look()
    assert any(named in each for each in await prover.found())


async def test_counts_that_do_not_add_up_are_named_once(prover: Prover) -> None:
    await prover.owner.execute(
        "UPDATE accounting SET priced = priced + 1 WHERE partition = 0 AND tenant = 'acme'"
    )
    await prover.proving.look()
    await prover.proving.look()
    assert await prover.found() == [": partition 0: booked is 1 less than the counts of its tenants"]


async def test_a_second_process_goes_on_where_the_first_one_was(prover: Prover) -> None:
    await prover.proving.look()
    await prover.owner.execute(
        "UPDATE proved_marks SET looked = 20, next_origin = 20, booked = booked - 10 WHERE partition = 0"
    )
    await prover.proving.look()
    assert (await prover.marks())[0] == (30, 30)


async def test_a_month_that_is_put_away_is_no_finding(prover: Prover) -> None:
    month = await prover.owner.fetchval("SELECT date_trunc('month', min(recorded_on))::date FROM entries")
    await prover.proving.look()
    await prover.owner.execute(f"ALTER TABLE entries DETACH PARTITION recorded.entries_{month:%Y%m}")
    await prover.owner.execute(
        "INSERT INTO archived_months (month, entries, file, sha256) VALUES ($1, 57, 'file', 'sha')", month
    )
    await prover.again.round()
    assert await prover.found() == []
    await prover.owner.execute("TRUNCATE proved_marks")
    await prover.proving.look()
    assert await prover.found() == []
    assert (await prover.marks())[0] == (30, 30)


async def test_sums_that_take_too_long_are_left_out_and_nothing_of_them_is_called_put_right(
    prover: Prover, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def late(*span: object) -> None:
        raise TimeoutError

    await prover.proving.look()
    await prover.owner.execute("UPDATE rollups_minute SET list = list + 1 WHERE ctid = '(0,3)'")
    await prover.again.round()
    monkeypatch.setattr(prover.sums, "minutes", late)
    await prover.again.round()
    assert await prover.owner.fetchval("SELECT bool_and(gone_at IS NULL) FROM findings_seen(10)")
    monkeypatch.undo()
    await prover.owner.execute("UPDATE rollups_minute SET list = list - 1 WHERE list > 1")
    await prover.again.round()
    assert await prover.owner.fetchval("SELECT bool_and(gone_at IS NOT NULL) FROM findings_seen(10)")
