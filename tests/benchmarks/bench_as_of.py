"""Totals at ten moments, saved live, and the same asked for `as_of` them after 100,000 corrections: the real system.

    python -m tests.benchmarks.bench_as_of [--moments 10] [--burst 5200] [--corrections 100000] [--rate 1000]

1. `spendmeter up` in a fresh folder; ten models of a provider of its own get their prices by proposal and approval.
   Another tenant sends --rate events/s until the last moment is saved: the book as a whole never rests.
2. --moments times: --burst events of a tenant of its own, most of them of the two days before (in no order), and one
   in 500 of the bursts before (three at least) amended or retracted through the api. Once `proved_until` of the api has come past
   all of it, that instant is a moment, and what /v1/spend says without `as_of` is saved: in all, by team, by model, by
   hour, by hour and team. Each total is held against quantities of the sender x the price list.
3. Corrections: other price lists are approved one after the other, and a job of the api (/v1/rerates) prices the
   tenant's events anew by each, until --corrections events were reversed and replaced.
4. Each moment is asked for by `as_of`: every row must be what was saved, to the last digit; and the present must be
   quantities x the last price list. `equal` counts answers that are, of `answers`; `changed` those that the present
   no longer gives. Times of these questions, one after the other, are `as_of_p50_ms` and `as_of_max_ms`.

The last line is one JSON object; exit code 0 where all are equal.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count, zip_longest
from pathlib import Path
from random import Random
from typing import Any

from tests.benchmarks.load import MODELS
from tests.faults.loading import worth
from tests.faults.price_lists import FACTORS, PriceLists
from tests.flow.system import System, eventually, priced_by, usage_event
from tests.flow.test_terms import KEY_WITHIN_S, Newcomer

SOURCE = "moments"
REQUEST_EVENTS = 1_000
CORRECTED_SHARE, CORRECTED_MIN = 500, 3
NOW_EVERY = 25
"""Of so many events one is of now: with its corrections a quarter of an hour has less than `as_of` reads one by one."""
WITHIN_S = 300.0
QUESTIONS: tuple[dict[str, str], ...] = (
    {},
    {"group_by": "team"},
    {"group_by": "sku"},
    {"bucket": "hour"},
    {"bucket": "hour", "group_by": "team"},
)

Rows = list[dict[str, Any]]


@dataclass(kw_only=True)
class LiveMoments:
    """`await run()`: figures of it. AssertionError when anything is wrong."""

    system: System
    folder: Path
    moments: int
    burst: int
    corrections: int
    rate: int
    seed: int = 1
    usage: dict[str, tuple[str, dict[str, int]]] = field(default_factory=dict)
    """By id of the events that count: their model and what they used, corrections included."""
    corrected: int = 0

    def __post_init__(self) -> None:
        self.chance, self.began = Random(self.seed), datetime.now(UTC)
        self.lists = PriceLists(system=self.system, folder=self.folder)
        self.tenant = Newcomer(self.system)
        self.tenant.api.headers["Cache-Control"] = "no-cache"
        start = self.began.replace(minute=0, second=0, microsecond=0)
        self.span = {
            "from": (start - timedelta(hours=50)).isoformat(),
            "to": (start + timedelta(hours=3)).isoformat(),
        }

    async def run(self) -> dict[str, Any]:
        version = await self.lists.approve(await self.lists.propose(0))
        eventually("rating prices by them", lambda: priced_by(self.system) >= version, WITHIN_S)
        eventually("ingest knows the key", lambda: self.tenant.send("first"), KEY_WITHIN_S, every_s=0.5)
        self._correct("flow", "first", {"kind": "retract"})
        saved: list[tuple[str, list[Rows]]] = []
        with booking_beside(self.system, self.rate):
            for number in range(self.moments):
                saved.append(await asyncio.to_thread(self._live, number))
        by_hand = self.corrected
        last = await self._price_anew()
        times, equal, changed = [], 0, 0
        for (at, live), question in ((each, n) for each in saved for n in range(len(QUESTIONS))):
            began = time.monotonic()
            then = self._told(QUESTIONS[question], as_of=at)
            times.append((time.monotonic() - began) * 1e3)
            other = [row for row in zip_longest(live[question], then) if row[0] != row[1]]
            assert not other, (
                f"as_of {at} {QUESTIONS[question]}: {len(other)} rows of {len(then)}: {other[:3]}"
            )
            equal += 1
            changed += self._told(QUESTIONS[question]) != live[question]
        self._check_total(self._told({}), last)
        times.sort()
        return {
            "moments": len(saved), "answers": len(times), "equal": equal, "changed": changed,
            "events": len(self.usage), "corrections": self.corrected, "of_which_single": by_hand,
            "as_of_p50_ms": round(times[len(times) // 2], 1), "as_of_max_ms": round(times[-1], 1),
            "seconds": round((datetime.now(UTC) - self.began).total_seconds()),
        }  # fmt: skip

    # -- what happens --

    def _live(self, number: int) -> tuple[str, list[Rows]]:
        """A burst, and what is said live once all of it is proved, with the instant up to which it is."""
        known = list(self.usage)
        events = [self._event(f"{number}-{place}") for place in range(self.burst)]
        for first in range(0, len(events), REQUEST_EVENTS):
            self._send(events[first : first + REQUEST_EVENTS])
        if known:
            for event_id in self.chance.sample(known, max(CORRECTED_MIN, len(known) // CORRECTED_SHARE)):
                self._correct_one(event_id)
        eventually("all is booked", lambda: self._events() == len(self.usage), WITHIN_S)
        booked = datetime.now(UTC)

        def proved() -> str | None:
            until = self.tenant.get("/v1/proof")["proved_until"]
            return until if until and datetime.fromisoformat(until) >= booked else None

        at = eventually("it is proved", proved, WITHIN_S)
        assert at is not None
        live = [self._told(question) for question in QUESTIONS]
        self._check_total(live[0], 0)
        print(f"{at}: {len(self.usage):,} events, {self.corrected:,} corrected", flush=True)
        return at, live

    def _event(self, id: str) -> dict[str, Any]:
        _, sku = self.chance.choice(MODELS)
        used = {
            "input_tokens": self.chance.randrange(1, 5_000),
            "output_tokens": self.chance.randrange(1, 900),
        }
        self.usage[id] = sku, used
        event = usage_event(
            id, source=SOURCE, provider=self.lists.provider, sku=sku, usage=used,
            labels={"team": f"team-{self.chance.randrange(20)}"},
        )  # fmt: skip
        now = datetime.now(UTC)
        late = timedelta(seconds=self.chance.randrange(3_600, 48 * 3_600))
        return event | {"time": (now - late if self.chance.randrange(NOW_EVERY) else now).isoformat()}

    def _send(self, events: list[dict[str, Any]]) -> None:
        headers = {"Content-Type": "application/cloudevents-batch+json"}
        url = f"{self.system.ingest}/api/v1/events"
        self.tenant.api.post(url, content=json.dumps(events), headers=headers).raise_for_status()

    def _correct_one(self, id: str) -> None:
        if self.chance.random() < 0.5:
            del self.usage[id]
            self._correct(SOURCE, id, {"kind": "retract"})
            return
        tokens = self.chance.randrange(1_000, 2_000)
        self.usage[id][1]["output_tokens"] = tokens
        self._correct(SOURCE, id, {"kind": "amend", "patch": {"usage": {"output_tokens": tokens}}})

    def _correct(self, source: str, id: str, said: dict[str, Any]) -> None:
        """Back once it is applied."""
        asked = {"source": source, "id": id, "reason": "a test", **said}
        answer = self.tenant.api.post("/v1/corrections", json=asked).raise_for_status()
        if answer.status_code == 202 or answer.json()["state"] == "waiting":
            path = f"/v1/corrections/{answer.json()['correction_id']}"

            def applied() -> bool:
                told = self.tenant.api.get(path)  # 404 until the corrector has come to it
                return told.status_code != 404 and told.raise_for_status().json()["state"] == "applied"

            eventually("it is applied", applied, WITHIN_S)
        self.corrected += 1

    async def _price_anew(self) -> int:
        """Price list after price list, until enough is corrected; which one was the last."""
        for turn in count():
            number = 1 + turn % (len(FACTORS) - 1)
            await self.lists.approve(await self.lists.propose(number))
            began = time.monotonic()
            asked = {"providers": [self.lists.provider], "reason": "other prices", "apply": True}
            job = self.tenant.api.post("/v1/rerates", json=asked).raise_for_status().json()
            path = f"/v1/rerates/{job['rerate_id']}"

            def applied(path: str = path) -> Any:
                told = self.tenant.get(path)
                return told["applied"] if told["state"] == "applied" else None

            changed = eventually("the job is applied", applied, WITHIN_S * 2, every_s=0.2)["changed"]
            assert changed == len(self.usage), f"{changed} of {len(self.usage)} events are priced anew"
            self.corrected += changed
            took = time.monotonic() - began
            print(f"{changed:,} events priced anew in {took:.0f} s", flush=True)
            if self.corrected >= self.corrections:
                return number
        raise AssertionError("unreachable")

    # -- what is told --

    def _told(self, question: dict[str, str], **more: str) -> Rows:
        """Every figure of an answer's rows, but for those that come to nothing."""
        answer = self.tenant.get("/v1/spend", **self.span, **question, **more, limit="5000")
        assert answer["next_cursor"] is None, "it is one page"
        return [row for row in [*answer["totals"], *answer["series"]] if row["events"]]

    def _events(self) -> int:
        return sum(row["events"] for row in self._told({}))

    def _check_total(self, rows: Rows, prices: int) -> None:
        due = sum(
            worth({"provider": self.lists.provider, "sku": sku, "usage": used}, self.lists.prices(prices))
            for sku, used in self.usage.values()
        )
        assert Decimal(rows[0]["effective"]) == due, (rows[0], due)


@contextmanager
def booking_beside(system: System, rate: int) -> Iterator[None]:
    """So many events a second of another tenant."""
    over, turns = threading.Event(), 5

    def send() -> None:
        for number in count():
            if over.is_set():
                return
            due = time.monotonic() + 1 / turns
            events = (usage_event(f"beside-{number}-{place}") for place in range(rate // turns))
            system.send(*events).raise_for_status()
            over.wait(max(0.0, due - time.monotonic()))

    sending = threading.Thread(target=send)
    sending.start()
    try:
        yield
        assert sending.is_alive(), "what was sent beside was not accepted"
    finally:
        over.set()
        sending.join()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--moments", type=int, default=10)
    parser.add_argument("--burst", type=int, default=5_200)
    parser.add_argument("--corrections", type=int, default=100_000)
    parser.add_argument("--rate", type=int, default=1_000)
    options = parser.parse_args()
    print(__doc__, flush=True)
    with tempfile.TemporaryDirectory(prefix="bench") as name, System(Path(name) / "home") as system:
        figures = asyncio.run(LiveMoments(system=system, folder=Path(name), **vars(options)).run())
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
