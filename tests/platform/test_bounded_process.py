"""Somebody else's bytes are read by a process that cannot take more than it is given."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from spendmeter.platform.bounded_process import BoundError, ProcessBounds, module_lines, run_module

BOUNDS = ProcessBounds(seconds_max=5.0, memory_bytes_max=512 * 1024**2, output_bytes_max=1024)
READS = "import sys; text = sys.stdin.buffer.read()"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path / "reader.py"


async def test_what_it_writes_is_the_answer_and_nothing_of_our_environment_is_there(
    module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "a secret")
    module.write_text(f"{READS}; import os; print(len(text), sys.argv[1], 'DATABASE_URL' in os.environ)")
    assert await run_module("reader", "x", stdin=b"12345", bounds=BOUNDS) == b"5 x False\n"


@pytest.mark.parametrize(
    ("does", "says"),
    [
        ("text = bytearray(2**30)", "more time or memory than a file may"),
        ("sys.stdout.write('x' * 5000)", "more than 1,024 bytes"),
        (
            "import tempfile as t; f = t.TemporaryFile('w'); f.write('x' * 5000); f.close()",
            "ended with code 1",
        ),
        ("import os; os.kill(os.getpid(), 11)", "ended with code -11"),
        ("sys.exit(3)", "ended with code 3"),
    ],
)
async def test_what_passes_a_bound_is_an_error(module: Path, does: str, says: str) -> None:
    module.write_text(f"{READS}\n{does}\n")
    with pytest.raises(BoundError, match=says):
        await run_module("reader", stdin=b"x" * 100_000, bounds=BOUNDS)


async def test_one_that_never_ends_is_killed(module: Path) -> None:
    module.write_text("import time\nwhile True: time.sleep(1)\n")
    began = time.monotonic()
    bounds = ProcessBounds(seconds_max=0.5, memory_bytes_max=2**29, output_bytes_max=1024)
    with pytest.raises(BoundError, match=r"longer than 0\.5 s"):
        await run_module("reader", stdin=b"x" * 5_000_000, bounds=bounds)
    assert time.monotonic() - began < 4


async def test_the_limits_hold_before_the_module_is_loaded(module: Path) -> None:
    module.write_text(
        "import resource as r\n"
        "print(r.getrlimit(r.RLIMIT_AS)[1], r.getrlimit(r.RLIMIT_CPU)[1], r.getrlimit(r.RLIMIT_FSIZE)[1])"
    )
    assert await run_module("reader", stdin=b"", bounds=BOUNDS) == b"536870912 6 0\n"


async def test_lines_come_as_they_are_written_and_the_process_waits_for_its_reader(module: Path) -> None:
    module.write_text("import sys\nfor n in range(200_000): print(n)")
    lines = module_lines("reader", bounds=BOUNDS)
    some = await anext(lines)
    assert some[:2] == [b"0", b"1"]
    assert len(some) < 100_000, "what nobody has asked for is not written yet"
    rest = [line async for more in lines for line in more]
    assert [*some, *rest] == [str(n).encode() for n in range(200_000)]


@pytest.mark.parametrize(
    ("does", "says"),
    [("print('x' * 400_000)", "a line of what it says has more than 1,024 bytes"), ("sys.exit(3)", "code 3")],
)
async def test_a_line_that_is_too_long_or_an_early_end_is_an_error(
    module: Path, does: str, says: str
) -> None:
    module.write_text(f"import sys; print(1); {does}")
    with pytest.raises(BoundError, match=says):
        [line async for more in module_lines("reader", bounds=BOUNDS) for line in more]


async def test_whose_lines_nobody_reads_any_more_is_killed(module: Path, tmp_path: Path) -> None:
    module.write_text("import os, time; print(os.getpid(), flush=True); time.sleep(60)")
    lines = module_lines("reader", bounds=BOUNDS)
    pid = int((await anext(lines))[0])
    await lines.aclose()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
