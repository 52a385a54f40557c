"""The catalog as people change it: proposals, their money, approval, and what each key may see and do."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import msgspec
import pytest
from fastapi import FastAPI

from services.api.catalog.price_books import NoTopic
from spendmeter.contracts.catalog import Withdrawal
from spendmeter.contracts.entry_ids import identified
from spendmeter.contracts.rated import Line
from spendmeter.platform.catalog_store import record
from spendmeter.pricing.catalog.formats import FILE_BYTES_MAX
from tests.api.book import Book
from tests.api.catalog_admin import (
    FILE,
    IN,
    NAMED,
    OUT,
    OWN,
    RIVALS,
    approve,
    headers,
    in_force,
    prices,
    propose,
    version,
)
from tests.pricing.entries import RECORDED, model, price, terms, used


async def test_a_price_is_proposed_approved_and_has_a_history(operator: httpx.AsyncClient) -> None:
    made = await propose(operator, prices(), note="they raised it", withdraw=IN.id)
    assert (made["state"], made["review"]["base"], made["review"]["entries"]) == ("open", 1, 2)
    assert await in_force(operator) == {"m": {"input_tokens": "1", "output_tokens": "2"}}, "not approved yet"
    done = await approve(operator, made["id"], confirm=True, reason="seen on their page")
    assert (done["state"], done["version"], done["reason"]) == ("approved", 2, "seen on their page")
    assert await in_force(operator) == {"m": {"input_tokens": "3", "output_tokens": "2"}}
    answer = await operator.get("/v1/catalog/model", params={"provider": "OpenAI", "sku": "M"})
    shown = answer.json()
    assert shown["aliases"] == ["m-latest"]
    told = {row["entry"]["id"]: row for row in shown["history"]}
    assert set(told) >= {IN.id, OUT.id, NAMED.id} and len(told) == 4
    assert (told[IN.id]["withdrawn_version"], told[IN.id]["withdrawn_why"]) == (2, "they raised it")
    assert told[IN.id]["withdrawn_by"].startswith("key k")
    [new] = [row for row in shown["history"] if row["version"] == 2]
    assert (new["entry"]["price"], new["entry"]["note"], new["entry"]["source"]) == (
        "3", "they raised it", "https://vendor.example/prices",
    )  # fmt: skip
    assert new["recorded_by"] == done["decided_by"]
    report = (await operator.get("/v1/catalog/changes", params={"from": "1"})).json()
    assert (report["since"], report["until"], len(report["changes"])) == (1, 2, 1)
    assert (await operator.get("/v1/catalog/changes", params={"from": "2"})).json()["changes"] == []
    before = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    assert (await operator.get("/v1/catalog/changes", params={"from": before})).json()["since"] == 0
    assert (await operator.get("/v1/catalog/models", params={"q": "latest"})).json()["models"][0][
        "sku"
    ] == "m"


async def test_what_was_decided_stays_decided(operator: httpx.AsyncClient) -> None:
    first = await propose(operator, prices("n"))
    answer = await operator.post(f"/v1/catalog/proposals/{first['id']}/reject", json={"reason": "a rumour"})
    assert (answer.status_code, answer.json()["state"], answer.json()["reason"]) == (
        200,
        "rejected",
        "a rumour",
    )
    assert "is rejected" in (await approve(operator, first["id"], 409))["detail"]
    assert (await operator.get("/v1/catalog/proposals/999999")).status_code == 404
    listed = (await operator.get("/v1/catalog/proposals", params={"state": "rejected"})).json()["proposals"]
    assert [each["id"] for each in listed] == [first["id"]]
    assert await version(operator) == 1


async def test_nothing_is_approved_while_the_catalog_topic_may_have_that_version_already(
    operator: httpx.AsyncClient, api: FastAPI
) -> None:
    """After the database was restored; the proposal stays open, and is approved when the two are even."""
    made = await propose(operator, prices("n"))

    class Ahead(NoTopic):
        def refuses_after(self, version: int) -> str:
            return f"the database went back to version {version}"

    api.state.price_books.topic = Ahead()
    refused = await approve(operator, made["id"], 503)
    assert refused["detail"] == "nothing is approved: the database went back to version 1"
    assert await version(operator) == 1
    api.state.price_books.topic = NoTopic()
    assert (await approve(operator, made["id"]))["version"] == 2


async def test_approvals_at_once_are_one_publication_each(operator: httpx.AsyncClient) -> None:
    made = [await propose(operator, prices(f"n{number}")) for number in range(4)]
    done = await asyncio.gather(*(approve(operator, each["id"]) for each in made))
    assert sorted(each["version"] for each in done) == [2, 3, 4, 5]
    assert len(await in_force(operator)) == 5
    same = await propose(operator, prices("o"))
    answers = await asyncio.gather(
        *(operator.post(f"/v1/catalog/proposals/{same['id']}/approve", json={}) for _ in range(3))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    assert await version(operator) == 6


CIRCLE = """
[[unit]]
unit = "blinks"
about = "blinks of an eye"
parent = "winks"
[[unit]]
unit = "winks"
about = "winks"
parent = "blinks"
"""
MARS = """
[[calendar]]
name = "mars"
time_zone = "Mars/Olympus"
"""


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        (prices(), [IN.id, "overlap: ", "for input_tokens of openai/m"]),
        (prices("n", "-1"), ["price[0]", "not a plain decimal"]),
        (prices("n", "NaN"), ["price[0]", "not a plain decimal"]),
        (prices("n", unit="input_tokns"), ["price[0]", "unknown unit 'input_tokns'"]),
        (prices("n", currency='"DOLLARS"'), ["price[0]", "currency"]),
        (FILE + CIRCLE, ["circle", "blinks", "winks"]),
        (FILE + RIVALS, [NAMED.id, "both claim 'm-latest'"]),
        (prices("n") + "x = \n", ["line 10"]),
        (prices(amount="1"), ["nothing is new"]),
        ("", ["states nothing"]),
        (prices("n", currency='"XYZ"'), ["n: no book is in XYZ, and no rate converts it"]),
        (FILE + MARS, ["calendar mars", "Mars/Olympus"]),
        (prices("n") + prices("n", "4", header=""), ["price[0]", "price[1]", "overlap"]),
    ],
)
async def test_a_bad_file_is_refused_as_a_whole_with_the_reason(
    operator: httpx.AsyncClient, text: str, reasons: list[str]
) -> None:
    detail = (await propose(operator, text, 422))["detail"]
    assert [reason for reason in reasons if reason not in detail] == [], detail
    assert await in_force(operator) == {"m": {"input_tokens": "1", "output_tokens": "2"}}
    assert (await operator.get("/v1/catalog/proposals")).json()["proposals"] == []


async def test_a_file_that_is_too_large_is_not_even_read(operator: httpx.AsyncClient) -> None:
    for size in (FILE_BYTES_MAX + 1, 100 * 1024 * 1024):
        assert "10485760 bytes" in (await propose(operator, "#" * size, 413))["detail"]
    await propose(operator, prices("n") + "#" * 100_000)


async def test_a_proposal_is_checked_again_against_what_stands_at_its_approval(
    operator: httpx.AsyncClient,
) -> None:
    one = await propose(operator, prices("n", "1"))
    other = await propose(operator, prices("n", "2"))
    await approve(operator, one["id"])
    assert "overlap" in (await approve(operator, other["id"], 422))["detail"]
    assert await in_force(operator) == {
        "m": {"input_tokens": "1", "output_tokens": "2"},
        "n": {"input_tokens": "1"},
    }


async def test_a_file_that_replaces_withdraws_what_it_does_not_repeat(operator: httpx.AsyncClient) -> None:
    made = await propose(operator, prices("m", "1.5"), replace="true")
    await approve(operator, made["id"])
    assert await in_force(operator) == {"m": {"input_tokens": "1.5"}}
    back = await propose(operator, prices("m", "1"), replace="true")
    await approve(operator, back["id"])
    assert await in_force(operator) == {"m": {"input_tokens": "1"}}, "stated anew, with a higher revision"


async def booked(
    book: Book, tenant: str, id: str, days_ago: int, tokens: int, amount: str, sku: str = "m"
) -> None:
    at = datetime.now(UTC) - timedelta(days=days_ago)
    event = msgspec.structs.replace(
        used("openai", sku, {"input_tokens": tokens}, at=at, tenant=tenant), id=id
    )
    await book.entry(event, amount, [Line(unit="input_tokens", entry=IN.id, price="0.000001", amount=amount)])
    await book.spend(tenant, at.isoformat(), amount, cost_class="model", provider="openai", sku=sku)


async def test_a_proposal_says_what_the_last_thirty_days_would_have_cost(
    operator: httpx.AsyncClient, book: Book
) -> None:
    await record(book.connection, [price("n", "input_tokens", "5")], by="test", note="")
    await booked(book, "acme", "a", 1, 1_000_000, "1")
    await booked(book, "globex", "b", 20, 500_000, "0.5", sku="m-latest")
    await booked(book, "acme", "c", 31, 1_000_000, "1")  # too long ago
    await booked(book, "acme", "d", 1, 1_000_000, "0", sku="n")  # another model
    money = (await propose(operator, prices(), dry_run="true", status=200, withdraw=IN.id))["review"][
        "impact"
    ]
    assert (money["events"], money["repriced"]) == (2, 2)
    assert money["amounts"] == [{"currency": "USD", "before": "1.5", "after": "4.5", "difference": "3"}]
    assert money["statuses_before"] == money["statuses_after"] == {"priced": 2}
    mine = await headers(book, "acme", "admin")
    own = prices(header=OWN, amount="0.5")
    money = (await propose(operator, own, headers=mine))["review"]["impact"]
    assert (money["events"], money["repriced"]) == (1, 1), "of globex, acme learns nothing"
    assert money["amounts"][0]["difference"] == "-0.5"


async def test_what_could_not_be_repriced_is_said(
    operator: httpx.AsyncClient, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.api.catalog.impact.IMPACT_EVENTS_MAX", 1)
    await booked(book, "acme", "old", 9, 1_000_000, "1")
    await booked(book, "acme", "new", 2, 3_000_000, "3")
    money = (await propose(operator, prices(amount="2"), withdraw=IN.id))["review"]["impact"]
    assert (money["events"], money["repriced"], money["amounts"][0]["difference"]) == (2, 1, "3")
    age = datetime.now(UTC) - datetime.fromisoformat(money["reached"])
    assert timedelta(days=1.9) < age < timedelta(days=2.1)


async def test_a_finding_to_confirm_holds_the_approval_up(operator: httpx.AsyncClient) -> None:
    made = await propose(operator, prices(amount="4.5"), withdraw=IN.id)  # more than three times the old
    assert "confirm" in {finding["severity"] for finding in made["review"]["findings"]}
    assert (await approve(operator, made["id"], 409))["findings"]
    assert await version(operator) == 1
    assert (await approve(operator, made["id"], confirm=True))["version"] == 2


async def test_another_source_is_compared_and_nothing_is_recorded(operator: httpx.AsyncClient) -> None:
    theirs = (prices("M-latest", "1.5") + prices("n", "9", header="")).replace("M-latest", "m-latest")
    answer = await operator.post(
        "/v1/catalog/consensus", params={"name": "theirs.toml"}, content=theirs.encode()
    )
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert (report["version"], report["models"], report["only_theirs"]) == (1, 1, ["openai/n"])
    [found] = report["disagreements"]
    assert (found["sku"], found["unit"], found["ours"], found["theirs"], found["our_entry"]) == (
        "m", "input_tokens", "1", "1.5", IN.id,
    )  # fmt: skip
    assert await version(operator) == 1
    assert (await operator.get("/v1/catalog/proposals")).json()["proposals"] == []
    bad = await operator.post("/v1/catalog/consensus", params={"name": "x.toml"}, content=b"[[price]")
    assert bad.status_code == 422


async def test_a_model_is_found_by_any_of_its_names_and_it_says_why(operator: httpx.AsyncClient) -> None:
    shown = (await operator.get("/v1/catalog/model?provider=openai&sku=M-Latest")).json()
    assert (shown["sku"], len(shown["prices"])) == ("m", 2)
    assert shown["naming"] == [f"model 'M-Latest' means m: it is an alias, says entry {NAMED.id}"]
    assert shown["prices"][0]["says"].startswith(("1 USD per 1,000,000", "2 USD per 1,000,000"))
    assert (await operator.get("/v1/catalog/model?provider=openai&sku=m")).json()["naming"] == []


async def test_a_name_that_was_given_to_another_model_shows_that_one(
    operator: httpx.AsyncClient, book: Book
) -> None:
    old = price("m-old", "input_tokens", "5")
    gone = identified(Withdrawal(entries=(old.id, NAMED.id), source="test", recorded_at=RECORDED))
    await record(book.connection, [old], by="test", note="")
    await record(book.connection, [gone, model("m", "m-latest", "m-old")], by="test", note="")
    shown = (await operator.get("/v1/catalog/model?provider=openai&sku=m-old")).json()
    assert (shown["sku"], len(shown["prices"])) == ("m", 2)
    assert shown["naming"][0].startswith("model 'm-old' means m: it is an alias")


async def test_a_source_that_prices_what_we_know_and_do_not_price_disagrees(
    operator: httpx.AsyncClient, book: Book
) -> None:
    await record(book.connection, [model("k-1")], by="test", note="")
    theirs = prices("k-1", "2") + prices("m", "1", header="", currency='"EUR"')
    answer = await operator.post(
        "/v1/catalog/consensus", params={"name": "theirs.toml"}, content=theirs.encode()
    )
    found = [
        (each["sku"], each["ours"], each["our_currency"], each["currency"])
        for each in answer.json()["disagreements"]
    ]
    assert found == [("k-1", None, "", "USD"), ("m", "1", "USD", "EUR")]


async def test_changes_are_asked_for_forwards(operator: httpx.AsyncClient) -> None:
    for query, reason in (("from=1&to=0", "comes before"), ("from=5", "the newest is 1")):
        answer = await operator.get(f"/v1/catalog/changes?{query}")
        assert (answer.status_code, reason in answer.text) == (422, True), answer.text


async def test_terms_are_shown_stated_once_and_replaced_with_a_look_at_what_they_lose(
    operator: httpx.AsyncClient, book: Book
) -> None:
    first = terms("acme", fallback={"input_tokens": "0.00001"})
    await record(book.connection, [first, terms("globex")], by="test", note="")
    file = FILE + '\n[[terms]]\ntenant = "acme"\ncontracts = ["deal"]\n'
    said = (await propose(operator, file, 422))["detail"]
    assert "acme has terms already" in said and first.id in said
    made = await propose(operator, file, replace="true")
    [finding] = made["review"]["findings"]
    assert (finding["rule"], finding["severity"]) == ("terms", "confirm")
    assert "fallback {'input_tokens': '0.00001'} becomes {}" in finding["message"]
    await approve(operator, made["id"], 409)
    await approve(operator, made["id"], confirm=True)
    acme, globex = await headers(book, "acme", "read"), await headers(book, "globex", "read")
    for who, tenants in ((None, ["acme", "globex"]), (acme, ["acme"]), (globex, ["globex"])):
        shown = (await operator.get("/v1/catalog/terms", headers=who)).json()["terms"]
        assert [each["tenant"] for each in shown] == tenants
    assert (await operator.get("/v1/catalog/terms", headers=acme)).json()["terms"][0]["contracts"] == ["deal"]
