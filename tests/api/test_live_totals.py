"""Who listens, what a slow one is told, and when a stream ends: without a server and without a database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from services.api.database.transactions import EVERY_TEAM, Onlooker
from services.api.http.problems import HttpRefusal
from services.api.live import following
from services.api.live.following import LISTENERS_MAX, READS_MAX, TENANT_LISTENERS_MAX, LiveTotals
from services.api.live.models import LiveRow, LiveSpan, LiveSpend
from services.api.live.streaming import AUTHORISED_S, HEARTBEAT, pieces

AT = datetime(2026, 11, 27, 9, tzinfo=UTC)


def of(tenant: str, team: str = EVERY_TEAM) -> Onlooker:
    return Onlooker(tenant, team)


ACME, GLOBEX = of("acme"), of("globex")


def spend(amount: str, **said: Any) -> LiveSpend:
    row = LiveRow(
        currency="USD", events=1, unpriced_events=0, list=Decimal(amount), contracted=Decimal(amount),
        effective=Decimal(amount), of_which_provisional=Decimal(0),
    )  # fmt: skip
    complete = {"complete_through": AT, "in_flight": 0, "in_flight_age_s": 0.0, **said}
    spans = {"today": LiveSpan(from_=AT, to=AT, totals=[row])}
    return LiveSpend(at=AT, tz="UTC", currency="USD", spans=spans, **complete)  # type: ignore[arg-type]


class TheBook:
    """Says what a test lets it, and counts who reads."""

    def __init__(self) -> None:
        self.amount = "1"
        self.reads: list[str] = []
        self.raises: Exception | None = None

    async def read(self, onlooker: Onlooker) -> LiveSpend:
        self.reads.append(onlooker.tenant)
        if self.raises:
            raise self.raises
        return spend(f"{self.amount}.{len(onlooker.tenant + onlooker.team)}")


async def may() -> str | None:
    return ""


def said(piece: bytes) -> Any:
    """The amount of an event of totals, or the reason of an end."""
    name, data = piece.decode().strip().split("\n")
    body = json.loads(data.removeprefix("data: "))
    if name == "event: end":
        return body["reason"]
    return body["spans"]["today"]["totals"][0]["effective"]


async def next_of(stream: AsyncIterator[bytes]) -> bytes:
    async with asyncio.timeout(5):
        return await anext(stream)


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "READ_INTERVAL_S", 0.01)


@pytest.fixture
def book() -> TheBook:
    return TheBook()


@pytest.mark.usefixtures("often")
async def test_fifty_who_listen_to_a_tenant_cost_one_reader(book: TheBook) -> None:
    live = LiveTotals(book.read)
    listeners = [live.listen(ACME) for _ in range(50)]
    streams = [pieces(live, each, may) for each in listeners]
    for stream in streams:
        assert await next_of(stream) == b"retry: 5000\n\n"
    assert {said(await next_of(stream)) for stream in streams} == {"1.4"}
    assert len(book.reads) < 10
    for each in listeners:
        live.leave(each)
    reads = len(book.reads)
    await asyncio.sleep(0.05)
    assert len(book.reads) == reads


@pytest.mark.usefixtures("often")
async def test_each_is_told_of_the_own_tenant_or_team_alone(book: TheBook) -> None:
    live = LiveTotals(book.read)
    streams = [pieces(live, live.listen(each), may) for each in (ACME, GLOBEX, of("acme", "data"))]
    for stream in streams:
        await next_of(stream)
    assert [said(await next_of(stream)) for stream in streams] == ["1.4", "1.6", "1.8"]


@pytest.mark.usefixtures("often")
async def test_a_slow_one_is_told_the_newest_and_nothing_is_kept_for_it(book: TheBook) -> None:
    live = LiveTotals(book.read)
    stream = pieces(live, live.listen(ACME), may)
    await next_of(stream)
    assert said(await next_of(stream)) == "1.4"
    for amount in ("2", "3", "4"):  # it takes nothing meanwhile
        book.amount = amount
        await asyncio.sleep(0.03)
    assert said(await next_of(stream)) == "4.4"
    book.amount = "5"
    assert said(await next_of(stream)) == "5.4"


@pytest.mark.usefixtures("often")
async def test_what_does_not_change_is_not_said_each_second_but_goes_on_being_said(book: TheBook) -> None:
    now_s = 100.0
    live = LiveTotals(book.read, lambda: now_s)
    stream = pieces(live, live.listen(ACME), may)
    await next_of(stream)
    await next_of(stream)
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    now_s += following.SAID_AGAIN_S
    async with asyncio.timeout(5):
        assert said(await waiting) == "1.4"


@pytest.mark.usefixtures("often")
async def test_a_stream_ends_with_the_right_to_it_and_beats_until_then(book: TheBook) -> None:
    now_s, reasons = 0.0, ["", "revoked"]

    async def ask() -> str | None:
        return reasons.pop(0)

    live = LiveTotals(book.read, lambda: 0.0)
    stream = pieces(live, live.listen(ACME), ask, lambda: now_s)
    await next_of(stream)
    await next_of(stream)
    now_s += AUTHORISED_S
    book.amount = "2"
    assert await next_of(stream) == HEARTBEAT
    assert said(await next_of(stream)) == "2.4"
    now_s += AUTHORISED_S
    book.amount = "3"
    assert said(await next_of(stream)) == "revoked"
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


@pytest.mark.usefixtures("often")
async def test_while_nobody_can_say_whether_it_may_go_on_it_beats_and_tells_nothing(book: TheBook) -> None:
    now_s, reasons = 0.0, [None, None, ""]

    async def ask() -> str | None:
        return reasons.pop(0)

    live = LiveTotals(book.read, lambda: 0.0)
    stream = pieces(live, live.listen(ACME), ask, lambda: now_s)
    await next_of(stream)
    assert said(await next_of(stream)) == "1.4"
    book.amount = "2"
    for _ in range(3):
        now_s += AUTHORISED_S
        assert await next_of(stream) == HEARTBEAT
    assert said(await next_of(stream)) == "2.4"


@pytest.mark.usefixtures("often")
async def test_a_browsers_session_has_one_stream_and_a_key_many(book: TheBook) -> None:
    live = LiveTotals(book.read)
    older = pieces(live, live.listen(ACME, "session-1"), may)
    others = [pieces(live, live.listen(ACME, name), may) for name in ("session-2", "", "")]
    newer = pieces(live, live.listen(ACME, "session-1"), may)
    for stream in (older, newer, *others):
        await next_of(stream)
    assert said(await next_of(older)) == "replaced"
    assert [said(await next_of(stream)) for stream in (newer, *others)] == ["1.4"] * 4


async def test_streams_of_a_tenant_are_bounded_and_those_that_end_make_room(book: TheBook) -> None:
    live = LiveTotals(book.read)
    open_ = [live.listen(ACME) for _ in range(TENANT_LISTENERS_MAX)]
    with pytest.raises(HttpRefusal) as refused:
        live.listen(ACME)
    assert (refused.value.status, refused.value.retry_after_s) == (429, 5)
    with pytest.raises(HttpRefusal):
        live.listen(of("acme", "search"))  # a team has no share of its own
    live.listen(GLOBEX)
    live.leave(open_[0])
    live.leave(open_[0])
    live.listen(ACME)


async def test_five_hundred_tenants_take_turns_with_four_connections_and_one_more_hears_why_not() -> None:
    at_once, most, read = 0, 0, set[str]()

    async def slowly(onlooker: Onlooker) -> LiveSpend:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0)
        at_once -= 1
        read.add(onlooker.tenant)
        return spend("1")

    live = LiveTotals(slowly)
    tenants = [f"tenant-{number}" for number in range(LISTENERS_MAX)]
    open_ = [live.listen(of(tenant)) for tenant in tenants]
    with pytest.raises(HttpRefusal) as refused:
        live.listen(of("one-more"))
    assert (refused.value.status, refused.value.detail, refused.value.retry_after_s) == (
        503,
        "500 streams of all tenants are open already",
        5,
    )
    await asyncio.gather(*(asyncio.wait_for(each.woken.wait(), 60) for each in open_))
    assert (read, most) == (set(tenants), READS_MAX)
    live.leave(open_[0])
    open_.append(live.listen(of("one-more")))
    for each in open_:
        live.leave(each)


async def test_teams_of_a_tenant_take_turns_with_one_connection_and_leave_it_half_of_its_time() -> None:
    """A read takes 20 ms, and a rest as much: six of them and five rests are 220."""
    at_once, most, read, held = 0, 0, list[str](), asyncio.Event()

    async def slowly(onlooker: Onlooker) -> LiveSpend:
        nonlocal at_once, most
        if onlooker == GLOBEX:
            return spend("1")
        at_once += 1
        most = max(most, at_once)
        await held.wait()
        await asyncio.sleep(0.02)
        at_once -= 1
        read.append(onlooker.team)
        return spend("1")

    live = LiveTotals(slowly)
    teams = [live.listen(of("acme", f"team-{number}")) for number in range(6)]
    other = live.listen(GLOBEX)
    await asyncio.wait_for(other.woken.wait(), 60)
    assert read == []  # nobody of another tenant waits for these
    began_s = asyncio.get_running_loop().time()
    held.set()
    await asyncio.gather(*(asyncio.wait_for(each.woken.wait(), 60) for each in teams))
    assert (len(read), most) == (6, 1)
    assert asyncio.get_running_loop().time() - began_s >= 0.2
    for each in (*teams, other):
        live.leave(each)


@pytest.mark.usefixtures("often")
async def test_a_database_that_is_away_ends_no_stream_and_is_one_line_of_the_log(book: TheBook) -> None:
    live = LiveTotals(book.read)
    stream = pieces(live, live.listen(ACME), may)
    await next_of(stream)
    assert said(await next_of(stream)) == "1.4"
    book.raises = asyncpg.PostgresConnectionError("gone")
    reads = len(book.reads)
    with capture_logs() as logged:
        while len(book.reads) < reads + 5:
            await asyncio.sleep(0.01)
    book.raises, book.amount = None, "7"
    assert said(await next_of(stream)) == "7.4"
    assert [line["event"] for line in logged] == ["live totals cannot be read"]


@pytest.mark.usefixtures("often")
async def test_a_bug_is_raised_and_not_slept_over(book: TheBook) -> None:
    book.raises = ZeroDivisionError("a bug")
    live = LiveTotals(book.read)
    stream = pieces(live, live.listen(ACME), may)
    await next_of(stream)
    with pytest.raises(ZeroDivisionError):
        await next_of(stream)
