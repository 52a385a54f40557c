"""The inbox: what is used without a price, and the way from there to one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.api.catalog import approve as approving
from spendmeter.contracts.catalog import Conditions, Provider
from spendmeter.contracts.entry_ids import identified
from spendmeter.contracts.rated import Line
from spendmeter.platform.catalog_store import record
from tests.api.book import Book
from tests.api.catalog_admin import approve, prices, propose
from tests.api.corrector import FakeCorrector
from tests.pricing.entries import RECORDED, model, price, terms, used

ENTRIES = [
    price("gpt-5-mini", "input_tokens", "0.25"), price("gpt-5-mini", "output_tokens", "2"),
    price("gpt-5", "input_tokens", "1.25"), model("gpt-5", "gpt-5-latest"), terms("acme"), terms("globex"),
    identified(Provider(provider="openai", match=("open-ai",), source="test", recorded_at=RECORDED)),
]  # fmt: skip
NOW = datetime.now(UTC).replace(microsecond=0)
AN_HOUR_AGO = (NOW - timedelta(hours=1)).isoformat()


@pytest.fixture
async def operator(client: httpx.AsyncClient, book: Book) -> httpx.AsyncClient:
    await record(book.connection, ENTRIES, by="test", note="")
    client.headers["Authorization"] = f"Bearer {await book.key('', 'admin')}"
    return client


async def items(client: httpx.AsyncClient, **who: Any) -> list[dict[str, Any]]:
    answer = await client.get("/v1/catalog/inbox", **who)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def still_open(client: httpx.AsyncClient, **who: Any) -> list[dict[str, Any]]:
    """What lacks something still."""
    return [item for item in await items(client, **who) if item["state"] == "open"]


async def test_a_new_model_is_seen_proposed_and_keeps_its_bound_once_it_has_a_price(
    operator: httpx.AsyncClient, book: Book
) -> None:
    said = {"provider": "open-ai", "sku": "gpt-6-mini", "usage": {"input_tokens": 1000, "output_tokens": 10}}
    await book.spend("acme", AN_HOUR_AGO, "0.5", provisional="0.5", events=3, team="a", **said)
    await book.spend("acme", AN_HOUR_AGO, "0.25", provisional="0.25", team="b", **said)
    await book.spend("globex", AN_HOUR_AGO, "2", provisional="2", currency="EUR", **said)
    await book.spend("globex", AN_HOUR_AGO, "7", provider="openai", sku="gpt-5")
    [item] = await items(operator)
    assert (item["provider"], item["sku"], item["tenants"]) == ("open-ai", "gpt-6-mini", ["acme", "globex"])
    assert (item["events"], item["usage"]) == (5, {"input_tokens": "3000", "output_tokens": "30"})
    assert item["at_stake"] == [
        {"currency": "EUR", "provisional": "2"}, {"currency": "USD", "provisional": "0.75"},
    ]  # fmt: skip
    assert item["units"] == ["input_tokens", "output_tokens"]
    assert 0 <= item["age_s"] < 60, "the series were first seen by this test"
    assert item["nearest"][0]["sku"] == "gpt-5-mini"
    assert item["nearest"][0]["reason"] == "same family (gpt-mini) of openai, names 90% alike"
    answer = await operator.post("/v1/catalog/inbox", json={"provider": "open-ai", "sku": "gpt-6-mini"})
    assert answer.status_code == 201, answer.text
    again = await operator.post("/v1/catalog/inbox", json={"provider": "open-ai", "sku": "gpt-6-mini"})
    assert (again.status_code, again.json()["id"]) == (200, answer.json()["id"])
    await operator.post(f"/v1/catalog/proposals/{answer.json()['id']}/approve", json={})
    assert await still_open(operator) == []
    [item] = await items(operator)
    assert (item["state"], item["events"], item["lacks"], item["proposal"]) == ("booked", 5, [], None)
    assert item["kept"] == ("provisional; booked before its price was stated; keeps its bound until re-rated")
    refused = await operator.post("/v1/catalog/inbox", json={"provider": "open-ai", "sku": "gpt-6-mini"})
    assert "nothing is missing any more: provisional; booked before" in refused.json()["detail"]
    shown = (await operator.get("/v1/catalog/model?provider=openai&sku=gpt-6-mini")).json()["prices"]
    assert {row["entry"]["unit"]: row["entry"]["price"] for row in shown} == {
        "input_tokens": "0.25", "output_tokens": "2",
    }  # fmt: skip
    assert shown[0]["entry"]["source"] == "inferred from openai/gpt-5-mini, test"


async def test_a_tenant_sees_its_own_and_states_it_for_itself(
    operator: httpx.AsyncClient, book: Book
) -> None:
    await book.spend("acme", AN_HOUR_AGO, "1", provisional="1", provider="openai", sku="gpt-6-mini")
    await book.spend("globex", AN_HOUR_AGO, "3", provisional="3", provider="openai", sku="gpt-6-mini")
    acme = {"Authorization": f"Bearer {await book.key('acme', 'admin')}"}
    [item] = await items(operator, headers=acme)
    assert (item["tenants"], item["at_stake"]) == (["acme"], [{"currency": "USD", "provisional": "1"}])
    asked = {"provider": "openai", "sku": "gpt-6-mini"}
    made = (await operator.post("/v1/catalog/inbox", json=asked, headers=acme)).json()
    await operator.post(f"/v1/catalog/proposals/{made['id']}/approve", json={}, headers=acme)
    assert await still_open(operator, headers=acme) == []
    assert [item["state"] for item in await items(operator, headers=acme)] == ["booked"]
    [item] = await still_open(operator)
    assert item["tenants"] == ["acme", "globex"], "globex has no price, acme keeps its bound"


async def test_a_unit_that_no_catalog_knows_is_found_in_the_events(
    operator: httpx.AsyncClient, book: Book
) -> None:
    event = used("vendor", "dynamo", {"sparks": 3}, at=NOW - timedelta(hours=1))
    await book.entry(event, "0", [Line(unit="sparks", status="unpriced", reason="none")], status="unpriced")
    said = {"provider": "vendor", "sku": "dynamo", "cost_class": "model", "usage": {}}
    await book.spend("acme", AN_HOUR_AGO, "0", unpriced=1, **said)
    [item] = await items(operator)
    assert (item["sku"], item["units"], item["usage"]) == ("dynamo", ["sparks"], {})
    assert item["reasons"] == ["sparks is no unit"]


async def test_a_unit_without_a_price_is_told_apart_from_those_that_have_one(
    operator: httpx.AsyncClient, book: Book
) -> None:
    usage = {"input_tokens": 5, "gpu_seconds": 1.5, "sparks": 2}
    await book.spend(
        "acme", AN_HOUR_AGO, "1", unpriced=2, events=2, provider="openai", sku="gpt-5", usage=usage
    )
    [item] = await items(operator)
    assert (item["units"], item["unpriced_events"], item["usage"]["gpu_seconds"]) == (
        ["gpu_seconds", "sparks"], 2, "1.5",
    )  # fmt: skip
    assert (item["nearest"], item["proposal"]) == ([], None)
    asked = {"provider": "openai", "sku": "gpt-5"}
    assert (await operator.post("/v1/catalog/inbox", json=asked)).status_code == 422
    assert (await operator.post("/v1/catalog/inbox", json=asked | {"sku": "x"})).status_code == 404


async def test_sums_that_no_event_could_hold_are_shown(operator: httpx.AsyncClient, book: Book) -> None:
    most = {"input_tokens": 2**63 - 1}
    for shard in (0, 1):
        await book.spend(
            "acme",
            AN_HOUR_AGO,
            "1",
            provisional="1",
            provider="openai",
            sku="gpt-6-mini",
            usage=most,
            shard=shard,
        )
    [item] = await items(operator)
    assert item["usage"] == {"input_tokens": str(2 * (2**63 - 1))}


@pytest.mark.parametrize(
    "sku",
    [
        "gpt-6-mini\u0085x",
        "gpt-6-mini\u2029 9",
        "gpt-6-mini\x7f",
        "gpt-6-mini\ufffe",
        'gpt-6-mini"\\: [x]',
        "gpt-6-mini" + "-" * 240,
    ],
)
async def test_a_ready_proposal_is_of_the_very_name_that_was_used(
    operator: httpx.AsyncClient, book: Book, sku: str
) -> None:
    await book.spend("acme", AN_HOUR_AGO, "1", provisional="1", provider="openai", sku=sku)
    answer = await operator.post("/v1/catalog/inbox", json={"provider": "openai", "sku": sku})
    assert answer.status_code == 201, answer.text
    assert {change["sku"] for change in answer.json()["review"]["changes"]} == {sku}


async def test_what_has_a_price_for_batches_alone_is_not_near_itself(
    operator: httpx.AsyncClient, book: Book
) -> None:
    batch = price("gpt-7-mini", "input_tokens", "1", when=Conditions(batch=True))
    await record(book.connection, [batch, model("gpt-7-mini", "gpt-7-mini-latest")], by="test", note="")
    await book.spend("acme", AN_HOUR_AGO, "1", provisional="1", provider="openai", sku="gpt-7-mini-latest")
    [item] = await items(operator)
    assert [near["sku"] for near in item["nearest"]] == ["gpt-5-mini"]
    assert item["nearest"][0]["reason"] == "same family (gpt-mini) of openai, names 67% alike"
    assert item["naming"][0].startswith("model 'gpt-7-mini-latest' means gpt-7-mini: it is an alias")


async def test_an_approval_offers_the_re_rate_of_what_had_waited_for_it_or_begins_it(
    operator: httpx.AsyncClient, book: Book, api: FastAPI
) -> None:
    """acme and globex each used the new model at a bound; what gpt-5 cost is no business of this price."""
    corrector = FakeCorrector(api)
    said = {"provider": "openai", "sku": "gpt-6-mini", "usage": {"input_tokens": 1000}}
    await book.spend("acme", AN_HOUR_AGO, "0.5", provisional="0.5", events=3, **said)
    await book.spend("globex", AN_HOUR_AGO, "2", provisional="2", currency="EUR", **said)
    await book.spend("acme", AN_HOUR_AGO, "7", provisional="7", provider="openai", sku="gpt-5")
    made = (await operator.post("/v1/catalog/inbox", json={"provider": "openai", "sku": "gpt-6-mini"})).json()
    done = (await operator.post(f"/v1/catalog/proposals/{made['id']}/approve", json={})).json()
    assert [(each["tenant"], each["events"], each["rerate_id"]) for each in done["rerates"]] == [
        ("acme", 3, None), ("globex", 1, None),
    ]  # fmt: skip
    [offer, _] = done["rerates"]
    assert offer["says"] == (
        "up to 3 events of acme waited for this (0.5 USD at a bound) and keep what they were booked at until "
        "they are re-rated"
    )
    assert offer["body"] == {
        "publication": done["version"], "statuses": ["provisional", "unpriced"], "reason": offer["body"]["reason"],
        "since": offer["body"]["since"],
    }  # fmt: skip
    as_of = datetime.fromisoformat(offer["as_of"])
    assert (
        timedelta(days=90)
        <= as_of - datetime.fromisoformat(offer["body"]["since"])
        < timedelta(days=90, seconds=1)
    )
    assert corrector.asked == []
    headers = {"X-Spendmeter-Tenant": "acme"}
    sent = await operator.post(offer["path"], json=offer["body"], headers=headers)
    assert sent.status_code in (200, 202), sent.text
    [wanted] = corrector.asked
    assert (wanted.tenant, wanted.version, wanted.apply) == ("acme", done["version"], False)
    dearer = prices("gpt-6-mini", "9")
    other = await propose(operator, dearer, replace="true")
    begun = await approve(operator, other["id"], confirm=True, rerate="start")
    assert [each.tenant for each in corrector.asked[1:]] == ["acme", "globex"]
    assert [each["rerate_id"] for each in begun["rerates"]] == [each.id for each in corrector.asked[1:]]
    assert all(each.apply and each.selection.publication == begun["version"] for each in corrector.asked[1:])
    assert begun["rerates"][0]["says"].endswith("re-rated, which has begun")


async def test_what_is_booked_while_a_proposal_is_approved_has_waited_for_it_too(
    operator: httpx.AsyncClient, book: Book, api: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """acme's event came before; while the approval is under way another one comes, a month late, and globex's
    first: the job of each goes back so far."""
    corrector = FakeCorrector(api)
    said = {"provider": "openai", "sku": "gpt-6-mini"}
    await book.spend("acme", AN_HOUR_AGO, "0.5", provisional="0.5", **said)
    made = (await operator.post("/v1/catalog/inbox", json=said)).json()
    put_in_force = approving._put_in_force
    late = NOW - timedelta(days=30)

    async def meanwhile(*asked: Any) -> Any:
        await book.spend("acme", late.isoformat(), "0.25", provisional="0.25", **said)
        await book.spend("globex", AN_HOUR_AGO, "2", provisional="2", currency="EUR", **said)
        return await put_in_force(*asked)

    monkeypatch.setattr(approving, "_put_in_force", meanwhile)
    done = await approve(operator, made["id"], rerate="start")
    assert [(each["tenant"], each["events"]) for each in done["rerates"]] == [("acme", 2), ("globex", 1)]
    assert [each.tenant for each in corrector.asked] == ["acme", "globex"]
    assert all(each.selection.since <= late for each in corrector.asked)


async def test_where_the_broker_is_away_an_approval_stands_and_says_that_no_re_rate_began(
    operator: httpx.AsyncClient, book: Book, api: FastAPI
) -> None:
    FakeCorrector(api).away = True
    await book.spend("acme", AN_HOUR_AGO, "1", provisional="1", provider="openai", sku="gpt-6-mini")
    made = (await operator.post("/v1/catalog/inbox", json={"provider": "openai", "sku": "gpt-6-mini"})).json()
    done = await approve(operator, made["id"], rerate="start")
    assert (done["state"], done["rerates"][0]["rerate_id"]) == ("approved", None)
    assert "could not be started" in done["rerates"][0]["says"]
