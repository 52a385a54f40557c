"""Saved views: a question by name, which its route answers as it is."""

from __future__ import annotations

import httpx
import pytest

from services.api.http.problems import HttpRefusal
from services.api.views.asked import checked_question
from tests.api.book import Book

QUESTION = "group_by=team&filter.team=a+b&filter.team=&from=2026-11-23&to=2026-11-24"


@pytest.fixture
async def finops(client: httpx.AsyncClient, book: Book) -> httpx.AsyncClient:
    client.headers["Authorization"] = f"Bearer {await book.key('acme', 'govern')}"
    return client


async def test_a_saved_question_is_answered_by_its_address(finops: httpx.AsyncClient, book: Book) -> None:
    await book.spend("acme", "2026-11-23T10:00Z", "5", team="a b")
    made = await finops.post("/v1/views", json={"name": "Ours", "question": f"?{QUESTION}"})
    assert made.status_code == 201, made.text
    listed = (await finops.get("/v1/views")).json()["views"]
    assert listed == [made.json()]
    assert listed[0]["question"] == QUESTION
    assert listed[0]["by"].startswith("key ")
    answer = await finops.get(listed[0]["href"])
    assert [(row["team"], row["amount"]) for row in answer.json()["totals"]] == [("a b", "5")]


async def test_a_name_is_of_one_view_and_free_again_when_that_is_removed(finops: httpx.AsyncClient) -> None:
    body = {"name": "Ours", "path": "/v1/spend/changes", "question": "compare=month"}
    made = await finops.post("/v1/views", json=body)
    again = await finops.post("/v1/views", json=body)
    assert (made.status_code, again.status_code, again.json()["title"]) == (201, 409, "Name taken")
    path = f"/v1/views/{made.json()['id']}"
    assert [(await finops.delete(path)).status_code for _ in range(2)] == [204, 404]
    assert (await finops.post("/v1/views", json=body)).status_code == 201


async def test_who_only_reads_saves_nothing(client: httpx.AsyncClient, book: Book) -> None:
    client.headers["Authorization"] = f"Bearer {await book.key('acme', 'read')}"
    answer = await client.post("/v1/views", json={"name": "Ours", "question": ""})
    assert (answer.status_code, (await client.get("/v1/views")).json()) == (403, {"views": []})


@pytest.mark.parametrize("question", ["measure=x&cursor=abc", "teams=a", "range", "top=1&top=2", "a=%00"])
def test_what_the_route_would_not_be_asked_is_not_saved(question: str) -> None:
    with pytest.raises(HttpRefusal) as refused:
        checked_question("/v1/spend", question)
    assert refused.value.status == 422


def test_a_question_is_as_long_as_an_address_may_be_in_its_letters_as_they_are_written_there() -> None:
    assert len(checked_question("/v1/spend", "filter.team=" + "é" * 664)) == 3_996  # 12 and 6 each
    with pytest.raises(HttpRefusal, match="at most 4,000"):
        checked_question("/v1/spend", "filter.team=" + "é" * 665)


def test_each_route_has_parameters_of_its_own() -> None:
    asked = "before_from=2026-01-01&before_to=2026-01-02"
    assert checked_question("/v1/spend/changes", asked) == asked
    with pytest.raises(HttpRefusal, match="is not a parameter here"):
        checked_question("/v1/spend/changes", "bucket=day")
