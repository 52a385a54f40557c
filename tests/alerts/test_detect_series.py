"""The detector as a command on any series."""

from __future__ import annotations

import random
import subprocess
import sys
from datetime import datetime, timedelta

import pytest

from tests.benchmarks.detect import read_rows, verdicts

BEGAN = datetime(2026, 3, 2)  # noqa: DTZ001


def detected(text: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.benchmarks.detect", "-", *options]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60)


def series(count: int, step: timedelta = timedelta(minutes=10), seed: int = 1) -> list[str]:
    draw = random.Random(seed)
    return [f"{BEGAN + number * step},{draw.lognormvariate(3, 1):.3f}" for number in range(count)]


def test_each_row_has_its_stamp_its_score_and_whether_it_alarms() -> None:
    rows = series(400)
    rows[350] = rows[350].split(",")[0] + ",99999"
    done = detected("\n".join(["timestamp,value", *rows]))
    out = done.stdout.splitlines()
    assert out[0] == "timestamp,score,alarm"
    assert [line.split(",")[0] for line in out[1:]] == [row.split(",")[0] for row in rows]
    assert out[351].endswith(",10,1")
    assert all(line.endswith(",0,0") for line in out[1:100])


@pytest.mark.parametrize("count", [1, 24, 25, 26, 144, 300, 777])
def test_a_prefix_of_a_series_gives_the_same_rows(count: int) -> None:
    rows = [(at, value) for _, at, value in read_rows(["timestamp,value", *series(900)])]
    whole = list(verdicts(rows))
    assert len(whole) == len(rows)
    assert any(verdict.score > 0 for verdict in whole)
    assert list(verdicts(rows[:count])) == whole[:count]


def test_gaps_duplicates_blanks_and_disorder_are_taken() -> None:
    rows = series(600)
    rows[40] = rows[40].split(",")[0] + ","
    rows[41] = rows[41].split(",")[0] + ",NaN"
    rows[60] = rows[59]
    rows[80], rows[81] = rows[81], rows[80]
    del rows[200:350]
    text = "\n".join(["timestamp,value", *rows, ""])
    done = detected(text)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(rows) + 1


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "the file is empty"),
        ("time,amount\n1,2\n", "line 1: the columns timestamp and value are needed"),
        ("timestamp,value\nyesterday,1\n", "line 2: 'yesterday' is no time"),
        ("timestamp,value\n2026-03-02,many\n", "line 2: 'many' is no number"),
    ],
)
def test_what_cannot_be_read_is_named_by_its_line(text: str, error: str) -> None:
    done = detected(text)
    assert done.returncode == 1
    assert done.stderr.strip() == f"-: {error}"


@pytest.mark.parametrize("turned", ["reversed", "shuffled"])
def test_rows_in_another_order_are_judged_as_if_they_had_come_by_time(turned: str) -> None:
    rows = series(400)
    rows[350] = rows[350].split(",")[0] + ",99999"
    other = rows[::-1] if turned == "reversed" else random.Random(3).sample(rows, len(rows))
    sorted_, mixed = (detected("\n".join(["timestamp,value", *each])) for each in (rows, other))
    assert ",10,1\n" in sorted_.stdout and sorted_.stderr == ""
    lines = mixed.stdout.splitlines()[1:]
    assert [line.split(",")[0] for line in lines] == [row.split(",")[0] for row in other]
    assert sorted(lines) == sorted(sorted_.stdout.splitlines()[1:])
    assert "not in the order of their times" in mixed.stderr


@pytest.mark.parametrize(
    ("stamp", "meant"),
    [
        ("1767225600", "2026-01-01T00:00:00+00:00"),
        ("1767225600.5", "2026-01-01T00:00:00.500000+00:00"),
        ("1767225600000", "2026-01-01T00:00:00+00:00"),
        ("1767225600000000000", "2026-01-01T00:00:00+00:00"),
        ("49", "1970-01-03T01:00:00+00:00"),
        ("20260101", "2026-01-01T00:00:00+00:00"),
    ],
)
def test_numbers_are_times_too(stamp: str, meant: str) -> None:
    [(_, at, _)] = read_rows(["timestamp,value", f"{stamp},1"])
    assert at.isoformat() == meant


@pytest.mark.parametrize("stamp", ["nan", "inf", "-1e99", "01/02/2026", ""])
def test_what_is_no_time_is_refused(stamp: str) -> None:
    with pytest.raises(ValueError, match=r"line 2: .* is no time"):
        list(read_rows(["timestamp,value", f"{stamp},1"]))


def test_a_header_alone_is_a_series_without_rows() -> None:
    done = detected("timestamp,value\n")
    assert (done.returncode, done.stdout) == (0, "timestamp,score,alarm\n")


def test_stamps_may_be_iso_with_an_offset_and_columns_in_any_order() -> None:
    rows = list(
        read_rows(
            [
                "value,other,timestamp",
                "5,x,2026-03-02T01:00:00+01:00",
                "6,x,2026-03-02 00:10:00",
                "7,x,2026-03-02T00:20:00Z",
            ]
        )
    )
    assert [at.timestamp() - rows[0][1].timestamp() for _, at, _ in rows] == [0, 600, 1_200]
    assert [value for *_, value in rows] == [5.0, 6.0, 7.0]


def test_a_short_series_of_seconds_is_taken_and_says_nothing() -> None:
    rows = series(200, step=timedelta(seconds=1))
    assert {
        line.split(",")[1] for line in detected("\n".join(["timestamp,value", *rows])).stdout.splitlines()[1:]
    } == {"0"}


def test_upwards_alone_does_not_tell_a_fall() -> None:
    rows = [f"{BEGAN + number * timedelta(hours=1)},{100 if number < 200 else 0}" for number in range(210)]
    text = "\n".join(["timestamp,value", *rows])
    assert ",1\n" in detected(text).stdout
    assert ",1\n" not in detected(text, "--up").stdout
