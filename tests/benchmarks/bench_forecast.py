"""How good period-end forecasts are on months that they were not made for. `make bench-forecast`; prints its method, a
table, and one JSON object last.

Each calendar month of each series (forecast_series.py) with four weeks before it is forecast after a quarter, a half and
three quarters of its days, from the days before alone. The numbers in `services/alerts/forecasts/` were chosen on the
first 60 % of each series' months; what is published here is the last 40 %. `--chosen-on` prints the first ones instead.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from datetime import time as clock
from decimal import Decimal
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple
from zoneinfo import ZoneInfo

from services.alerts.forecasts.forecast import DaySpend, forecast
from services.alerts.forecasts.paces import HISTORY_DAYS_MAX
from spendmeter.contracts.periods import add_months
from tests.benchmarks.forecast_series import DAY, Series, real_series, synthetic_series

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / ".venv" / "bench-data"
PEERS = ROOT / ".venv" / "bench" / "bin" / "python"
INSTALLED = ROOT / ".venv" / "bench.stamp"
PARTS = (0.25, 0.5, 0.75)
CHOSEN_ON = 0.6
LEAD_DAYS = 28
QUANTILES = (0.1, 0.5, 0.9)
Range = tuple[float | None, float, float | None]


class Case(NamedTuple):
    """One month of one series, seen after so many of its days."""

    name: str
    part: float
    series: Series
    begin: int
    now: int
    end: int

    @property
    def amounts(self) -> list[float]:
        return [amount for _, amount in self.series]

    @property
    def spent(self) -> float:
        return sum(self.amounts[self.begin : self.now])

    @property
    def actual(self) -> float:
        return sum(self.amounts[self.begin : self.end])


def cases(series: Mapping[str, Series], held_out: bool) -> Iterator[Case]:
    """Of months in which something was spent."""
    for name, days in series.items():
        months = list(whole_months(days[0][0], days[-1][0]))
        split = int(len(months) * CHOSEN_ON)
        for first, beyond in months[split:] if held_out else months[:split]:
            begin, end = (first - days[0][0]).days, (beyond - days[0][0]).days
            for part in PARTS:
                case = Case(name, part, days, begin, begin + round((end - begin) * part), end)
                if case.actual > 0:
                    yield case


def whole_months(first: date, last: date) -> Iterator[tuple[date, date]]:
    month = add_months(first + LEAD_DAYS * DAY, 0)
    while (beyond := add_months(month, 1)) <= last + DAY:
        if month >= first + LEAD_DAYS * DAY:
            yield month, beyond
        month = beyond


def ours(case: Case) -> Range:
    midnight = lambda place: datetime.combine(case.series[0][0] + place * DAY, clock(), UTC)  # noqa: E731
    days = [DaySpend(day=day, amount=Decimal(str(amount))) for day, amount in case.series[: case.now]]
    seen = forecast(
        days, start=midnight(case.begin), end=midnight(case.end), now=midnight(case.now), zone=ZoneInfo("UTC"),
        spent=Decimal(str(case.spent)),
    )  # fmt: skip
    assert seen.armed and seen.p10 is not None and seen.p50 is not None and seen.p90 is not None, seen
    return float(seen.p10), float(seen.p50), float(seen.p90)


def naive(case: Case) -> dict[str, Range]:
    """The month as its first part; as the four weeks before it; each day as a week ago."""
    amounts, days = case.amounts, case.end - case.begin
    week = amounts[case.now - 7 : case.now]
    before = sum(amounts[case.begin - LEAD_DAYS : case.begin]) / LEAD_DAYS * days
    return {
        "run_rate": (None, case.spent / (case.now - case.begin) * days, None),
        "last_month": (None, max(before, case.spent), None),
        "seasonal": (None, case.spent + sum(week[day % 7] for day in range(case.end - case.now)), None),
    }


def peers(asked: Sequence[Case]) -> tuple[dict[str, list[Range | None]], str]:
    """Each model's answers; ({}, "") where statsforecast is not installed."""
    if not INSTALLED.exists():
        return {}, ""
    told = json.dumps(
        [
            [case.amounts[max(0, case.now - HISTORY_DAYS_MAX) : case.now], case.end - case.now]
            for case in asked
        ]
    )
    ran = subprocess.run(
        [PEERS, "-m", "tests.benchmarks.bench_forecast_peers"], input=told, stdout=subprocess.PIPE, text=True,
        cwd=ROOT, check=True,
    )  # fmt: skip
    answers = json.loads(ran.stdout)
    version = answers.pop("version")
    return {
        model: [
            range_ and tuple(None if end is None else case.spent + end for end in range_)
            for case, range_ in zip(asked, ranges, strict=True)
        ]
        for model, ranges in answers.items()
    }, version


