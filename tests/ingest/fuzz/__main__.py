"""Five minutes of whatever may come: `make fuzz`, or `make fuzz SECONDS=60`.

Each dialect in turn, round after round: what breaks a rule is shown as small as it can be made, with the seed that
finds it again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from services.ingest.refused import RequestRefused
from tests.ingest.fuzz.dialects import FuzzedDialect, fuzzed
from tests.ingest.fuzz.holds import TookTooLong, check
from tests.ingest.fuzz.requests import drawn

EXAMPLES = 200
"""Of one round of a dialect."""
FAULTS_MAX = 3
"""Of a dialect, and then it is left alone: it has been told."""


@dataclass
class Tally:
    """What became of a dialect's examples."""

    examples: int = 0
    seconds: float = 0.0
    ended: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def round_of(
    dialect: FuzzedDialect, number: int, examples: int = EXAMPLES, *, smallest: bool = False
) -> Counter[str]:
    """One round: so many examples, the same for the same number. Raises what an example raised, the first one or the
    `smallest` that raises it too."""
    names = dialect.all_names
    then = [Phase.shrink] if smallest else []
    ended: Counter[str] = Counter()

    @seed(number)
    @settings(
        max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, *then], print_blob=False,
    )  # fmt: skip
    @given(random=st.randoms(use_true_random=False), place=st.integers(0, 11))
    def whatever_comes(random: Random, place: int) -> None:
        try:
            request = drawn(dialect, names, random)
        except RequestRefused:
            ended["refused"] += 1  # it was packed badly
            return
        try:
            ended[check(dialect, request, place)] += 1
        except BaseException as fault:
            fault.add_note(f"{dialect.name}, round {number}: {_shown(request.incoming)}")
            raise

    whatever_comes()
    return ended


def _told(dialect: FuzzedDialect, number: int, fault: Exception) -> str:
    """The fault, as small as it can be made; of one that takes long that would take longer."""
    if not isinstance(fault, TookTooLong):
        try:
            round_of(dialect, number, smallest=True)
        except Exception as smaller:  # noqa: BLE001 - the same fault once more
            fault = smaller
    return "".join(traceback.format_exception(fault, limit=-6))


def _shown(incoming: object) -> str:
    text = repr(incoming)
    return text if len(text) < 3_000 else f"{text[:1_500]} ... {text[-1_000:]}"


def run(seconds: float, first: int) -> dict[str, Tally]:
    """All dialects for so long."""
    dialects = fuzzed()
    tallies = {dialect.name: Tally() for dialect in dialects}
    ends, number = time.monotonic() + seconds, first
    while time.monotonic() < ends:
        for dialect in dialects:
            tally, began = tallies[dialect.name], time.monotonic()
            if began > ends or len(tally.faults) >= FAULTS_MAX:
                continue
            try:
                tally.ended += (ended := round_of(dialect, number))
                tally.examples += sum(ended.values())
            except Exception as fault:  # noqa: BLE001 - whatever it is, it is told, and fails the run
                tally.faults.append(_told(dialect, number, fault))
                print(tally.faults[-1], flush=True)
            tally.seconds += time.monotonic() - began
        number += 1
        if all(len(tally.faults) >= FAULTS_MAX for tally in tallies.values()):
            break
    return tallies


def main() -> int:
    """0 = everything held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument(
        "--first", type=int, default=time.time_ns() % 10**9, help="the number of the first round"
    )
    asked = parser.parse_args()
    print(f"rounds from {asked.first} on, for {asked.seconds:.0f} s", flush=True)
    tallies = run(asked.seconds, asked.first)
    for name, tally in tallies.items():
        rate = tally.examples / tally.seconds if tally.seconds else 0.0
        became = ", ".join(f"{count} {what}" for what, count in sorted(tally.ended.items()))
        print(f"{name:22} {tally.examples:7} examples  {rate:6.0f}/s  {became}  {len(tally.faults)} faults")
    faults = sum(len(tally.faults) for tally in tallies.values())
    examples = sum(tally.examples for tally in tallies.values())
    spent = sum(tally.seconds for tally in tallies.values())
    print(json.dumps({
        "examples": examples, "seconds": round(spent, 1), "examples_per_s": round(examples / max(spent, 0.1)),
        "dialects": {name: tally.examples for name, tally in tallies.items()}, "faults": faults, "first_round": asked.first,
    }))  # fmt: skip
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
