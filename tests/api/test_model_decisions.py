"""Decisions for a model: forecast, realised, withdrawn, credited; sums worked out by hand, in US dollars."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from services.api.choice import slices
from services.api.choice.decisions import AGAIN, TOO_MUCH
from spendmeter.platform.roles import role_url
from tests.api.book import Book
from tests.api.used_models import UsedModels
from tests.databases import SECRET

MOVE = {
    "title": "support on n",
    "reason": "answers are as good",
    "filter": {"team": "support"},
    "from_model": "openai/m",
    "to_model": "openai/n",
    "owner": "ada",
    "growth": "1..1",
}


def days_ago(days: int) -> datetime:
    return datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=days)


def effective(days: int) -> dict[str, str]:
    return {"effective_day": days_ago(days).date().isoformat()}


@pytest.fixture
async def pool(book: Book, database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """The corrector's."""
    url = role_url(database_url, "corrector", SECRET)
    async with asyncpg.create_pool(url, min_size=1, max_size=3, server_settings={"timezone": "UTC"}) as pool:
        yield pool


@pytest.fixture
async def used(book: Book, pool: asyncpg.Pool) -> UsedModels:
    """Support: 40 calls of m ten days ago; 60 of n six and 50 five days ago, and five of m still. Search has its own."""
    used = UsedModels(book, pool)
    await used.publish()
    await used.call(calls=40, at=days_ago(10))
    await used.call("n", calls=60, at=days_ago(6))
    await used.call("n", calls=50, at=days_ago(5))
    await used.call(calls=5, at=days_ago(5))
    await used.call("n", calls=7, at=days_ago(5), team="search")
    await used.fold()
    return used


