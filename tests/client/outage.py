"""A hundred thousand records through an ingest that is killed and started again, on a real Kafka.

    python -m tests.client.outage [--records 100000] [--kills 10]        (make outage)

Four threads record. Whenever a further part of the records is sent, ingest is killed while it answers, stays away for
a second and is started again. One record in a hundred is bad (a vendor's name for a unit): the server refuses it. At the end:

- each good record is on the topic, under its identity, and none that nobody recorded;
- what `Meter.stats` says was sent is the number of different identities there;
- each bad one is counted as refused, none is there, and nothing else was dropped.

Sent again with the same id is no fault: the ledger books an identity once. How often that was is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from spendmeter.contracts.event_identity import identity
from spendmeter.contracts.event_reading import decode_event
from spendmeter.platform.kafka_access import KafkaAccess
from spendmeter_client import Drop, Meter, Stats
from tests.ingest.harness import Ingest, prepare_kafka, prepare_postgres, records_of
from tests.stack import Stack

THREADS = 4
BAD_EVERY = 100
AWAY_S = 1.0
FLUSH_S_MAX = 300.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of it."""

    recorded_good: int
    recorded_bad: int
    kills: int
    seconds: float
    stats: Stats
    drops: list[Drop]
    lost: int
    """Good records that are not on the topic."""
    strange: int
    """Identities on the topic that are of no good record."""
    records_on_topic: int
    identities_on_topic: int

    @property
    def repeats(self) -> int:
        return self.records_on_topic - self.identities_on_topic


async def outage(kafka: KafkaAccess, owner_url: str, folder: Path, *, records: int, kills: int) -> Outcome:
    """Do it; every file goes to `folder`."""
    prefix = f"outage{records}."
    await prepare_kafka(kafka, prefix)
    database, keys = await prepare_postgres(owner_url)
    ingest = Ingest(kafka=kafka, database=database, prefix=prefix, log=folder / "ingest.log", keys=keys)
    ingest.start()
    drops: list[Drop] = []
    began = time.monotonic()
    try:
        await asyncio.to_thread(ingest.wait_ready)
        meter = Meter(
            ingest.url, keys["acme"], "outage", buffer_events_max=records, linger_s=0.05, on_drop=drops.append
        )
        good, bad = await asyncio.to_thread(_record_and_kill, meter, ingest, records, kills)
        assert await asyncio.to_thread(meter.flush, FLUSH_S_MAX), meter.stats
        seconds = time.monotonic() - began
        meter.close()
    finally:
        ingest.stop()
    events = [decode_event(record.value or b"") for record in await records_of(kafka, ingest.topic)]
    there = {identity(event.tenant, event.source, event.id) for event in events}
    expected = {identity("acme", "outage", event_id) for event_id in good}
    return Outcome(
        recorded_good=len(good),
        recorded_bad=len(bad),
        kills=kills,
        seconds=seconds,
        stats=meter.stats,
        drops=drops,
        lost=len(expected - there),
        strange=len(there - expected),
        records_on_topic=len(events),
        identities_on_topic=len(there),
    )


def _record_and_kill(meter: Meter, ingest: Ingest, records: int, kills: int) -> tuple[list[str], list[str]]:
    """The ids of the good and of the bad."""
    good = [f"good-{n}" for n in range(records) if n % BAD_EVERY]
    bad = [f"bad-{n}" for n in range(0, records, BAD_EVERY)]
    numbers = iter(range(records))
    threads = [threading.Thread(target=_record, args=(meter, numbers)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for kill in range(kills):
        goal = records * (kill + 1) // (kills + 2)
        while meter.stats.sent < goal:
            time.sleep(0.001)
        time.sleep(random.uniform(0, 0.03))  # somewhere in the next request
        ingest.stop(signal.SIGKILL)
        time.sleep(AWAY_S)
        ingest.start()
        ingest.wait_ready()
    for thread in threads:
        thread.join()
    return good, bad


def _record(meter: Meter, numbers: Iterator[int]) -> None:
    for n in numbers:  # shared: the next one is taken in one step of the interpreter
        is_bad = n % BAD_EVERY == 0
        meter.record(
            provider="openai",
            model="gpt-4o",
            usage={"prompt_tokens" if is_bad else "input_tokens": n + 1},
            id=f"{'bad' if is_bad else 'good'}-{n}",
        )


async def _main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder)) as stack:
        found = await outage(
            stack.kafka, stack.owner_url, Path(folder), records=options.records, kills=options.kills
        )
    said = asdict(found) | {"repeats": found.repeats, "drops": len(found.drops)}
    print(json.dumps(said))
    if found.lost or found.strange or found.stats.sent != found.identities_on_topic:
        raise SystemExit(1)


if __name__ == "__main__":
    asyncio.run(_main())
