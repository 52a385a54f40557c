"""Equal questions are answered once, for a second at most; a refusal is nobody else's but theirs who waited for it."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Hashable

import httpx
import pytest
from fastapi import FastAPI

from services.api.http.problems import HttpRefusal, invalid
from services.api.http.shared_answers import ANSWERS_MAX, BYTES_MAX, Ask, SharedAnswers
from tests.api.book import Book
from tests.api.test_workflow_acts import put


class Asked:
    """A question that counts how often it is asked, and is answered when the test says so."""

    def __init__(self, *, size: int = 1) -> None:
        self.times = 0
        self.size = size
        self.go_on = asyncio.Event()
        self.refused = False

    async def __call__(self) -> bytes:
        self.times += 1
        mine = self.times
        await self.go_on.wait()
        if self.refused:
            raise invalid("bucket", "is no bucket")
        return str(mine).encode() * self.size


class Clock:
    """Stands still until it is told to go on."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shared(clock: Clock) -> SharedAnswers:
    return SharedAnswers(clock)


async def test_all_who_ask_at_once_get_one_answer(shared: SharedAnswers) -> None:
    ask = Asked()
    waiting = [asyncio.create_task(shared.get("q", ask)) for _ in range(5)]
    await asyncio.sleep(0)
    ask.go_on.set()
    assert await asyncio.gather(*waiting) == [b"1"] * 5


async def test_another_key_is_another_question(shared: SharedAnswers) -> None:
    ask = Asked()
    ask.go_on.set()
    assert [await shared.get(tenant, ask) for tenant in ("acme", "globex", "acme")] == [b"1", b"2", b"1"]


async def test_an_answer_is_a_second_old_at_most_and_its_age_begins_when_it_is_asked(
    shared: SharedAnswers, clock: Clock
) -> None:
    ask = Asked()
    first = asyncio.create_task(shared.get("q", ask))
    await asyncio.sleep(0)
    clock.now_s = 0.9
    ask.go_on.set()
    assert (await first, await shared.get("q", ask)) == (b"1", b"1")
    clock.now_s = 1.0
    assert await shared.get("q", ask) == b"2"


async def test_what_is_asked_for_all_the_time_is_asked_anew_before_its_second_is_over(
    shared: SharedAnswers, clock: Clock
) -> None:
    ask = Asked()
    ask.go_on.set()
    given = []
    for tenth in range(0, 25, 2):
        clock.now_s = tenth / 10
        given.append(await shared.get("q", ask))
        await asyncio.sleep(0.01)
    # 0 0.2 0.4 0.6 0.8 | 1.0 1.2 1.4 1.6 | 1.8 2.0 2.2 2.4: the second is asked at 0.8, the third at 1.6
    assert given == [b"1"] * 5 + [b"2"] * 4 + [b"3"] * 4


async def test_while_it_is_asked_anew_the_old_one_is_given_and_for_its_second_alone(
    shared: SharedAnswers, clock: Clock
) -> None:
    ask = Asked()
    ask.go_on.set()
    assert await shared.get("q", ask) == b"1"
    ask.go_on.clear()
    clock.now_s = 0.9
    assert [await shared.get("q", ask) for _ in range(3)] == [b"1"] * 3
    clock.now_s = 1.0
    waiting = asyncio.create_task(shared.get("q", ask))
    await asyncio.sleep(0)
    assert not waiting.done()
    ask.go_on.set()
    assert (await waiting, ask.times) == (b"2", 2)


async def test_who_comes_a_second_after_a_slow_question_began_asks_again(
    shared: SharedAnswers, clock: Clock
) -> None:
    ask = Asked()
    slow = asyncio.create_task(shared.get("q", ask))
    await asyncio.sleep(0)
    clock.now_s = 1.5
    second = asyncio.create_task(shared.get("q", ask))
    await asyncio.sleep(0)
    ask.go_on.set()
    assert (await slow, await second) == (b"1", b"2")
    assert await shared.get("q", ask) == b"2"


