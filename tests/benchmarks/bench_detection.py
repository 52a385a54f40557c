"""Finds the detector what it should, and how often does it cry wolf? Beside well-known ones, all on the same data.

nab_standard: the standard profile of the Numenta Anomaly Benchmark (tests/benchmarks/nab.py) on the groups that are there, one
threshold for the corpus, the best of each detector. Both what is too high and what is too low counts there.

caught: 60 incidents of a kind, put into real traffic (tests/benchmarks/servegen.py): 14 days of customers who are busy in half
of all buckets of ten minutes, or, for the leaked keys, in 1 to 15 % of them. Seeded; each of two halves of the
customers gets 30 (15 leaked keys). A detector's threshold is the lowest at which the *other* half, undisturbed, has 0.10 episodes
a scope and day in days 8 to 14; busy and sparse customers have one each. The same rule for every detector.
Caught = an alarm within the incident (of a shift or ramp: within two days of its start), in a bucket where the undisturbed
series has none. x10_30min, x5_2h, x3_6h: amounts times so much for so long. shift_x2: times two for good. ramp_x3_1d: rising
to times three over a day, and staying. sparse_leak: six hours of three times what a bucket has when it has anything;
sparse_leak_x10: of ten times.

episodes_per_scope_day: what the thresholds let through on the halves where they were not set. shipped: the same with the threshold
that the code has, for all customers. dear: [caught, of] those that cost at least an hour of what the scope spends in the mean.
by_chance: windows in which the undisturbed series has an alarm.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from services.alerts.detect.scope import ALARM
from tests.benchmarks import nab, servegen
from tests.benchmarks.detect import verdicts
from tests.benchmarks.detect_baselines import BASELINES, cooled
from tests.benchmarks.detect_peers import PEERS

DATA = Path(__file__).parents[3] / "shared" / "data"
BENCH_PYTHON = Path(".venv/bench/bin/python")
RATE = 0.10
PEER_TIMEOUT_S = 3_600

Series = tuple[Sequence[datetime], Sequence[float]]
Batch = Callable[[Sequence[Series]], list[list[float]] | None]
"""Scores of every row of every series; None = this detector cannot be run here."""


@dataclass(frozen=True, kw_only=True)
class Half:
    """Customers with incidents, and those by whom the threshold is set."""

    calm: dict[str, list[float]]
    others: dict[str, list[float]]
    injected: list[servegen.Injection]


def halves(series: dict[str, list[float]], kinds: dict[str, Any], count: int, seed: int) -> list[Half]:
    names = sorted(series)
    parts = [{name: series[name] for name in names[side::2]} for side in (0, 1)]
    return [
        Half(calm=parts[side], others=parts[1 - side], injected=servegen.injections(parts[side], kinds, count // 2, seed + side))
        for side in (0, 1)
    ]  # fmt: skip


def measured(corpus: list[nab.Labelled], groups: list[list[Half]], batch: Batch) -> dict[str, Any] | None:
    """One detector's figures."""
    standard = standing(corpus, batch)
    return None if standard is None else standard | found(groups, batch, None)


def standing(corpus: list[nab.Labelled], batch: Batch) -> dict[str, Any] | None:
    scores = batch([tuple(zip(*each.points, strict=True)) for each in corpus])
    if scores is None:
        return None
    by_name = {each.name: score for each, score in zip(corpus, scores, strict=True)}
    standard, threshold = nab.standard_score(corpus, by_name)
    return {"nab_standard": round(standard, 1), "nab_threshold": float(f"{threshold:.4g}")}


def found(groups: list[list[Half]], batch: Batch, fixed: float | None) -> dict[str, Any]:
    """`fixed`: a threshold that the detector has by itself, for a second count."""
    tally, times = _Tally(), servegen.times()
    for group in groups:
        calm = _scored(batch, times, {**group[0].calm, **group[1].calm})
        for half in group:
            own = servegen.calibrated([calm[name] for name in half.others], RATE)
            injected = batch([(times[: each.end], each.amounts[: each.end]) for each in half.injected])
            assert injected is not None
            tally.add(half, calm, injected, own, fixed)
    return tally.figures(fixed is not None)


