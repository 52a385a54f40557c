"""A price that changes twice while events arrive, and jobs that price them anew meanwhile: what the book says then.

    python -m tests.faults.repriced [--events 1000000] [--rate 5000] [--days 10] [--seed 1]

Method: models of a provider of its own get their prices by proposal and approval, as people state them. Events of
past days arrive in no order, one in a hundred a copy. Meanwhile one in twenty is corrected: amended, amended twice
with the revisions in any order, or retracted, before it is booked or after, and every tenth request comes twice. When
a quarter is booked other prices are approved, and a job of each tenant prices everything anew by them, beside the
events that go on arriving; while it does, the prices are approved anew once more. When all is booked and the jobs
have ended, others price everything by the last prices, and then the same jobs are asked for once more.

What must hold: every event is booked once; all of it costs what quantities of the sender's own log and the last
prices come to (Decimal, to the last digit); no request writes an event's entries twice; the last jobs change
nothing; every size of rollup is a GROUP BY of the entries; verify finds nothing. Exit code 0 then; the last line is
one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from msgspec import Raw
from msgspec.structs import replace

from spendmeter.contracts.corrections import EventCorrection, RerateRequest, Selection
from tests.benchmarks.load import SOURCE
from tests.book.sizes import wrong_sums
from tests.faults.correcting import TWICE, send_requests
from tests.faults.loading import REQUEST_EVENTS, Prices, accepted, sent, under_load, worth
from tests.faults.price_lists import PriceLists
from tests.faults.watch import watching
from tests.flow.system import System, eventually, priced_by

CORRECTED_SHARE = 20
REPEATED_EVERY = 10
SLICES = 50
UNCHANGED = -1
BOOKED = """
SELECT count(*) AS events, coalesce(sum(money), 0) AS money, count(*) FILTER (WHERE entries <> last + 1) AS gaps,
    count(*) FILTER (WHERE last % 2 = 1) AS retracted, coalesce(sum(entries), 0)::bigint AS entries
