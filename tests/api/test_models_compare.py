"""Own traffic on other models, and what is to come: folded by the corrector's own code, sums worked out by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from services.api.choice import priced_slices, routes
from services.api.choice.priced_slices import PricedSlices, priced_since, priced_slice
from spendmeter.contracts.catalog import Conditions
from spendmeter.platform.roles import role_url
from tests.api.book import Book
from tests.api.used_models import YESTERDAY, UsedModels
from tests.databases import SECRET
from tests.pricing.entries import price

ALIKE = "openai/n:1..1"
"""By the tenant's own count, texts are as long in n's tokens as in m's."""


@pytest.fixture
async def pool(book: Book, database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """The corrector's."""
    url = role_url(database_url, "corrector", SECRET)
    async with asyncpg.create_pool(url, min_size=1, max_size=3, server_settings={"timezone": "UTC"}) as pool:
        yield pool


@pytest.fixture
async def used(book: Book, pool: asyncpg.Pool) -> UsedModels:
    """40 calls of m by support: 38 end ok after 1 s, two fail after 3 s; 30 of n by search, ok after half a second."""
    used = UsedModels(book, pool)
    await used.publish()
    await used.call(calls=38)
    await used.call(calls=2, latency_ms=3000, status="error")
    await used.call("n", calls=30, team="search", latency_ms=500)
    await used.fold()
    return used


async def compare(client: httpx.AsyncClient, status: int = 200, **asked: Any) -> dict[str, Any]:
    answer = await client.get("/v1/models/compare", params=asked)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def by_name(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in found["models"]}


async def test_a_slice_is_compared_by_cost_time_and_success(
    used: UsedModels, acme: httpx.AsyncClient
) -> None:
    """As it is 40 x 0.002 = 0.08, of which 38 of 40 calls end ok: 0.002 / 0.95 = 0.002105263158 a success. On n half of
    it. One error is worth 0.1, a second 0.01: 0.002 + 0.05 x 0.1 + 1.1 x 0.01 = 0.018 of m, were its latencies known
    exactly; the middle of their buckets is 1,007.5 and 3,007.5 ms or so."""
    found = await compare(
        acme, **{"filter.team": "support"}, candidates="openai/n,openai/in-only,openai/nobody", growth=ALIKE,
        price_per_error="0.1", price_per_second="0.01",
    )  # fmt: skip
    rows = by_name(found)
    [traffic] = found["traffic"]
    assert (traffic["calls"], traffic["booked"], traffic["models"]) == (40, "0.08", ["openai/m"])
    assert traffic["contexts"] == [{"over": 0, "calls": 40}]
    own, n = rows[""], rows["openai/n"]
    assert (own["low"], own["high"], own["per_call_low"]) == ("0.08", "0.08", "0.002")
    assert (own["quality"]["calls"], own["quality"]["ok"], own["quality"]["success"]) == (40, 38, "0.95")
    assert own["per_success_low"] == "0.002105263158"
    assert 980 < float(own["quality"]["p95_ms"]) < 1020
    assert (n["low"], n["high"], n["saving_low"], n["saving_high"]) == ("0.04", "0.04", "0.04", "0.04")
    assert (n["quality"]["calls"], n["quality"]["success"], n["per_success_low"]) == (30, "1", "0.001")
    assert (own["where"], own["dominated_by"], n["where"]) == ("dominated", ["openai/n"], "front")
    assert own["score"]["errors"] == "0.005"
    assert 0.0109 < float(own["score"]["waiting"]) < 0.0112
    assert rows["openai/in-only"]["missing"] == ["it has no price for output_tokens"]
    assert rows["openai/nobody"]["missing"] == ["nobody here knows a price of openai/nobody"]
    assert rows["openai/nobody"]["low"] is rows["openai/nobody"]["quality"] is None
    assert rows["openai/nobody"]["where"] == "unknown"


async def test_unknown_tokenizers_make_a_wide_interval_that_says_so(
    used: UsedModels, acme: httpx.AsyncClient
) -> None:
    """0.04 x 0.55 and x 1.8."""
    n = by_name(await compare(acme, **{"filter.team": "support"}, candidates="openai/n"))["openai/n"]
    assert (n["low"], n["high"]) == ("0.022", "0.072")
    assert (n["saving_low"], n["saving_high"]) == ("0.008", "0.058")
    assert any("assumed" in note for note in n["notes"])


async def test_calls_without_a_price_of_their_own_leave_the_saving_of_the_others_known(
    used: UsedModels, acme: httpx.AsyncClient
) -> None:
    """40 calls of m come to 0.08 there and 0.04 on n, whatever 2 calls of a new model and 1 of a price for input alone
    may cost. By themselves they have a price on n, 3 x 0.001, and none as they are."""
    await used.call("preview", calls=2, status="error")
    await used.call("in-only")
    await used.fold()
    everything = {"filter.team": "support", "candidates": "openai/n", "growth": ALIKE}
    found = await compare(acme, **everything)
    own, n = by_name(found)[""], by_name(found)["openai/n"]
    assert (own["low"], own["high"], own["per_call_low"], own["quality"]["calls"]) == (
        "0.08",
        "0.08",
        "0.002",
        40,
    )
    assert (n["low"], n["saving_low"], n["saving_high"]) == ("0.04", "0.04", "0.04")
    [traffic] = found["traffic"]
    assert (traffic["calls"], len(traffic["models"])) == (43, 3)
    assert [(left["name"], left["calls"]) for left in traffic["left_out"]] == [
        ("openai/in-only", 1),
        ("openai/preview", 2),
    ]
    assert traffic["left_out"][1]["missing"] == ["nobody here knows a price of openai/preview"]
    alone = await compare(acme, **everything, **{"filter.sku": ["preview", "in-only"]})
    rows = by_name(alone)
    assert (rows[""]["low"], rows["openai/n"]["low"], rows["openai/n"]["saving_low"]) == (None, "0.003", None)
    assert alone["traffic"][0]["left_out"] == []


async def test_without_candidates_all_that_can_take_the_traffic_are_compared(
    used: UsedModels, acme: httpx.AsyncClient
) -> None:
    found = await compare(acme, **{"filter.team": "support"}, top=1)
    assert list(by_name(found)) == ["", "openai/n"]
    assert (found["not_shown"], found["not_comparable"]) == (1, 1)


async def test_the_same_model_is_what_was_booked_and_a_retraction_leaves_both(
    used: UsedModels, acme: httpx.AsyncClient
) -> None:
    rows = by_name(await compare(acme, candidates="openai/m", **{"filter.team": "support"}))
    assert rows["openai/m"]["low"] == rows["openai/m"]["high"] == rows[""]["low"] == "0.08"
    assert rows["openai/m"]["saving_low"] == "0"
    await used.call(latency_ms=9000, status="error")
    await used.fold()
    rows = by_name(await compare(acme, candidates="openai/m", **{"filter.team": "support"}))
    assert (rows["openai/m"]["low"], rows[""]["quality"]["calls"]) == ("0.082", 41)
    await used.retract_last()
    await used.book.connection.execute(
        "INSERT INTO corrector (topic, next_entry) VALUES ('corrections', 1000)"
    )
    await used.fold()
    found = await compare(acme, candidates="openai/m", **{"filter.team": "support"})
    rows = by_name(found)
    assert rows["openai/m"]["low"] == found["traffic"][0]["booked"] == "0.08"
    assert (rows[""]["quality"]["calls"], rows[""]["quality"]["success"]) == (40, "0.95")


async def test_a_slice_is_priced_once_until_a_call_is_folded_or_a_price_published(
    used: UsedModels, acme: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """40 calls of m cost 0.04 on n, the one that comes later 0.001, and at twice the price twice of both."""
    priced: list[str] = []
    compared = routes._compared

    def counted(*asked: Any) -> Any:
        priced.append("once more")
        return compared(*asked)

    monkeypatch.setattr(routes, "_compared", counted)
    monkeypatch.setattr(priced_slices, "PRICED_FOR", timedelta(days=1))
    asked = {"candidates": "openai/n", "growth": ALIKE, "filter.team": "support"}
    first = await compare(acme, **asked)
    assert (await compare(acme, **asked))["models"] == first["models"]
    assert (by_name(first)["openai/n"]["low"], len(priced)) == ("0.04", 1)
    await compare(acme, **{**asked, "filter.team": "search"})
    assert len(priced) == 2
    await used.call()
    await used.fold()
    assert by_name(await compare(acme, **asked))["openai/n"]["low"] == "0.041"
    await used.publish(price("dear", "input_tokens", "9"), price("dear", "output_tokens", "9"))
    assert "openai/dear" in by_name(await compare(acme, **{**asked, "candidates": "openai/dear"}))
    assert by_name(await compare(acme, **asked))["openai/n"]["low"] == "0.041"
    assert len(priced) == 5


async def test_long_contexts_cost_what_the_candidate_takes_for_them(
    used: UsedModels, acme: httpx.AsyncClient
) -> None:
    """One call of 300,000 tokens among 40 short ones: which of the 340,000 are long, sums do not say: input is from
    0.34 to 0.68. Without it, 0.04 for sure."""
    long = Conditions(context_min=200_000)
    steep = [
        price("steep", "input_tokens", "1"),
        price("steep", "input_tokens", "2", when=long),
        price("steep", "output_tokens", "0"),
    ]
    await used.publish(*steep)
    asked = {"candidates": "openai/steep", "growth": "openai/steep:1..1", "filter.team": "support"}
    sure = by_name(await compare(acme, **asked))["openai/steep"]
    assert (sure["low"], sure["high"]) == ("0.04", "0.04")
    await used.call(usage={"input_tokens": 300_000})
    await used.fold()
    found = await compare(acme, **asked)
    unsure = by_name(found)["openai/steep"]
    assert (unsure["low"], unsure["high"]) == ("0.34", "0.68")
    assert found["traffic"][0]["contexts"] == [{"over": 0, "calls": 40}, {"over": 272_000, "calls": 1}]


def test_prices_are_looked_up_again_after_ten_minutes_and_what_was_not_asked_for_longest_makes_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at = YESTERDAY.replace(hour=10, minute=19, second=59)
    assert priced_since(at) == at.replace(minute=10, second=0)
    assert priced_since(at + timedelta(seconds=1)) == at.replace(minute=20, second=0)
    kept, answer = PricedSlices(), priced_slice(b'{"models":[]}', 1)
    monkeypatch.setattr(priced_slices, "BYTES_MAX", 2 * len(answer.packed))
    for key in ("one", "two"):
        kept.put(key, answer)
    found = kept.get("one")
    kept.put("three", answer)
    assert (found, kept.get("two"), kept.get("three")) == (answer, None, answer)
    assert answer.content == b'{"models":[]}'


async def test_few_calls_are_no_measure(used: UsedModels, acme: httpx.AsyncClient) -> None:
    await used.call("in-only", calls=29, team="few")
    await used.fold()
    own = by_name(await compare(acme, **{"filter.team": "few"}, candidates="openai/in-only"))[""]
    assert (own["quality"]["calls"], own["quality"]["success"], own["quality"]["p95_ms"]) == (29, None, None)
    assert (own["per_success_low"], own["where"]) == (None, "unknown")


async def test_days_without_traffic_and_other_tenants_have_nothing(
    used: UsedModels, acme: httpx.AsyncClient, book: Book
) -> None:
    empty = await compare(acme, **{"from": "2026-01-01", "to": "2026-01-03"}, candidates="openai/n")
    assert (empty["traffic"], empty["models"], empty["first_day"], empty["last_day"]) == (
        [], [], "2026-01-01", "2026-01-02"
    )  # fmt: skip
    assert "nothing of these days is booked of a model in this slice" in empty["not_in_it"]
    acme.headers["Authorization"] = f"Bearer {await book.key('globex', 'read')}"
    assert (await compare(acme, candidates="openai/n"))["traffic"] == []


async def test_what_is_not_folded_is_said(used: UsedModels, acme: httpx.AsyncClient) -> None:
    await used.call(calls=3, at=YESTERDAY + timedelta(hours=1))
    end = used.book._offset + 1
    await used.book.partition(0, log_end=end, read_at=YESTERDAY, booked=end)
    found = await compare(acme, candidates="openai/n")
    assert any("not added up yet" in said for said in found["not_in_it"])


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"candidates": "gpt-4o"}, "candidates"),
        ({"candidates": "a/b,A/b"}, "candidates"),
        ({"candidates": ",".join(f"a/{n}" for n in range(21))}, "candidates"),
        ({"growth": "openai/n:2..1"}, "growth"),
        ({"growth": "openai/n:1"}, "growth"),
        ({"growth": "1..2"}, "growth"),
        ({"growth": ":1..2"}, "growth"),
        ({"price_per_error": "-1"}, "price_per_error"),
        ({"price_per_second": "1e3"}, "price_per_second"),
        ({"from": "2026-01-01", "to": "2026-06-01"}, "to"),
        ({"filter.nothing": "x"}, "filter.nothing"),
        ({"team": "support"}, "team"),
    ],
)
async def test_a_question_that_cannot_be_answered_is_refused(
    acme: httpx.AsyncClient, asked: dict[str, str], field: str
) -> None:
    refused = await compare(acme, 422, **asked)
    assert field in str(refused)