async def decide(client: httpx.AsyncClient, status: int = 201, **said: Any) -> dict[str, Any]:
    answer = await client.post("/v1/models/decisions", json=MOVE | effective(8) | said)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def listed(client: httpx.AsyncClient, **asked: str) -> dict[str, Any]:
    answer = await client.get("/v1/models/decisions", params=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_decision_keeps_its_forecast_and_shows_what_it_has_saved(
    used: UsedModels, acme: httpx.AsyncClient
) -> None:
    """40 x 0.002 was to become 40 x 0.001. Of 110 calls at 0.001 on n, m would have taken 0.22."""
    made = await decide(acme)
    forecast, realised = made["forecast"], made["realised"]
    assert (forecast["calls"], forecast["as_is"], forecast["low"], forecast["high"]) == (
        40,
        "0.08",
        "0.04",
        "0.04",
    )
    assert (forecast["saving_low"], forecast["saving_high"], forecast["missing"]) == ("0.04", "0.04", [])
    assert (realised["calls"], realised["calls_left"], realised["says"]) == (110, 5, "")
    assert (realised["booked"], realised["would_low"], realised["saving_low"], realised["saving_high"]) == (
        "0.11", "0.22", "0.11", "0.11"
    )  # fmt: skip
    found = await listed(acme)
    assert [each["id"] for each in found["decisions"]] == [made["id"]]
    assert found["credits"] == [
        {"owner": "ada", "currency": "USD", "decisions": 1, "not_judged": 0, "saving_low": "0.11", "saving_high": "0.11"}
    ]  # fmt: skip
    assert (await listed(acme, owner="bob")) == {"decisions": [], "credits": []}


async def test_a_decision_that_is_too_much_for_an_answer_says_so_and_the_others_are_answered(
    used: UsedModels, acme: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of support there are five days and units of n since; of search, two."""
    much = await decide(acme)
    little = await decide(acme, filter={"team": "search"})
    monkeypatch.setattr(slices, "ROWS_MAX", 4)
    found = {each["id"]: each["realised"] for each in (await listed(acme))["decisions"]}
    assert found[much["id"]]["says"] == TOO_MUCH
    assert (found[much["id"]]["calls"], found[much["id"]]["saving_low"]) == (None, None)
    assert found[little["id"]]["calls"] == 7
    answer = await acme.get(f"/v1/models/decisions/{much['id']}")
    assert (answer.status_code, answer.json()["realised"]["says"]) == (200, TOO_MUCH)


async def test_while_the_book_is_added_up_anew_nothing_is_said_to_be_saved_and_nothing_forecast(
    used: UsedModels, acme: httpx.AsyncClient
) -> None:
    made = await decide(acme)
    await used.book.partition(0, log_end=10**6, read_at=days_ago(0), booked=10**6)
    [found] = (await listed(acme))["decisions"]
    assert (found["realised"]["says"], found["realised"]["saving_low"]) == (AGAIN, None)
    assert found["forecast"] == made["forecast"]
    refused = await acme.post(
        "/v1/models/decisions", json=MOVE | effective(8) | {"filter": {"team": "search"}}
    )
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "60")


async def test_what_is_too_early_is_said_and_in_no_credit(used: UsedModels, acme: httpx.AsyncClient) -> None:
    made = await decide(acme, **effective(6))
    assert made["realised"]["says"] == "too early: 6 of 7 complete days, 110 of 100 calls"
    assert (made["realised"]["saving_low"], made["realised"]["booked"]) == (None, None)
    [credit] = (await listed(acme))["credits"]
    assert (credit["not_judged"], credit["saving_low"]) == (1, "0")
    future = await decide(
        acme, **effective(-3), filter={"team": "search"}, from_model="openai/n", to_model="openai/m"
    )
    assert (future["realised"]["last_day"], future["realised"]["calls"]) == (None, 0)


async def test_unknown_tokenizers_leave_both_savings_an_interval(
    used: UsedModels, acme: httpx.AsyncClient
) -> None:
    """Forecast: 0.08 less 0.04 x 1.8 and x 0.55. Realised: on m the tokens are again 0.55 to 1.8 times those of n."""
    made = await decide(acme, growth="")
    assert (made["forecast"]["saving_low"], made["forecast"]["saving_high"]) == ("0.008", "0.058")
    assert (made["realised"]["would_low"], made["realised"]["would_high"]) == ("0.121", "0.396")
    assert (made["realised"]["saving_low"], made["realised"]["saving_high"]) == ("0.011", "0.286")


async def test_calls_that_were_on_the_new_model_before_may_be_no_saving(
    used: UsedModels, acme: httpx.AsyncClient
) -> None:
    """165 in the 30 days before are 44 in 8: of 110 calls 66, or 0.6, are new; 0.6 x 0.11 = 0.066."""
    await used.call("n", calls=165, at=days_ago(20))
    await used.fold()
    realised = (await decide(acme))["realised"]
    assert (realised["saving_low"], realised["saving_high"]) == ("0.066", "0.11")
    assert any("may be no saving" in note for note in realised["notes"])


async def test_a_calls_saving_is_one_decisions(used: UsedModels, acme: httpx.AsyncClient) -> None:
    await decide(acme)
    assert "some of the same calls" in (await decide(acme, 409, filter={}))["detail"]
    await decide(acme, filter={"team": "search"})
    await decide(acme, 422, filter={"team": "legal"}, to_model="openai/m")
    await decide(acme, 422, from_model="m")
    await decide(acme, 422, growth="2..1")
    await decide(acme, 422, growth="x:1..2")
    await decide(acme, 422, filter={"nothing": "x"})
    await decide(acme, 422, **effective(400))


async def test_a_withdrawn_decision_stays_and_is_nobodys(used: UsedModels, acme: httpx.AsyncClient) -> None:
    made = await decide(acme)
    for reason in ("answers got worse", "again"):
        answer = await acme.post(f"/v1/models/decisions/{made['id']}/withdraw", json={"reason": reason})
        assert answer.status_code == 200, answer.text
        assert (answer.json()["withdrawn_reason"], answer.json()["realised"]) == ("answers got worse", None)
    found = await listed(acme)
    assert (len(found["decisions"]), found["credits"]) == (1, [])
    assert found["decisions"][0]["forecast"] == made["forecast"]
    await decide(acme)


async def test_without_evidence_the_forecast_says_so(used: UsedModels, acme: httpx.AsyncClient) -> None:
    forecast = (await decide(acme, filter={"team": "legal"}))["forecast"]
    assert forecast["missing"] == ["no call of openai/m is booked in these days and this slice"]
    assert (forecast["saving_low"], forecast["calls"]) == (None, 0)
    lacking = await decide(acme, to_model="openai/in-only")
    assert lacking["forecast"]["missing"] == ["it has no price for output_tokens"]


async def test_who_only_reads_decides_nothing_and_another_tenant_sees_nothing(
    used: UsedModels, acme: httpx.AsyncClient, book: Book
) -> None:
    made = await decide(acme)
    acme.headers["Authorization"] = f"Bearer {await book.key('acme', 'read')}"
    await decide(acme, 403, filter={"team": "search"})
    acme.headers["Authorization"] = f"Bearer {await book.key('globex', 'read', 'admin')}"
    assert (await listed(acme))["decisions"] == []
    assert (await acme.get(f"/v1/models/decisions/{made['id']}")).status_code == 404
    path = f"/v1/models/decisions/{made['id']}/withdraw"
    assert (await acme.post(path, json={"reason": "x"})).status_code == 404
