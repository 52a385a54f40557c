"""verify names what is wrong with a book, and says what it could not check."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from services.ledger.roller import Roller
from spendmeter.platform.roles import role_url
from spendmeter.platform.telemetry import Meters
from spendmeter.verify.report import CLEAN, FOUND, INCOMPLETE, Report
from tests.verify.conftest import BAD, EVENTS, PARTITIONS, SERVED, WrittenBook


def said(report: Report, invariant: str) -> str:
    return "\n".join(f"{finding.row}: {finding.what}" for finding in report.named[invariant])


async def test_a_book_that_is_right_is_clean(book: WrittenBook) -> None:
    report = await book.check()
    assert (report.exit_code, dict(report.named)) == (CLEAN, {})
    assert (
        report.facts["outcomes"] | {"priced": EVENTS - 3, "duplicate": 1, "conflict": 1, "rejected": 1}
        == (report.facts["outcomes"])
    )
    assert report.checked["I2"] == report.checked["I3"] == 1
    assert report.checked["I8"] > 0


async def test_a_row_deleted_by_hand_is_named(book: WrittenBook) -> None:
    await book.owner.execute("DELETE FROM entries WHERE event LIKE '%\"e7\"%'")
    report = await book.check()
    assert report.exit_code == FOUND
    assert "bot/e7 (usage.events 1@3): missing" in said(report, "I1")
    assert "rollup" not in said(report, "I1")
    assert "events is 1, its entries say 0" in said(report, "I5")
    assert "booked is 30, there are 29 rows" in said(report, "I6")
    assert "the sum is" in said(report, "I4")


async def test_a_changed_amount_is_named(book: WrittenBook) -> None:
    await book.owner.execute("UPDATE entries SET list = list + 0.000000000001 WHERE event LIKE '%\"e7\"%'")
    report = await book.check()
    assert report.exit_code == FOUND
    assert "bot/e7 (usage.events 1@3): changed: list is 0.003147000001, the table says 0.0031470" in said(
        report, "I4"
    )


async def test_an_amount_changed_everywhere_at_once_is_still_named(book: WrittenBook) -> None:
    """Entry, lines and rollup agree with each other, and not with the price table."""
    await book.owner.execute(
        'UPDATE entries SET lines = \'[{"unit": "input_tokens", "amount": "9"}]\', list = 9, contracted = 9, '
        "effective = 9 WHERE event LIKE '%\"e7\"%'"
    )
    await book.owner.execute(
        "UPDATE rollups_minute r SET list = x.list, contracted = x.list, effective = x.list FROM (SELECT "
        "date_trunc('minute', occurred_at) b, series_id, origin_partition, sum(list) list FROM entries "
        "GROUP BY 1, 2, 3) x "
        "WHERE x.b = r.bucket AND x.series_id = r.series_id AND x.origin_partition = r.shard"
    )
    report = await book.check()
    assert set(report.found) == {"I4"}
    assert "list is 9, the table says" in said(report, "I4")


async def test_a_row_doubled_under_another_seq_is_named(book: WrittenBook) -> None:
    await book.owner.execute(
        "CREATE TEMP TABLE twice AS SELECT * FROM entries WHERE event LIKE '%\"e7\"%'; "
        "ALTER TABLE entries DROP CONSTRAINT entries_kind_check; UPDATE twice SET seq = 2; "
        "INSERT INTO entries SELECT * FROM twice"
    )
    report = await book.check()
    assert report.exit_code == FOUND
    assert "seq 2): doubled" in said(report, "I1")
    assert "e7" in said(report, "I1")


async def test_a_rollup_off_by_one_is_named(book: WrittenBook) -> None:
    await book.owner.execute("UPDATE rollups_minute SET events = events + 1 WHERE ctid = '(0,3)'")
    await book.owner.execute("UPDATE rollups_minute SET output_tokens = 1 WHERE ctid = '(0,4)'")
    report = await book.check()
    assert dict(report.found) == {"I5": 2}
    assert "events is 2, its entries say 1" in said(report, "I5")
    assert "usage of output_tokens is 1, its entries say 7" in said(report, "I5")


async def roll_up(book: WrittenBook) -> None:
    async with asyncpg.create_pool(book.request.database, min_size=1, max_size=2) as pool:
        roller = Roller(pool=pool, meters=Meters())
        while await roller.roll_up(datetime.now(UTC) + timedelta(days=2)):
            pass


@pytest.fixture
async def rolled(book: WrittenBook) -> WrittenBook:
    """Rolled up in five minutes, hours and days, but for what was touched since."""
    await roll_up(book)
    return book


async def test_larger_rollups_are_the_sum_of_those_below(rolled: WrittenBook) -> None:
    assert (await rolled.check()).found == {}


@pytest.fixture
async def dropped(rolled: WrittenBook) -> AsyncIterator[WrittenBook]:
    """Its minutes are gone, and what they came to is frozen in hours and days."""
    await rolled.owner.execute(
        "DELETE FROM rollups_minute; DELETE FROM rollups WHERE size = 'five_minutes'; "
        "UPDATE rollups SET part = -2; INSERT INTO minutes_kept (since) VALUES ('2026-11-25T00:00Z')"
    )
    yield rolled
    await rolled.owner.execute("DELETE FROM minutes_kept")


async def test_where_minutes_are_dropped_hours_are_held_against_the_entries(dropped: WrittenBook) -> None:
    report = await dropped.check()
    assert report.found == {}
    assert report.checked["I5"] > 0


async def test_what_is_off_in_an_hour_whose_minutes_are_dropped_is_named(dropped: WrittenBook) -> None:
    await dropped.owner.execute(
        "CREATE TEMP TABLE hours AS SELECT ctid AS place, row_number() OVER () AS n FROM rollups WHERE size = 'hour'; "
        "UPDATE rollups SET effective = effective + 1 WHERE ctid = (SELECT place FROM hours WHERE n = 1); "
        "UPDATE rollups SET output_tokens = 1 WHERE ctid = (SELECT place FROM hours WHERE n = 2); "
        "DELETE FROM rollups WHERE ctid = (SELECT place FROM hours WHERE n = 3)"
    )
    found = said(await dropped.check(), "I5")
    assert "hour from" in found
    assert "effective is" in found
    assert "usage of output_tokens is 1, its entries say" in found
    assert "events have no such rollup" in found


async def test_quantities_that_an_older_ledger_has_put_into_the_map_count_as_in_their_columns(
    book: WrittenBook,
) -> None:
    await book.owner.execute(
        "UPDATE rollups_minute SET usage = jsonb_build_object('input_tokens', input_tokens - 1, 'output_tokens', "
        "output_tokens), input_tokens = 1, output_tokens = NULL"
    )
    await roll_up(book)
    assert (await book.check()).found == {}
    assert await book.owner.fetchval("SELECT count(*) FROM rollups WHERE usage IS NOT NULL") == 0
    await book.owner.execute(
        "UPDATE rollups_minute SET input_tokens = 2 WHERE ctid = (SELECT min(ctid) FROM rollups_minute)"
    )
    found = said(await book.check(), "I5")
    assert "usage of input_tokens is" in found
    assert "usage is not that of what it is made of" in found


@pytest.mark.parametrize("size", ["five_minutes", "hour", "day"])
async def test_a_larger_rollup_that_is_off_is_named_and_so_is_one_that_is_not_there(
    rolled: WrittenBook, size: str
) -> None:
    await rolled.owner.execute(
        "UPDATE rollups SET effective = effective + 1 WHERE ctid = (SELECT min(ctid) FROM rollups WHERE size = $1)",
        size,
    )
    assert f"{size.replace('_', ' ')} from" in said(await rolled.check(), "I5")
    await rolled.owner.execute(
        "DELETE FROM rollups WHERE ctid = (SELECT min(ctid) FROM rollups WHERE size = $1)", size
    )
    assert "events have no such rollup" in said(await rolled.check(), "I5")


async def test_a_rollup_that_is_marked_to_be_made_again_is_nobodys_fault(rolled: WrittenBook) -> None:
    await rolled.owner.execute("UPDATE rollups SET effective = effective + 1 WHERE size = 'day'")
    await rolled.owner.execute(
        "INSERT INTO touched SELECT DISTINCT tenant, size, bucket FROM rollups WHERE size = 'day'"
    )
    assert (await rolled.check()).found == {}


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some events say how they were served."""
    monkeypatch.setitem(SERVED, 7, {"region": "EU-west-9"})
    monkeypatch.setitem(SERVED, 9, {"service_tier": "fast", "region": "EU-west-9", "batch": True})


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three events of one tenant and partition state a region each, which nobody knows."""
    for number in (7, 11, 15):
        monkeypatch.setitem(SERVED, number, {"region": f"mars-{number}"})


@pytest.mark.usefixtures("served")
async def test_money_under_remarks_is_added_up_anew_from_what_lines_remark_and_events_state(
    book: WrittenBook,
) -> None:
    in_name = {"remarks": ["region"], "region": "us-west-9"}
    for number, remarks in (
        (7, ["region"]),
        (9, ["batch", "tier", "region"]),
        (8, ["region"]),
        (6, in_name),
    ):
        await book.owner.execute(
            "UPDATE entries SET lines = (SELECT json_agg(line || $2)::text "
            "FROM jsonb_array_elements(lines::jsonb) AS line) WHERE event LIKE $1",
            f'%"id": "e{number}"%', json.dumps(remarks if isinstance(remarks, dict) else {"remarks": remarks}),
        )  # fmt: skip
    report = await book.check()
    assert dict(report.found) == {"I5": 3}  # e6's name says it; e8 states no region, whatever its lines say
    assert "region 'EU-west-9' shard 1" in said(report, "I5")
    assert "region 'us-west-9' shard" in said(report, "I5")
    assert "money under remarks: 0 events of 0, its entries' are 1 events of " in said(report, "I5")
    assert "batch, tier 'fast', region 'EU-west-9' shard 1" in said(report, "I5")
    await book.owner.execute(
        "INSERT INTO remarks_daily SELECT tenant, (recorded_at AT TIME ZONE 'UTC')::date, origin_partition, "
        "event::jsonb #>> '{data,provider}', event LIKE '%\"e9\"%', "
        "CASE WHEN event LIKE '%\"e9\"%' THEN 'fast' ELSE '' END, "
        "CASE WHEN event LIKE '%\"e6\"%' THEN 'us-west-9' ELSE 'EU-west-9' END, currency, 1, effective, "
        "occurred_at, occurred_at FROM entries WHERE event LIKE '%\"e7\"%' OR event LIKE '%\"e9\"%' OR event LIKE '%\"e6\"%'"
    )
    assert not any((await book.check()).found.values())
    await book.owner.execute("UPDATE remarks_daily SET effective = effective + 1e-12 WHERE tier = 'fast'")
    await book.owner.execute(
        "UPDATE remarks_daily SET last_at = last_at + '1s' WHERE region = 'EU-west-9' AND tier = ''"
    )
    found = said(await book.check(), "I5")
    assert "money under remarks: 1 events of " in found
    assert "the same, and their times are not" in found


async def test_a_tier_that_a_models_name_says_is_the_lines_and_not_the_events(book: WrittenBook) -> None:
    await book.owner.execute(
        'UPDATE entries SET lines = (SELECT json_agg(line || \'{"remarks": ["tier"], "tier": "fast"}\')::text '
        'FROM jsonb_array_elements(lines::jsonb) AS line) WHERE event LIKE \'%"id": "e6"%\''
    )
    await book.owner.execute(
        "INSERT INTO remarks_daily SELECT tenant, (recorded_at AT TIME ZONE 'UTC')::date, origin_partition, "
        "event::jsonb #>> '{data,provider}', false, 'fast', '', currency, 1, effective, occurred_at, occurred_at "
        'FROM entries WHERE event LIKE \'%"id": "e6"%\''
    )
    assert not any((await book.check()).found.values())


async def test_beyond_the_spellings_of_a_day_the_rest_is_one_sum_to_the_last_digit(
    made_up: None, book: WrittenBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    await book.owner.execute(
        'UPDATE entries SET lines = (SELECT json_agg(line || \'{"remarks": ["region"]}\')::text '
        "FROM jsonb_array_elements(lines::jsonb) AS line) WHERE event LIKE '%mars-%'"
    )
    await book.owner.execute(
        "INSERT INTO remarks_daily SELECT tenant, (recorded_at AT TIME ZONE 'UTC')::date, origin_partition, "
        "CASE WHEN first THEN 'anthropic' ELSE '' END, false, '', CASE WHEN first THEN 'mars-7' ELSE 'other' END, "
        "currency, count(*), sum(effective), min(occurred_at), max(occurred_at) "
        "FROM entries, LATERAL (SELECT event LIKE '%mars-7%' AS first) AS each WHERE event LIKE '%mars-%' "
        "GROUP BY 1, 2, 3, 4, 7, 8"
    )
    found = said(await book.check(), "I5")  # there was room for each
    assert "globex openai region 'mars-11' shard 1" in found
    assert "globex all other providers region 'other' shard 1" in found
    monkeypatch.setattr("spendmeter.verify.rollups.SPELLINGS_OWN", 1)
    assert not any((await book.check()).found.values())
    await book.owner.execute("UPDATE remarks_daily SET effective = effective + 1e-12 WHERE provider = ''")
    assert "money under remarks: 2 events of " in said(await book.check(), "I5")


async def test_what_is_listed_as_booked_instead_is_held_against_what_the_events_say(
    book: WrittenBook,
) -> None:
    """e1 names nobody and is listed; e5 names e3 and is not."""
    await book.owner.execute(
        "INSERT INTO supersessions SELECT tenant, '\\x00', identity, 'bot', 'e1' FROM entries WHERE strpos(event, '\"e1\"') > 0"
    )
    await book.owner.execute(
        'UPDATE entries SET event = regexp_replace(event, \'"receivedat": "[^"]*"\', '
        '\'"receivedat": "2026-11-27T00:00:00Z", "supersedes": "e3"\') WHERE strpos(event, \'"e5"\') > 0'
    )
    found = said(await book.check(), "I1")
    assert (
        "bot/e1: changed: in whose place it was booked is said of another, or not as the event says" in found
    )
    assert "bot/e5: changed: in whose place it was booked is not said" in found


async def test_an_event_on_the_topic_that_is_not_booked_is_named(book: WrittenBook) -> None:
    await book.owner.execute("UPDATE positions SET next_origin = 29, booked = booked - 1 WHERE partition = 1")
    report = await book.check()
    assert "1 events in flight, from 29 on" in said(report, "I6")
    assert "lost" not in said(report, "I1"), "the broker has it"
    assert report.exit_code == FOUND


async def test_an_event_that_never_reached_the_topic_is_named(book: WrittenBook) -> None:
    line = json.loads(book.sent.read_text().splitlines()[0]) | {"id": "lost"}
    book.sent.write_text(book.sent.read_text() + json.dumps(line) + "\n")
    report = await book.check(submissions=[book.sent])
    assert said(report, "I1") == "acme bot/lost: lost: 1 acknowledged, 0 on the topic"


async def test_a_refused_event_that_was_booked_is_named(book: WrittenBook) -> None:
    lines = [json.loads(line) for line in book.sent.read_text().splitlines()]
    lines[0]["outcome"] = "refused"
    book.sent.write_text("".join(json.dumps(line) + "\n" for line in lines))
    report = await book.check(submissions=[book.sent])
    assert "bot/e0: refused, and yet 1 on the topic" in said(report, "I2")


async def test_usage_changed_between_sender_and_topic_is_named(book: WrittenBook) -> None:
    lines = [json.loads(line) for line in book.sent.read_text().splitlines()]
    lines[0]["usage"]["output_tokens"] += 1
    book.sent.write_text("".join(json.dumps(line) + "\n" for line in lines))
    report = await book.check(submissions=[book.sent])
    assert "acme bot/e0 at usage.events 0@0: changed on the way" in said(report, "I1")


async def test_a_conflict_set_aside_as_a_duplicate_is_named(book: WrittenBook) -> None:
    await book.owner.execute("UPDATE unbooked SET outcome = 'duplicate' WHERE outcome = 'conflict'")
    report = await book.check()
    assert "is a conflict, was set aside as duplicate" in said(report, "I1")


async def test_a_rejected_record_that_is_booked_elsewhere_too_is_named(book: WrittenBook) -> None:
    offset = BAD // PARTITIONS
    await book.owner.execute(
        "UPDATE entries SET origin_offset = $1 WHERE origin_partition = 0 AND origin_offset = 1", offset
    )
    report = await book.check()
    assert f"doubled: 0@{offset} has more than one outcome" in said(report, "I1")


async def test_a_role_that_could_change_an_entry_is_named(book: WrittenBook) -> None:
    database = await book.owner.fetchval("SELECT current_database()")
    await book.owner.execute(f'GRANT UPDATE (list) ON entries TO "{database}_ledger"')
    await book.owner.execute(f'GRANT SELECT ON entries TO "{database}_ingest"')
    await book.owner.execute(f'GRANT SELECT ON incidents TO "{database}_api_team"')
    await book.owner.execute("ALTER TABLE incidents NO FORCE ROW LEVEL SECURITY")
    await book.owner.execute("ALTER TABLE entries DISABLE ROW LEVEL SECURITY")
    report = await book.check()
    assert f"role {database}_ledger: may UPDATE booked entries" in said(report, "I8a")
    assert f"role {database}_ingest, table entries: may SELECT" in said(report, "I8a")
    assert f"role {database}_api_team, table incidents: may SELECT" in said(report, "I8a")
    assert "table incidents: row-level security is not enabled and forced" in said(report, "I8")
    assert "table entries: api without a tenant sees a row of tenant 'acme'" in said(report, "I8")


async def test_what_cannot_be_checked_is_counted_and_ends_with_two(book: WrittenBook) -> None:
    assert book.request.literals is not None
    without = {key: price for key, price in book.request.literals.prices.items() if "gpt-4o" not in key}
    prices = replace(book.request.literals, prices=without)
    report = await book.check(submissions=(), literals=prices)
    assert report.exit_code == INCOMPLETE
    assert report.unchecked["I1"]["submissions: no log of a sender was given"] == 1
    priced_by_other = await book.owner.fetchval("SELECT count(*) FROM entries WHERE event LIKE '%gpt-4o%'")
    assert report.unchecked["I4"] == {"events whose price or currency is not in the table": priced_by_other}


async def test_the_reconciler_can_check_all_but_what_api_sees(book: WrittenBook) -> None:
    url = role_url(book.request.database, "reconciler", "test")
    report = await book.check(database=url)
    assert report.exit_code == INCOMPLETE
    assert {name: sum(counts.values()) for name, counts in report.unchecked.items()} == {"I8": 1}


def test_it_shares_no_code_with_what_it_checks() -> None:
    folder = Path(__file__).parents[2] / "spendmeter" / "verify"
    text = "".join(file.read_text() for file in folder.glob("*.py"))
    for foreign in ("services", "spendmeter.pricing", "spendmeter.contracts", "msgspec"):
        assert f"import {foreign}" not in text
        assert f"from {foreign}" not in text


@pytest.mark.parametrize(("spoiled", "code"), [(False, 0), (True, 1)])
async def test_the_command_prints_json_and_exits_by_what_it_found(
    book: WrittenBook, spoiled: bool, code: int
) -> None:
    if spoiled:
        await book.owner.execute("UPDATE entries SET effective = effective + 1 WHERE event LIKE '%\"e7\"%'")
    prices = book.sent.with_name("prices.toml")
    command = [sys.executable, "-m", "cli", "verify", "--json", "--settle", "0"]
    command += [
        "--submissions",
        str(book.sent),
        "--prices",
        str(prices),
        "--kafka",
        book.request.kafka.servers,
    ]
    command += ["--database", book.request.database, "--topic-prefix", book.request.topic_prefix]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=os.environ | book.request.kafka.environment(),
        check=False,
    )
    assert done.returncode == code, done.stderr
    answer = json.loads(done.stdout)
    assert answer["verdict"] == ("wrong" if spoiled else "clean")
    assert bool(answer["invariants"]["I4"]["found"]) is spoiled


async def test_events_that_the_broker_no_longer_has_are_counted_not_guessed(book: WrittenBook) -> None:
    admin = AIOKafkaAdminClient(**book.request.kafka.options())
    await admin.start()
    await admin.delete_records(
        {TopicPartition(f"{book.request.topic_prefix}usage.events", 1): RecordsToDelete(10)}
    )
    await admin.close()
    report = await book.check()
    assert (report.exit_code, dict(report.named)) == (INCOMPLETE, {})
    assert report.unchecked["I1"] == {
        "offsets that the broker no longer has": 10,
        "submissions whose event the broker no longer has": 10,
    }
    assert report.unchecked["I4"] == {"entries whose event the broker no longer has": 10}


async def test_quantities_of_names_that_nobody_registered_are_in_the_rollups_as_the_rule_says(
    book: WrittenBook,
) -> None:
    """One event of nine such names: the first eight must be there, the ninth may be a unit of the catalog."""

    async def faults(received: str, **rolled: int) -> str:
        names = {f"n{number}": 1 for number in range(1, 10)}
        await book.owner.execute(
            "UPDATE entries SET event = jsonb_set(event::jsonb || jsonb_build_object('receivedat', $1::text), "
            "'{data,usage}', (event::jsonb #> '{data,usage}') || $2::jsonb)::text WHERE event LIKE '%\"e7\"%'",
            received, json.dumps(names),
        )  # fmt: skip
        await book.owner.execute(
            "UPDATE rollups_minute r SET usage = $1::jsonb FROM entries e WHERE e.event LIKE '%\"e7\"%' AND e.series_id = r.series_id "
            "AND date_trunc('minute', e.occurred_at) = r.bucket AND e.origin_partition = r.shard",
            json.dumps(rolled),
        )  # fmt: skip
        return said(await book.check(), "I5")

    eight, late = {f"n{number}": 1 for number in range(1, 9)}, "2026-11-25T18:00:00Z"
    assert await faults(late, **eight) == ""
    assert await faults(late, **eight, n9=1) == ""
    assert "usage of n9 is 2, its entries say 1" in await faults(late, **eight, n9=2)
    del eight["n8"]
    assert "usage of n8 is 0, its entries say 1" in await faults(late, **eight)
    assert await faults("2026-11-25T17:59:59Z", **eight) == ""
    assert "usage of nobodys is 1, its entries say 0" in await faults(late, **eight, n8=1, nobodys=1)