async def test_who_wants_it_fresh_gets_its_own_and_those_after_it_get_that(shared: SharedAnswers) -> None:
    ask = Asked()
    ask.go_on.set()
    assert await shared.get("q", ask) == b"1"
    assert await shared.get("q", ask, fresh=True) == b"2"
    assert await shared.get("q", ask) == b"2"


async def test_a_refusal_goes_to_all_who_waited_and_is_not_kept(shared: SharedAnswers) -> None:
    ask = Asked()
    ask.refused = True
    waiting = [asyncio.create_task(shared.get("q", ask)) for _ in range(2)]
    await asyncio.sleep(0)
    ask.go_on.set()
    for each in waiting:
        with pytest.raises(HttpRefusal, match="no bucket"):
            await each
    ask.refused = False
    assert await shared.get("q", ask) == b"2"


async def test_who_asked_first_and_went_away_takes_nobody_with_it(shared: SharedAnswers) -> None:
    ask = Asked()
    first, second = (asyncio.create_task(shared.get("q", ask)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    ask.go_on.set()
    assert await second == b"1"


async def test_of_large_answers_no_more_are_kept_than_there_is_room_for(shared: SharedAnswers) -> None:
    ask = Asked(size=BYTES_MAX // 2)
    ask.go_on.set()
    for key in "abc":
        await shared.get(key, ask)
    assert [(await shared.get(key, ask))[:1] for key in "cb"] == [b"3", b"2"]
    assert (await shared.get("a", ask))[:1] == b"4"
    ask.size = BYTES_MAX + 1
    assert [(await shared.get("huge", ask))[:1] for _ in range(2)] == [b"5", b"6"]


async def test_of_many_questions_the_oldest_are_forgotten(shared: SharedAnswers) -> None:
    ask = Asked()
    ask.go_on.set()
    for number in range(ANSWERS_MAX + 1):
        await shared.get(number, ask)
    assert await shared.get(1, ask) == b"2"
    assert await shared.get(0, ask) == str(ANSWERS_MAX + 2).encode()


async def test_what_was_replaced_is_not_held_until_its_second_is_over(shared: SharedAnswers) -> None:
    class Content(bytearray):
        """Can be referred to weakly."""

    alive = []

    async def ask() -> bytes:
        content = Content(b"1")
        alive.append(weakref.ref(content))
        return content  # type: ignore[return-value]

    for _ in range(3):
        await shared.get("q", ask, fresh=True)
    await asyncio.sleep(0)
    gc.collect()
    assert [each() is not None for each in alive] == [False, False, True]


async def test_spend_asked_twice_in_a_second_is_read_once_unless_the_caller_wants_it_fresh(
    acme: httpx.AsyncClient, api: FastAPI, book: Book
) -> None:
    async def events(**headers: str) -> int:
        answer = await acme.get("/v1/spend", params={"from": "2026-11-01"}, headers=headers)
        return int(sum(row["events"] for row in answer.json()["totals"]))

    shared = {"Cache-Control": "max-age=1"}
    assert await events(**shared) == 0
    await book.spend("acme", "2026-11-23T10:00Z", "0.01")
    assert await events(**shared) == 0
    assert await events(**{"Cache-Control": "no-cache"}) == 1
    assert await events(**shared) == 1


async def test_another_tenant_is_never_given_the_same_answer(acme: httpx.AsyncClient, book: Book) -> None:
    await book.spend("acme", "2026-11-23T10:00Z", "0.01")
    globex = {"Authorization": f"Bearer {await book.key('globex', 'read')}"}
    counted = []
    for headers in ({}, globex):
        asked = headers | {"Cache-Control": "max-age=1"}
        answer = await acme.get("/v1/spend", params={"from": "2026-11-01"}, headers=asked)
        counted.append(sum(row["events"] for row in answer.json()["totals"]))
    assert counted == [1, 0]


async def test_the_next_page_of_an_answer_that_was_shared_is_there_for_both(
    acme: httpx.AsyncClient, book: Book
) -> None:
    for team in ("a", "b"):
        await book.spend("acme", "2026-11-23T10:00Z", "0.01", team=team)
    shared = {"Cache-Control": "max-age=1"}
    cursors = []
    for second in ("00.1", "59.9"):
        asked = {"from": f"2026-11-23T09:00:{second}Z", "to": "2026-11-24", "group_by": "team", "top": "1"}
        first = await acme.get("/v1/spend", params=asked, headers=shared)
        cursors.append(first.json()["next_groups"])
        following = await acme.get("/v1/spend", params=asked | {"cursor": cursors[-1]}, headers=shared)
        assert [row["team"] for row in following.json()["totals"] if row["team"]] == ["b"]
    assert cursors[0] == cursors[1]


async def test_a_parameter_that_is_given_twice_is_refused_for_one_of_them_would_be_ignored(
    acme: httpx.AsyncClient,
) -> None:
    answer = await acme.get("/v1/spend?measure=list&measure=effective")
    assert (answer.status_code, answer.json()["detail"]) == (422, "measure: is given twice")
    assert (await acme.get("/v1/spend?filter.team=a&filter.team=b")).status_code == 200


class Noting(SharedAnswers):
    """Notes what is asked, and asks each time."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: list[Hashable] = []

    async def get(self, key: Hashable, ask: Ask, *, fresh: bool = False) -> bytes:
        self.keys.append(key)
        return await ask()


ALIKE_FOR_ALL = ("/v1/models/compare", "/v1/spend", "/v1/spend/changes", "/api/v1/meters/cost/query")
"""Of a tenant, whatever the scopes."""


@pytest.mark.parametrize(
    "path",
    [
        "/v1/coding-agents?tool=codex", "/v1/unit-economics?group_by=team", "/v1/workflows?", "/v1/models/decisions?",
        "/v1/allocations?dimension=team",
        "/v1/workflows/comparison?workflow=refund", "/v1/statements/a?dimension=team",
        "/v1/models/estimate?candidates=openai/gpt-4o&calls_per_day=1&input_tokens=1&output_tokens=1",
        "/v1/models/compare?candidates=openai/gpt-4o&top=3", "/v1/spend?group_by=team&usage=false",
        "/v1/spend/changes?group_by=team", "/api/v1/meters/cost/query?from=2026-11-23T00:00:00Z&groupBy=team",
    ],
)  # fmt: skip
async def test_equal_questions_of_who_may_see_the_same_are_one_until_somebody_changes_something(
    acme: httpx.AsyncClient, api: FastAPI, book: Book, path: str
) -> None:
    noting = api.state.shared_answers = Noting()
    asked, _, parameters = path.partition("?")
    turned = "&".join(["pretty=false", *reversed(parameters.split("&"))]).strip("&")
    for each in (path, f"{asked}?{turned}"):
        await acme.get(each)
    assert len(set(noting.keys)) == 1
    for tenant, *scopes in (("acme", "read"), ("globex", "read", "admin")):
        await acme.get(path, headers={"Authorization": f"Bearer {await book.key(tenant, *scopes)}"})
    others = len(set(noting.keys))
    assert others == (2 if asked in ALIKE_FOR_ALL else 3)
    await put(acme, "settings", survival_days=16)
    await acme.get(path)
    assert len(set(noting.keys)) == others + 1


async def test_where_the_first_of_two_that_fit_holds_the_other_way_round_is_another_question(
    acme: httpx.AsyncClient, api: FastAPI
) -> None:
    noting = api.state.shared_answers = Noting()
    for seats in (["cursor=acme/seat-*", "codex=acme/*"], ["codex=acme/*", "cursor=acme/seat-*"]):
        await acme.get("/v1/coding-agents", params={"seats": seats})
    assert len(set(noting.keys)) == 2