class _Tally:
    """Counts over halves and groups."""

    def __init__(self) -> None:
        self.caught: Counter[str] = Counter()
        self.dear: Counter[str] = Counter()
        self.dear_caught: Counter[str] = Counter()
        self.shipped: Counter[str] = Counter()
        self.chance: Counter[str] = Counter()
        self.kinds: dict[str, None] = {}
        self.episodes = self.shipped_episodes = self.scopes = 0

    def add(
        self,
        half: Half,
        calm: dict[str, list[float]],
        injected: list[list[float]],
        own: float,
        fixed: float | None,
    ) -> None:
        for each, scores in zip(half.injected, injected, strict=True):
            rows = range(each.begin, each.end)
            self.kinds[each.kind] = None
            before = calm[each.scope]
            caught = any(scores[row] >= own > before[row] for row in rows)
            self.caught[each.kind] += caught
            self.dear[each.kind] += each.extra_hours >= 1
            self.dear_caught[each.kind] += caught and each.extra_hours >= 1
            self.chance[each.kind] += any(before[row] >= own for row in rows)
            if fixed is not None:
                self.shipped[each.kind] += any(scores[row] >= fixed > before[row] for row in rows)
        self.scopes += len(half.calm)
        self.episodes += sum(servegen.episodes(calm[name], own) for name in half.calm)
        if fixed is not None:
            self.shipped_episodes += sum(servegen.episodes(calm[name], fixed) for name in half.calm)

    def figures(self, shipped: bool) -> dict[str, Any]:
        days = self.scopes * (servegen.DAYS - servegen.WARM_UP / servegen.A_DAY)
        found: dict[str, Any] = {
            "caught": {kind: self.caught[kind] for kind in self.kinds},
            "dear": {kind: [self.dear_caught[kind], self.dear[kind]] for kind in self.kinds},
            "by_chance": {kind: self.chance[kind] for kind in self.kinds},
            "episodes_per_scope_day": round(self.episodes / days, 3),
        }
        if shipped:
            found["shipped"] = {
                "caught": {kind: self.shipped[kind] for kind in self.kinds},
                "episodes_per_scope_day": round(self.shipped_episodes / days, 3),
            }
        return found


def _scored(batch: Batch, times: list[datetime], series: dict[str, list[float]]) -> dict[str, list[float]]:
    scores = batch([(times, amounts) for amounts in series.values()])
    assert scores is not None
    return dict(zip(series, scores, strict=True))


def ours(*, both: bool) -> Batch:
    def batch(series: Sequence[Series]) -> list[list[float]]:
        return [[each.fresh for each in verdicts(zip(*one, strict=True), both=both)] for one in series]

    return batch


def peer(name: str) -> Batch:
    """Another library's detector, in a process and an environment of its own."""

    def batch(series: Sequence[Series]) -> list[list[float]] | None:
        if not BENCH_PYTHON.exists():
            return None
        asked = json.dumps([list(values) for _, values in series])
        command = [str(BENCH_PYTHON), "-m", "tests.benchmarks.detect_peers", name]
        done = subprocess.run(command, input=asked, stdout=subprocess.PIPE, text=True, timeout=PEER_TIMEOUT_S)
        if done.returncode:
            return None
        return [cooled(scores) for scores in json.loads(done.stdout)]

    return batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--no-peers", action="store_true", help="pysad's and river's figures are null then")
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    print(__doc__)
    busy, sparse = servegen.scopes(options.data / "traces" / "servegen_client_10min.csv.gz")
    print(f"{len(busy)} busy and {len(sparse)} sparse customers; halves by turns in the order of their names")
    groups = [
        halves(busy, servegen.KINDS, 60, options.seed),
        halves(sparse, servegen.SPARSE_KINDS, 30, options.seed),
    ]
    corpus = nab.corpus(options.data / "nab")
    figures = _ours(corpus, groups)
    print("ours", json.dumps(figures))
    columns = {
        name: (lambda series, one=one: [one(*each) for each in series]) for name, one in BASELINES.items()
    }
    if not options.no_peers:
        columns |= {name: peer(name) for name in PEERS}
    others = {}
    for name, batch in columns.items():
        others[name] = measured(corpus, groups, batch)
        print(name, json.dumps(others[name]), flush=True)
    figures["baselines"] = {name: others[name] for name in BASELINES}
    for library in ("pysad", "river"):
        figures[f"{library}_best"] = best([each for name, each in others.items() if name.startswith(library)])
    figures["better_than_every_column"] = {
        what: all(value > theirs for theirs in _column(others, what))
        for what, value in _flat(figures).items()
    }
    print(json.dumps(figures | cause_first()))


def _ours(corpus: list[nab.Labelled], groups: list[list[Half]]) -> dict[str, Any]:
    """Both directions on the labelled corpus; only upwards, as alerts do, on spend."""
    standard = standing(corpus, ours(both=True))
    assert standard is not None
    return standard | found(groups, ours(both=False), ALARM)


def best(columns: Sequence[dict[str, Any] | None]) -> dict[str, Any] | None:
    """The best of a library's detectors, for each figure apart: more than any one of them has."""
    known = [each for each in columns if each is not None]
    return {what: max(_flat(each)[what] for each in known) for what in _flat(known[0])} if known else None


def _flat(figures: dict[str, Any]) -> dict[str, float]:
    return {"nab_standard": figures["nab_standard"], **figures["caught"]}


def _column(others: dict[str, dict[str, Any] | None], what: str) -> list[float]:
    return [_flat(each)[what] for each in others.values() if each is not None]


def cause_first() -> dict[str, Any]:
    """What the benchmark of causes says, where there is one."""
    if find_spec("tests.benchmarks.causes") is None:
        return {"cause_first": None}
    causes: dict[str, Any] = import_module("tests.benchmarks.causes").cause_first()
    return {"cause_first": causes["cause_first"], "causes": causes}


if __name__ == "__main__":
    main()