def measures(asked: Iterable[Case], said: Iterable[Range | None]) -> dict[str, float | int | None]:
    """Of one method: how often the range held the month, how far its middle was off, what the range cost."""
    inside, wrong, lost, unsaid = [], {part: [] for part in PARTS}, [], 0
    for case, range_ in zip(asked, said, strict=True):
        if range_ is None:
            unsaid += 1
            continue
        low, middle, high = range_
        wrong[case.part].append(abs(middle - case.actual) / case.actual)
        if low is not None and high is not None:
            inside.append(low <= case.actual <= high)
            lost.append(mean(
                max(q * (case.actual - value), (q - 1) * (case.actual - value))
                for q, value in zip(QUANTILES, (low, middle, high), strict=True)
            ) / case.actual)  # fmt: skip
    found = {
        "coverage": round(mean(inside), 4) if inside else None,
        "mape_at_quarter": round(mean(wrong[0.25]), 4),
        "mape_at_half": round(mean(wrong[0.5]), 4),
        "mape_at_three_quarters": round(mean(wrong[0.75]), 4),
        "median_ape_at_half": round(median(wrong[0.5]), 4),
        "pinball": round(mean(lost), 4) if lost else None,
    }
    return found | ({"unsaid": unsaid} if unsaid else {})


def compare(asked: list[Case], with_peers: bool) -> dict[str, object]:
    began = time.perf_counter()
    mine = [ours(case) for case in asked]
    each_ms = (time.perf_counter() - began) * 1000 / len(asked)
    naives = [naive(case) for case in asked]
    models, version = peers(asked) if with_peers else ({}, "")
    return measures(asked, mine) | {
        "forecasts": len(asked),
        "forecast_ms": round(each_ms, 2),
        "naive": {name: measures(asked, [each[name] for each in naives]) for name in naives[0]},
        "statsforecast": {name: measures(asked, said) for name, said in models.items()} or None,
        "statsforecast_version": version or None,
    }


def show(title: str, found: Mapping[str, object]) -> None:
    print(f"\n{title}: {found['forecasts']} forecasts, {found['forecast_ms']} ms each")
    print(f"{'':24}coverage  APE at 1/4   1/2    3/4   median 1/2  pinball")
    rows = {"spendmeter": found} | found["naive"] | (found["statsforecast"] or {"statsforecast": None})
    for name, row in rows.items():
        if row is None:
            print(f"{name:24}could not be installed")
            continue
        numbers = [row["coverage"], row["mape_at_quarter"], row["mape_at_half"], row["mape_at_three_quarters"],
                   row["median_ape_at_half"], row["pinball"]]  # fmt: skip
        print(
            f"{name:24}"
            + "".join(f"{'-' if number is None else format(number, '.3f'):>9}" for number in numbers)
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chosen-on", action="store_true", help="the months that numbers were chosen on")
    parser.add_argument("--alone", action="store_true", help="without statsforecast")
    chosen = parser.parse_args()
    print(__doc__)
    real, made_up = real_series(PACKAGES), synthetic_series()
    print(
        f"{len(real)} real series, {len(made_up)} synthetic ones; coverage is of P10 to P90, 0.80 is right."
    )
    sources = {"synthetic": made_up} | ({"real": real} if real else {})
    found = {}
    for name, series in sources.items():
        found[name] = compare(list(cases(series, not chosen.chosen_on)), not chosen.alone)
        show(name, found[name])
    headline = found.get("real") or found["synthetic"]
    print(json.dumps(headline | {"of": "real" if real else "synthetic", "synthetic": found["synthetic"]}))


if __name__ == "__main__":
    main()
