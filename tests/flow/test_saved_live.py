"""Totals of a running system, saved live at some moments, are what `as_of` tells of them after everything was corrected."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.bench_as_of import QUESTIONS, LiveMoments
from tests.flow.system import System

MOMENTS, BURST = 3, 340


async def test_what_was_saved_live_at_some_moments_is_told_as_of_them_after_two_thousand_corrections(
    system: System, tmp_path: Path
) -> None:
    """`make bench-as-of` does it with ten moments and a hundred thousand corrections."""
    figures = await LiveMoments(
        system=system, folder=tmp_path, moments=MOMENTS, burst=BURST, corrections=2_000, rate=100
    ).run()
    assert figures["corrections"] >= 2_000
    assert figures["equal"] == MOMENTS * len(QUESTIONS)
    assert figures["changed"] == figures["equal"], "the present must tell something else of each"
