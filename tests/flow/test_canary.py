"""A text in every place of a request, through every entrance, is found nowhere but where the allow-list says."""

from __future__ import annotations

import asyncio
import time
from uuid import uuid4

import asyncpg
import httpx
import pytest

from services.ingest.app import ENTRANCES
from tests.flow.book import folded
from tests.flow.canary import Canary, Sending, in_files, in_tables, in_topics, sendings
from tests.flow.otlp import Otlp
from tests.flow.system import System, eventually
from tests.flow.test_traces import MONEY_PATH

TRACE = uuid4().hex
"""Of all requests: each is sampled, so that every service exports what it makes of it."""
KEPT_WITHIN_S = 60
ON_TOPICS_ALONE = {"outcome-subject"}
PLACES_MIN = 250


def send(system: System, sending: Sending) -> httpx.Response:
    headers = {
        "Authorization": f"Bearer {system.keys[sending.key]}",
        "Content-Type": "application/json",
        "traceparent": f"00-{TRACE}-b7ad6b7169203331-01",
    }
    return httpx.request(
        sending.method, system.ingest + sending.path, content=sending.body, headers=headers | dict(sending.headers),
        params=dict(sending.query), timeout=30,
    )  # fmt: skip


def metrics_of(port: int) -> bytes:
    """Of a process; of one that is no service of ours, nothing."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5).content
    except httpx.HTTPError:
        return b""


@pytest.fixture
def watched(otlp: Otlp) -> Canary:
    canary = Canary()
    otlp.watch(canary.stem.encode())
    otlp.watch(bytes.fromhex(TRACE))
    return canary


async def all_is_kept(canary: Canary, owner: asyncpg.Connection) -> None:
    """Wait until what may be kept is, so that what may not has had its chance."""
    deadline = time.monotonic() + KEPT_WITHIN_S
    while left := canary.kept - ON_TOPICS_ALONE - set().union(*(await in_tables(canary, owner)).values()):
        assert time.monotonic() < deadline, f"not kept within {KEPT_WITHIN_S} s: {sorted(left)}"
        await asyncio.sleep(0.5)


async def test_what_people_wrote_and_who_they_are_is_found_nowhere(
    system: System, otlp: Otlp, watched: Canary, owner: asyncpg.Connection
) -> None:
    canary, sent = watched, sendings(watched)
    assert len(canary.places) >= PLACES_MIN
    paths = {each.path for each in sent}
    assert {path for each in ENTRANCES if "{" not in (path := each.path)} <= paths | {"/v3/openmeter/events"}
    for each in sent:
        answer = send(system, each)
        assert answer.status_code == each.status, (each.path, each.body[:300], answer.text)

    await all_is_kept(canary, owner)
    await folded(owner)
    eventually("spans of the three services", lambda: otlp.services_of(TRACE) >= MONEY_PATH)

    # what may be kept is found, so what is not found would have been
    topics, tables = await in_topics(canary, system.kafka), await in_tables(canary, owner)
    assert canary.kept == set().union(*topics.values(), *tables.values()) & canary.kept
    for where, found in (("topics", topics), ("tables", tables)):
        leaked = {name: places - canary.kept for name, places in found.items() if places - canary.kept}
        assert leaked == {}, f"in {where}"
    assert b"request refused" in (system.folder / "logs" / "ingest.log").read_bytes()
    assert in_files(canary, system.folder / "logs") == {}
    for entry in system.state.processes:
        if entry.port:
            assert canary.found(metrics_of(entry.port)) == set(), entry.name
    assert otlp.seen == {"/v1/traces": {bytes.fromhex(TRACE)}}
