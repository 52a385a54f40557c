"""The anomaly rule, replayed: quiet when nothing happens, one page for one cause, within the open minute."""

from __future__ import annotations

import csv
import gzip
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest

from services.alerts.bursts.anomalies import Anomaly, Known, detect, is_hot
from services.alerts.bursts.expectations import learn
from services.alerts.scopes import MINUTE, TENANT, DetectorScope, Spent, Tally
from spendmeter.contracts.series import Series

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SERVEGEN = Path(__file__).parents[3] / "shared" / "data" / "traces" / "servegen_client_10min.csv.gz"
CENT = Decimal("0.01")

TRIAGE = Series(provider="openai", sku="gpt-4o", team="support", agent="triage", key_id="k1")
REVIEW = Series(provider="anthropic", sku="claude", team="devtools", agent="reviewer", key_id="k1")
SEARCH = Series(provider="google", sku="gemini", team="search", key_id="k1")
DEEP = Series(provider="anthropic", sku="claude", team="research", workflow="deep", agent="deep", key_id="k1")


class Replay:
    """A tenant's spend second by second; `run` looks once a second and says what was found when."""

    def __init__(self, start: datetime = NOON, first_seen: datetime | None = None) -> None:
        self.now = start
        self._first_seen = first_seen
        self._minutes: dict[datetime, dict[Series, Tally]] = defaultdict(dict)
        self._learned_in: datetime | None = None
        self.known: list[Known] = []
        self.grown: list[tuple[datetime, DetectorScope]] = []

    def spend(self, series: Series, amount: Decimal) -> None:
        minute = self.now.replace(second=0)
        known = self._minutes[minute].get(series, Tally(Decimal(0), 0))
        self._minutes[minute][series] = Tally(known.amount + amount, known.events + 1)

    def look(self) -> list[Anomaly]:
        minute = self.now.replace(second=0)
        if self._learned_in != minute:
            closed = {at: list(tallies.items()) for at, tallies in self._minutes.items() if at < minute}
            self._learned, self._learned_in = learn(closed, self.now, self._first_seen), minute
        spent = [
            Spent(at, series, tally.amount)
            for at, tallies in self._minutes.items()
            if at >= self._learned.until
            for series, tally in tallies.items()
        ]
        found = detect(spent, self._learned, self.now, self.known)
        for place, growth in found.grown.items():
            known = self.known[place]
            if known.told.at and self.now - known.told.at >= MINUTE:
                self.grown.append((self.now, growth.scope or next(iter(known.scope.items()), TENANT)))
                self.known[place] = replace(known, told=growth.told.with_highest(known.told))
        return list(found.new)

    def run(self, seconds: int, each: Callable[[Replay], None]) -> list[tuple[int, Anomaly]]:
        found = []
        for second in range(seconds):
            each(self)
            self.now += timedelta(seconds=1)
            for anomaly in self.look():
                found.append((second + 1, anomaly))
                self.known.append(known_of(anomaly))
        return found


def known_of(anomaly: Anomaly) -> Known:
    """What is known when it was told."""
    scope = {} if anomaly.scope == TENANT else dict([anomaly.scope])
    told = {"began_at": anomaly.began_at, "told": anomaly.told}
    return Known(scope=scope, expected_per_minute=anomaly.expected_per_minute, **told)  # type: ignore[arg-type]


def traffic(chance: random.Random, **cents_a_minute: float) -> Callable[[Replay], None]:
    """Calls at random, of random sizes, as dear as said on average."""
    flows = {"triage": TRIAGE, "review": REVIEW, "search": SEARCH, "deep": DEEP}

    def each(replay: Replay) -> None:
        for name, cents in cents_a_minute.items():
            if chance.random() < 0.5:
                replay.spend(flows[name], CENT * Decimal(cents / 30 * chance.lognormvariate(-0.08, 0.4)))

    return each


def usual(seed: int = 1, **more: float) -> Callable[[Replay], None]:
    return traffic(random.Random(seed), **({"triage": 900, "review": 2400, "search": 60, "deep": 0.3} | more))


@pytest.mark.parametrize("seed", range(4))
def test_two_quiet_hours_page_nobody(seed: int) -> None:
    replay = Replay(NOON + timedelta(seconds=seed * 13))
    assert replay.run(2 * 60 * 60, usual(seed)) == []


@pytest.mark.parametrize("second", [0, 20, 55])
def test_ten_times_the_usual_is_found_within_a_minute_and_named_after_its_agent(second: int) -> None:
    replay = Replay()
    assert replay.run(30 * 60 + second, usual()) == []
    found = replay.run(60, usual(review=24_000))
    assert [anomaly.scope for _, anomaly in found] == [("agent", "reviewer")]
    assert found[0][0] <= 30


@pytest.mark.parametrize("began", [0, 20, 47, 52, 59])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_runaway_is_found_in_seconds_when_history_is_a_minute_old(began: int, seed: int) -> None:
    """80 s after a tenant's first event: one dollar a second and rising, as the demo does it."""
    start = NOON + timedelta(seconds=began)
    replay = Replay(start, first_seen=start)
    assert replay.run(80, usual(seed)) == []

    background, calls = usual(seed + 100), count()

    def runaway(replay: Replay) -> None:
        background(replay)
        for _ in range(4):
            replay.spend(DEEP, min(95, 20 + 2 * next(calls)) * CENT)

    found = replay.run(60, runaway)
    assert [anomaly.scope for _, anomaly in found] == [("agent", "deep")], "parents are folded into the cause"
    assert found[0][0] <= 7


