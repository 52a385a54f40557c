"""`replay` of Mooncake's traces, of any CSV and JSONL by a mapping, dry, and at the speed that it was."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli._mapped_rows import mapped_rows
from cli._trace import due_batches
from cli._trace_rows import BadSample, SampleRow, mooncake_rows
from cli.app import build
from tests.cli.fake import Fake, fake_system


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    with fake_system() as fake:
        for name in ("SPENDMETER_INGEST_URL", "SPENDMETER_API_URL"):
            monkeypatch.setenv(name, fake.url)
        monkeypatch.setenv("SPENDMETER_API_KEY", "sm_test")
        yield fake


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(build(["replay"]), ["replay", *(str(part) for part in arguments)])


def mooncake(at: int, given: int, answered: int, *blocks: int) -> str:
    row = {"timestamp": at, "input_length": given, "output_length": answered, "hash_ids": blocks}
    return json.dumps(row) + "\n"


MOONCAKE = [
    mooncake(0, 1300, 10, 1, 2, 3),
    mooncake(1000, 1500, 20, 1, 2, 9),  # two blocks of 512 were seen: 1,024; 476 were not
    mooncake(2500, 1300, 30, 1, 2, 3),  # all three, the last of them of 276 tokens
    mooncake(2500, 600, 40, 7, 2),  # a block that was seen behind one that was not is not in the cache
]


def test_blocks_that_prompts_began_with_before_are_read_from_the_cache() -> None:
    rows = list(mooncake_rows([*MOONCAKE, "\n"]))
    assert all(isinstance(row, SampleRow) for row in rows)
    assert [row.usage for row in rows if isinstance(row, SampleRow)] == [
        {"input_tokens": 1300, "output_tokens": 10},
        {"input_tokens": 476, "cache_read_tokens": 1024, "output_tokens": 20},
        {"input_tokens": 0, "cache_read_tokens": 1300, "output_tokens": 30},
        {"input_tokens": 600, "output_tokens": 40},
    ]
    assert [row.offset_s for row in rows if isinstance(row, SampleRow)] == [0, 1, 2.5, 2.5]


@pytest.mark.parametrize("bad", ["{", "[]", "{}", mooncake(0, -1, 1), mooncake(0, 1, 1, True)])
def test_a_row_that_is_none_of_mooncakes_is_named(bad: str) -> None:
    *_, last = mooncake_rows([MOONCAKE[0], bad])
    assert isinstance(last, BadSample)
    assert last.line == 2


def test_a_mooncake_trace_is_sent(system: Fake, tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_text("".join(MOONCAKE))
    result = run(file, "--model", "anthropic/claude-sonnet-4-5")
    assert result.exit_code == 0, result.output
    usages = [event["data"]["usage"] for event in system.booked.values()]
    assert usages[1] == {"input_tokens": 476, "cache_read_tokens": 1024, "output_tokens": 20}


def test_a_trace_without_dates_cannot_keep_them(system: Fake, tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_text(MOONCAKE[0])
    result = run(file, "--model", "a/b", "--keep-time")
    assert (result.exit_code, "line 1: time: is not in the file" in result.output) == (1, True)
    assert not system.booked


def test_at_its_own_speed_a_trace_takes_as_long_as_it_took(system: Fake, tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_text("".join(MOONCAKE))
    began = time.monotonic()
    assert run(file, "--model", "a/b", "--speed", "2").exit_code == 0
    assert 1.2 <= time.monotonic() - began < 6  # 2.5 s twice as fast
    assert len(system.booked) == 4


def test_what_is_due_within_a_tick_goes_together_and_nothing_goes_early() -> None:
    events = [(at, {"n": n}) for n, at in enumerate([0, 0.02, 0.2, 0.21, 0.29, 0.9, 0.1])]
    batches = list(due_batches(events, 1, 0.1, 2))
    assert [[event["n"] for event in batch] for _, batch in batches] == [[0], [1], [2], [3, 4], [5, 6]]
    assert [due for due, _ in batches] == pytest.approx([0, 0.1, 0.2, 0.3, 0.9])
    ((fast, _),) = due_batches(events[5:6], 9, 0.1, 2)
    assert fast == pytest.approx(0.1)
    assert all(a <= b for (a, _), (b, _) in pairwise(batches))


CSV = """when,who,model,prompt tokens,out,ms,cost
2026-11-20T10:00:00+01:00,search,openai/gpt-4o, 1200 ,80,830.4,0.0035
2026-11-20 09:30:00,,openai/gpt-4o,5,,,
"""
MAPPED = {
    "time": "when", "label.team": "who", "model": "model", "input_tokens": "prompt tokens", "output_tokens": "out",
    "cost": "cost",
}  # fmt: skip


def arguments(columns: dict[str, str]) -> list[str]:
    return [part for name, column in columns.items() for part in ("--map", f"{name}={column}")]


def test_columns_of_a_csv_become_fields_by_the_mapping(tmp_path: Path) -> None:
    file = tmp_path / "calls.csv"
    file.write_text(CSV)
    first, second = (row for row in mapped_rows(file, MAPPED) if isinstance(row, SampleRow))
    assert first.at is not None
    assert first.at.isoformat() == "2026-11-20T09:00:00+00:00"
    assert first.usage == {"input_tokens": "1200", "output_tokens": "80"}
    assert first.fields["data"] == {
        "labels": {"team": "search"}, "provider": "openai", "sku": "gpt-4o", "reported_cost": {"amount": "0.0035", "currency": "USD"},
    }  # fmt: skip
    assert (second.line, second.usage) == (3, {"input_tokens": "5"})


def test_lines_of_json_are_read_by_paths_and_numbers_stay_exact(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    table = '{"id": "c1", "at": 1763629200000, "usage": {"in": 5}, "gpu": {"s": 0.10000000000000000001}}\n'
    file.write_text(table)
    columns = {
        "id": "id",
        "time": "at",
        "input_tokens": "usage.in",
        "gpu_seconds": "gpu.s",
        "output_tokens": "usage.no",
    }
    (row,) = (row for row in mapped_rows(file, columns) if isinstance(row, SampleRow))
    assert row.usage == {"input_tokens": 5, "gpu_seconds": "0.10000000000000000001"}
    assert (row.fields["id"], row.at and row.at.isoformat()) == ("c1", "2025-11-20T09:00:00+00:00")


def test_a_dry_run_shows_events_and_totals_and_sends_nothing(system: Fake, tmp_path: Path) -> None:
    file = tmp_path / "calls.csv"
    file.write_text(CSV)
    result = run(file, *arguments(MAPPED), "--label", "environment=prod", "--dry-run")
    assert result.exit_code == 0, result.output
    first, second, *rest = result.output.splitlines()
    assert json.loads(first)["data"]["labels"] == {"environment": "prod", "team": "search"}
    assert json.loads(second)["data"]["usage"] == {"input_tokens": "5"}
    assert rest == [
        "2 events of 1 models: input_tokens 1,205, output_tokens 80",
        "  openai/gpt-4o 2",
        "from 2026-11-20T09:00:00+00:00 to 2026-11-20T09:30:00+00:00",
        "nothing was sent",
    ]
    assert not system.booked
    assert run(file, *arguments(MAPPED), "--label", "environment=prod").exit_code == 0
    assert len(system.booked) == 2


def test_bad_rows_are_named_by_line_and_nothing_is_sent_but_where_they_are_skipped(
    system: Fake, tmp_path: Path
) -> None:
    file = tmp_path / "calls.csv"
    file.write_text(
        CSV
        + "yesterday,,openai/gpt-4o,1,1,,\n2026-11-20,,openai/gpt-4o,-7,1,,\n2026-11-20,,openai/gpt-4o,,,,\n"
    )
    for dry in ((), ("--dry-run",)):
        result = run(file, *arguments(MAPPED), *dry)
        assert result.exit_code == 1
        assert "line 4: time: is neither ISO nor a number of seconds since 1970" in result.output
        assert "line 5: data.usage.input_tokens: " in result.output
        assert "line 6: data.usage: " in result.output
        assert not system.booked
    result = run(file, *arguments(MAPPED), "--skip-bad")
    assert result.exit_code == 0, result.output
    assert [event["data"]["usage"]["input_tokens"] for event in system.booked.values()] == ["1200", "5"]


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (["--map", "input_tokens=nowhere", "--model", "a/b"], 1, "has no column 'nowhere'"),
        (["--map", "Input Tokens=out", "--model", "a/b"], 2, "--map Input Tokens"),
        (["--map", "input_tokens", "--model", "a/b"], 2, "--map FIELD=COLUMN"),
        (["--map", "input_tokens=out"], 2, "--model PROVIDER/SKU"),
        (["--map", "input_tokens=prompt tokens", "--model", "a/b", "--speed", "1"], 1, "--map time=COLUMN"),
        (["--model", "a/b"], 1, "has the columns"),
    ],
)
def test_a_wrong_mapping_is_said(system: Fake, tmp_path: Path, more: list[str], code: int, said: str) -> None:
    file = tmp_path / "calls.csv"
    file.write_text(CSV)
    result = run(file, *more)
    assert (result.exit_code, said in result.output) == (code, True), result.output
    assert not system.booked


def test_an_id_from_a_column_makes_a_row_the_same_in_another_file(system: Fake, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"id": f"c{n}", "in": n + 1} for n in range(3)]
    for name, some in (("a.jsonl", rows[:2]), ("b.jsonl", rows[1:])):
        file = tmp_path / name
        file.write_text("".join(json.dumps(row) + "\n" for row in some))
        assert run(file, "--map", "id=id", "--map", "input_tokens=in", "--model", "a/b").exit_code == 0
    assert (sorted(system.booked), system.duplicates) == (["c0", "c1", "c2"], 1)
    assert sum(Decimal(event["data"]["usage"]["input_tokens"]) for event in system.booked.values()) == 6