FROM (
    SELECT count(*) AS entries, max(seq) AS last, sum(effective) AS money FROM entries
    WHERE series_id IN (SELECT series_id FROM series WHERE provider = $1) GROUP BY identity
) AS each
"""
ARE_APPLIED = """
SELECT count(*) = $2 AND bool_and(state = 'applied') FROM rerate_jobs WHERE rerate_id LIKE $1 || '%'
"""
HAVE_BEGUN = """
SELECT bool_or(seen > 0) FROM rerate_passes WHERE rerate_id LIKE $1 || '%'
"""
CHANGED = """
SELECT coalesce(sum(changed), 0)::bigint FROM rerate_passes WHERE rerate_id LIKE $1 || '%' AND phase = 'applied'
"""
ARE_SETTLED = """
SELECT count(*) = $2 AND bool_and(state <> 'waiting') FROM corrections WHERE correction_id LIKE $1 || '%'
"""
UNKNOWN = "SELECT correction_id FROM corrections WHERE correction_id LIKE $1 || '%' AND state = 'unknown'"
IS_ROLLED_UP = "SELECT NOT EXISTS (SELECT FROM touched)"


@dataclass(kw_only=True)
class Repricing:
    """`await run()` on a system that nobody else uses meanwhile."""

    system: System
    folder: Path
    events: int
    rate: int
    days: float
    seed: int = 1
    written: dict[tuple[str, str], int | None] = field(default_factory=dict)
    """By tenant and id of the events that are corrected: the output tokens of the amend that holds; None = retracted."""

    def __post_init__(self) -> None:
        self.tenants = list(self.system.keys)[:3]
        self.lists = PriceLists(system=self.system, folder=self.folder)
        self.provider = self.lists.provider
        self.log = self.folder / f"{self.provider}.jsonl"
        self.patience_s = 120 + self.events / 500

    async def run(self) -> dict[str, float]:
        """Figures of it. AssertionError when anything is wrong."""
        began = time.monotonic()
        self.owner = await self.system.database()
        try:
            first = await self.lists.approve(await self.lists.propose(0))
            eventually("rating prices by them", lambda: priced_by(self.system) >= first)
            await self._arrive()
            figures = await self._price_anew()
            await self._check()
            return figures | {"seconds": round(time.monotonic() - began)}
        finally:
            await self.owner.close()

    # -- what happens --

    async def _arrive(self) -> None:
        """All the events, half of what happens to them, and the first jobs to their end."""
        said = "--provider", self.provider, "--late-days", str(self.days)
        seconds = self.events / self.rate
        requests = self._corrections()
        with under_load(self.system, self.log, self.seed, str(self.rate), seconds, *said) as load:
            correcting = asyncio.create_task(self._correct(requests, seconds))
            await self._until(
                "a quarter is booked", f"SELECT events >= {self.events // 4} FROM ({BOOKED})", self.provider
            )
            second = await self.lists.approve(await self.lists.propose(1))
            last = await self.lists.propose(2)
            first_jobs = await self._ask_for_jobs("first", second)
            await self._until("the first jobs to have begun", HAVE_BEGUN, first_jobs)
            self.last = await self.lists.approve(last)
            changed = await self.owner.fetchval(CHANGED, first_jobs)
            print(f"approved anew when the first jobs had changed {changed:,} events", flush=True)
            await asyncio.to_thread(accepted, load, self.patience_s)
            await correcting
        async with watching(self.system) as watch:
            await watch.settle(self.patience_s)
        await self._until("the first jobs to be applied", ARE_APPLIED, first_jobs, len(self.tenants))
        await self._settle(requests)

    async def _settle(self, requests: list[EventCorrection]) -> None:
        """What came before the door had its event is unknown for good: it is asked for once more, by another id."""
        asked = {request.id: request for request in requests}
        await self._until("corrections to be settled", ARE_SETTLED, f"{self.provider}-c", len(asked))
        unknown = [each for (each,) in await self.owner.fetch(UNKNOWN, f"{self.provider}-c")]
        await send_requests(self.system, [replace(asked[each], id=f"{each}-again") for each in unknown])
        await self._until("all to be settled", ARE_SETTLED, f"{self.provider}-c", len(asked) + len(unknown))
        print(f"{len(asked):,} corrections, {len(unknown):,} of them before their event", flush=True)

    async def _price_anew(self) -> dict[str, float]:
        """By the last prices, twice."""
        began = time.monotonic()
        jobs = await self._ask_for_jobs("last", self.last)
        await self._until("the last jobs to be applied", ARE_APPLIED, jobs, len(self.tenants))
        took, changed = time.monotonic() - began, await self.owner.fetchval(CHANGED, jobs)
        before = await self._booked()
        again = await self._ask_for_jobs("again", self.last)
        await self._until("the same jobs once more", ARE_APPLIED, again, len(self.tenants))
        assert await self.owner.fetchval(CHANGED, again) == 0, (
            "the same job changed something the second time"
        )
        assert await self._booked() == before
        return {"rerated": changed, "rerated_per_s": round(changed / took)}

    # -- jobs, corrections --

    async def _ask_for_jobs(self, name: str, version: int) -> str:
        """A job of each tenant over everything; what their ids begin with."""
        name = f"{self.provider}-{name}"
        selection = Selection(providers=(self.provider,))
        jobs = [
            RerateRequest(
                id=f"{name}-{tenant}", tenant=tenant, selection=selection, version=version, reason="other prices",
                by="faults", at=datetime.now(UTC), apply=True,
            )
            for tenant in self.tenants
        ]  # fmt: skip
        await send_requests(self.system, jobs)
        return name

    def _corrections(self) -> list[EventCorrection]:
        """Requests in random order, each of an event that will have come in the end."""
        chance, requests = Random(self.seed), []
        numbers = range(1, self.events // REQUEST_EVENTS // len(self.tenants) * REQUEST_EVENTS)
        for tenant in self.tenants:
            for number in chance.sample(numbers, len(numbers) // CORRECTED_SHARE):
                if number % 100:  # the hundredth repeats another one
                    requests += self._correct_event(chance, tenant, number)
        requests += requests[::REPEATED_EVERY]
        chance.shuffle(requests)
        return requests

    def _correct_event(self, chance: Random, tenant: str, number: int) -> list[EventCorrection]:
        event = f"{SOURCE}-{self.seed}-{tenant}-{number}"
        revisions = chance.choice([(), (1,), (1, 2)])
        self.written[tenant, event] = max(revisions, default=None)
        said = {
            "tenant": tenant, "source": SOURCE, "event_id": event, "reason": "a test", "by": "faults",
            "at": datetime.now(UTC),
        }  # fmt: skip
        name = f"{self.provider}-c{tenant}-{number}"
        if not revisions:
            return [EventCorrection(id=name, kind="retract", **said)]
        return [
            EventCorrection(
                id=f"{name}-{revision}", kind="amend", revision=revision,
                patch=Raw(b'{"usage":{"output_tokens":%d}}' % revision), **said,
            )
            for revision in revisions
        ]  # fmt: skip

    async def _correct(self, requests: list[EventCorrection], seconds: float) -> None:
        """Send them bit by bit while the events arrive."""
        size = -(-len(requests) // SLICES)
        for start in range(0, len(requests), size):
            await send_requests(self.system, requests[start : start + size])
            await asyncio.sleep(seconds / SLICES)

    # -- what must hold --

    async def _check(self) -> None:
        prices, lines = self.lists.prices(2), sent(self.log)
        due = sum((self._worth(line, prices) for line in lines), Decimal(0))
        booked = await self._booked()
        retracted = sum(tokens is None for tokens in self.written.values())
        expected = {"events": len(lines), "money": due, "gaps": 0, "retracted": retracted}
        assert {name: booked[name] for name in expected} == expected, (booked, expected)
        assert await self.owner.fetchval(TWICE, self.provider) == 0, (
            "something is corrected twice by one request"
        )
        await self._until("all to be rolled up", IS_ROLLED_UP)
        assert await wrong_sums(self.owner) == []
        said = ("verify", "--json", "--submissions", self.log)
        done = await asyncio.to_thread(self.system.cli, *said, check=False, timeout=3600)
        report = json.loads(done.stdout)
        assert {name: line["named"] for name, line in report["invariants"].items() if line["found"]} == {}
        checked = sum(line["checked"] for line in report["invariants"].values())
        print(f"{booked}; verify found nothing in {checked:,} checks", flush=True)

    def _worth(self, line: dict[str, Any], prices: Prices) -> Decimal:
        tokens = self.written.get((line["tenant"], line["id"]), UNCHANGED)
        if tokens is None:
            return Decimal(0)
        if tokens != UNCHANGED:
            line = line | {"usage": line["usage"] | {"output_tokens": tokens}}
        return worth(line, prices)

    async def _booked(self) -> dict[str, Any]:
        row = await self.owner.fetchrow(BOOKED, self.provider, timeout=600)
        return dict(row) if row else {}

    async def _until(self, what: str, question: str, *said: Any) -> None:
        deadline = time.monotonic() + self.patience_s
        while not await self.owner.fetchval(question, *said, timeout=600):
            assert time.monotonic() < deadline, f"waited {self.patience_s:.0f} s for {what}"
            await asyncio.sleep(0.2)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=5_000)
    parser.add_argument("--days", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="repriced") as name, System(Path(name) / "home") as system:
        figures = asyncio.run(Repricing(system=system, folder=Path(name), **vars(options)).run())
    print(json.dumps({"events": options.events} | figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
