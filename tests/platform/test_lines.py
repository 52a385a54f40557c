"""What becomes of log lines on a full disk, on a real one of a few kilobytes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from spendmeter.platform.lines import Lines

DISK_BYTES = 64 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, which is soon full. Skipped, by name, where nothing may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("a full disk needs a mount, which is not allowed here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def read(log: Path) -> list[dict[str, object]]:
    """Every line of the log; one that was cut is no JSON."""
    text = log.read_text()
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def fill(disk: Path) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as out:
        try:
            while out.write(b"x" * 512):
                pass
        except OSError:
            return filler
    raise AssertionError("the disk has no end")


@pytest.mark.parametrize("length", range(80, 1200, 160))
def test_a_full_disk_costs_lines_and_the_last_line_says_so_whole(disk: Path, length: int) -> None:
    log = disk / "service.log"
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    lines = Lines(descriptor, "ingest")
    lines.write(json.dumps({"event": "x" * length}) + "\n")
    filler = fill(disk)
    for number in range(100):
        lines.write(json.dumps({"event": "x" * length, "number": number}) + "\n")
    assert read(log)[-1] | {"timestamp": ""} == {
        "service": "ingest", "event": "the log cannot be written: lines are lost",
        "error": "No space left on device", "level": "error", "timestamp": "",
    }  # fmt: skip
    written = sum("number" in line for line in read(log))
    filler.unlink()
    lines.write('{"event": "there is room again"}\n')
    *_, lost, last = read(log)
    assert (lost["event"], last["event"]) == ("log lines were lost", "there is room again")
    counts = [line["count"] for line in read(log) if line["event"] == "log lines were lost"]
    assert sum(counts) >= 100 - written  # and those whose place the notice took
    os.close(descriptor)


def test_a_log_that_nobody_reads_any_longer_ends_no_process() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    lines = Lines(writer, "ingest")
    lines.write("one\n")
    lines.write("two\n")
    os.close(writer)
    lines.write("three\n")
