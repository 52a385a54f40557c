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
from tests.flow.canary import Canary, in_files, in_tables, in_topics
from tests.flow.canary_requests import Sending, bill, sendings
from tests.flow.otlp import Otlp
from tests.flow.system import System, eventually
from tests.flow.test_bills import Importer
from tests.flow.test_traces import MONEY_PATH

TRACE = uuid4().hex
"""Of all requests: each is sampled, so that every service exports what it makes of it."""
WRITTEN_TO = (
    ("POST", "/v1/privacy/erasures"), ("POST", "/v1/assets"), ("POST", "/v1/corrections"), ("POST", "/v1/channels"),
    ("PUT", "/v1/label-maps"), ("PUT", "/v1/meters"), ("POST", "/v1/budgets"),
)  # fmt: skip
KEPT_WITHIN_S = 60
ON_TOPICS_ALONE = {"outcome-subject"}
PLACES_MIN = 400


@pytest.fixture
def canary(otlp: Otlp) -> Canary:
    made = Canary()
    otlp.watch(made.stem.encode())
    otlp.watch(bytes.fromhex(TRACE))
    return made


async def test_what_people_wrote_and_who_they_are_is_found_nowhere(
    system: System, otlp: Otlp, canary: Canary, owner: asyncpg.Connection
) -> None:
    admin = Importer(system, "acme", "read", "admin")
    send_everything(system, admin, canary)
    assert len(canary.places) >= PLACES_MIN
    await all_is_kept(canary, owner)
    await folded(owner)
    forget(admin, canary.user)
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
    # A trace is named in its spans, and by metrics as an example of what they count; metrics come once a minute.
    assert otlp.seen.pop("/v1/traces") == {bytes.fromhex(TRACE)}
    assert set().union(*otlp.seen.values()) <= {bytes.fromhex(TRACE)}


def send_everything(system: System, admin: Importer, canary: Canary) -> None:
    """Each request is answered as is said of it."""
    sent = sendings(canary)
    paths = {each.path for each in sent}
    assert {path for each in ENTRANCES if "{" not in (path := each.path)} <= paths | {"/v3/openmeter/events"}
    for each in sent:
        answer = send(system, each)
        assert answer.status_code == each.status, (each.path, each.body[:300], answer.text)
    importer = Importer(system, f"canary-{TRACE[:8]}")
    done = importer.imported(bill(canary), map=["team=tag:CostCenter"], file=canary.may("bill-file"))
    assert [bad["field"] for bad in done["bad_rows"]] == ["EffectiveCost"]
    ask_the_api(admin, canary)


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


def ask_the_api(admin: Importer, canary: Canary) -> None:
    """Questions that it cannot answer, or that find nothing."""
    headers = admin.headers | {"User-Agent": canary.at("api-agent")}
    asked = (
        ("GET", f"/{canary.at('api-path')}", {}, 404),
        ("GET", "/v1/spend", {"filter.secret": canary.at("api-filter"), "range": "today"}, 422),
        ("GET", "/v1/spend", {"filter.team": canary.at("api-team"), "range": "today"}, 200),
        ("GET", "/v1/events", {"source": canary.at("api-source"), "id": canary.at("api-id")}, 404),
        ("GET", "/v1/runs", {"run": canary.at("api-run")}, 404),
        *((method, path, {"note": canary.at("api-query")}, 422) for method, path in WRITTEN_TO),
    )
    for method, path, query, status in asked:
        body = {"user": [canary.user], "reason": canary.at("api-body")} if method != "GET" else None
        answer = httpx.request(method, admin.system.api + path, params=query, headers=headers, json=body)
        assert answer.status_code == status, (path, answer.text)
        assert canary.user not in answer.text


def forget(admin: Importer, user: str) -> None:
    """Said once more, by whoever wants it forgotten: one person, whichever entrance named them, and however."""
    said = {"user": user, "reason": "they asked"}
    url = f"{admin.system.api}/v1/privacy/erasures"
    answer = httpx.post(url, json=said, headers=admin.headers, timeout=30)
    assert (answer.status_code, answer.json().get("pseudonyms")) == (201, 2), answer.text


async def all_is_kept(canary: Canary, owner: asyncpg.Connection) -> None:
    """Wait until what may be kept is, so that what may not has had its chance."""
    deadline = time.monotonic() + KEPT_WITHIN_S
    while left := canary.kept - ON_TOPICS_ALONE - set().union(*(await in_tables(canary, owner)).values()):
        assert time.monotonic() < deadline, f"not kept within {KEPT_WITHIN_S} s: {sorted(left)}"
        await asyncio.sleep(0.5)


def metrics_of(port: int) -> bytes:
    """Of a process; of one that is no service of ours, nothing."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5).content
    except httpx.HTTPError:
        return b""