async def test_an_estimate_says_what_a_day_and_a_month_cost(
    used: UsedModels, acme: httpx.AsyncClient
) -> None:
    """1,000 calls a day, 1.1 attempts each, of 2,000 input, half of it cached, and 500 output tokens: m has no price of a
    cache, so 1,100 x (2,000 x 1 + 500 x 2) / 1 M = 3.30 a day, 99 in 30 days, 0.0033 a call."""
    answer = await acme.get(
        "/v1/models/estimate",
        params={
            "candidates": "openai/m,openai/in-only", "calls_per_day": "1000", "attempts": "1.1", "input_tokens": "2000",
            "output_tokens": "500", "cache_share": "0.5",
        },
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    found = answer.json()
    m, lacking = found["models"]
    assert (m["per_call"], m["per_day"], m["per_30_days"], m["per_30_days_high"]) == (
        "0.0033",
        "3.3",
        "99",
        "99",
    )
    assert (m["currency"], m["quality"]["calls"]) == ("USD", 40)
    assert "cache_read_tokens: it has no price of a cache for these: counted as input_tokens" in m["notes"]
    assert (lacking["per_day"], lacking["missing"]) == (None, ["it has no price for output_tokens"])
    assert found["usage"] == {"input_tokens": "1000", "cache_read_tokens": "1000", "output_tokens": "500"}


@pytest.mark.parametrize(
    "asked",
    [
        {"cache_share": "1.1"},
        {"attempts": "0.5"},
        {"input_tokens": "1000000001"},
        {"calls_per_day": "0.0000001"},
        {"candidates": ","},
        {"calls_per_day": "x"},
    ],
)
async def test_an_estimate_of_what_cannot_be_is_refused(
    acme: httpx.AsyncClient, asked: dict[str, str]
) -> None:
    shape = {"candidates": "openai/m", "calls_per_day": "1", "input_tokens": "1", "output_tokens": "1"}
    answer = await acme.get("/v1/models/estimate", params=shape | asked)
    assert answer.status_code == 422, answer.text