def test_nothing_is_unexpected_before_anything_is_known() -> None:
    replay = Replay(NOON, first_seen=NOON)
    assert replay.run(59, usual(deep=50_000)) == []


def test_an_excess_that_does_not_matter_wakes_nobody() -> None:
    replay = Replay()
    replay.run(30 * 60, usual())
    assert replay.run(120, usual(deep=30)) == []  # a hundredfold, but 30 cents a minute


def test_a_new_agent_like_its_siblings_is_no_anomaly() -> None:
    replay = Replay()
    replay.run(20 * 60, traffic(random.Random(1), triage=900, review=2400, search=60))
    assert replay.run(5 * 60, usual(deep=700)) == []


def test_two_causes_are_two_anomalies() -> None:
    replay = Replay()
    replay.run(30 * 60, usual())
    found = replay.run(60, usual(triage=20_000, deep=9_000))
    assert {anomaly.scope for _, anomaly in found} == {("agent", "triage"), ("agent", "deep")}


def test_a_surge_of_a_whole_provider_is_one_page_and_named_after_it() -> None:
    """Nearly all of the excess is with one provider, in no single agent, key or team."""
    replay = Replay()
    replay.run(30 * 60, usual(deep=2_000))
    found = replay.run(60, usual(review=12_000, deep=10_000))
    assert [anomaly.scope[0] for _, anomaly in found] in (["key_id"], ["sku"], ["provider"])


def test_a_known_cause_is_not_named_again() -> None:
    replay = Replay()
    replay.run(30 * 60, usual())
    (found,) = replay.run(60, usual(review=24_000))
    assert found[1].scope == ("agent", "reviewer")
    assert replay.run(180, usual(review=24_000)) == []


def test_a_night_switched_off_is_no_history_of_zeros() -> None:
    replay = Replay()
    replay.run(30 * 60, usual())
    replay.now = (replay.now + timedelta(hours=9)).replace(second=41)
    assert replay.run(10 * 60, usual()) == []
    assert [each.scope for _, each in replay.run(60, usual(review=24_000))] == [("agent", "reviewer")]


def test_a_tenant_of_one_series_pages_for_its_agent() -> None:
    only = {TENANT, ("agent", "triage")}
    replay = Replay()
    replay.run(30 * 60, traffic(random.Random(1), triage=100))
    found = replay.run(60, traffic(random.Random(2), triage=3_000))
    assert len(found) == 1
    assert found[0][1].scope in only - {TENANT}


def test_hot_is_over_the_mark_and_material() -> None:
    assert is_hot(Decimal(4), Decimal(2), hot=Decimal(4))
    assert not is_hot(Decimal("3.99"), Decimal(2), hot=Decimal(4))
    assert not is_hot(Decimal("0.5"), Decimal("0.01"), hot=Decimal("0.02"))


@pytest.mark.skipif(not SERVEGEN.exists(), reason="the ServeGen trace is not here")
def test_real_customers_page_seldom_and_their_bursts_always() -> None:
    """Each bucket stands for a minute; amounts from token counts. The bar is loose: real traffic bursts."""
    clients: dict[tuple[str, str, str], dict[int, Decimal]] = defaultdict(dict)
    with gzip.open(SERVEGEN, "rt") as file:
        for row in csv.DictReader(file):
            tokens = float(row["mean_in"] or 500) + 4 * float(row["mean_out"] or 100)
            cost = Decimal(float(row["req_per_s"]) * 600 * tokens * 3e-6)
            clients[row["category"], row["model"], row["client"]][int(float(row["t_s"]) // 600)] = cost
    largest = sorted(clients.values(), key=lambda history: -sum(history.values()))[:10]
    pages = bursts = days = 0
    for history in largest:
        buckets = range(min(history), min(history) + 2 * 144)
        amounts = [history.get(bucket, Decimal(0)) for bucket in buckets]
        days += 2
        quiet_until = 0
        for place in range(90, len(amounts)):
            window = {
                NOON + at * MINUTE: [(TRIAGE, Tally(amounts[at], 50))] for at in range(place - 70, place)
            }
            now = NOON + (place + 1) * MINUTE - timedelta(milliseconds=1)
            learned = learn(window, now, None)
            before = [
                Spent(at, TRIAGE, rows[0][1].amount) for at, rows in window.items() if at >= learned.until
            ]
            spent = [*before, Spent(NOON + place * MINUTE, TRIAGE, amounts[place])]
            if place >= quiet_until and detect(spent, learned, now, []).new:
                pages += 1
                quiet_until = place + 10
            if place % 100 == 0 and amounts[place] > 1:
                burst = Spent(NOON + place * MINUTE, TRIAGE, 10 * max(amounts[place - 60 : place + 1]))
                bursts += bool(detect([*before, burst], learned, now, []).new) - 1
    print(f"{pages} pages in {days} scope-days of 144 minutes, {-bursts} bursts missed")
    assert pages <= 0.5 * days
    assert bursts == 0
