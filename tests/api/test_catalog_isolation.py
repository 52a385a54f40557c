"""What each key may state of the catalog, and what it may read: its own and everybody's, by no way another's."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx

from spendmeter.contracts.catalog import Conditions
from spendmeter.platform.catalog_store import record
from tests.api.book import Book
from tests.api.catalog_admin import (
    FILE,
    IN,
    NAMED,
    OWN,
    RIVALS,
    approve,
    headers,
    in_force,
    prices,
    propose,
)
from tests.pricing.entries import adjustment, model, price, terms


async def test_a_tenant_states_prices_of_its_own_and_nobody_elses(
    operator: httpx.AsyncClient, book: Book
) -> None:
    acme, globex = await headers(book, "acme", "admin"), await headers(book, "globex", "admin")
    reader = await headers(book, "acme", "read")
    made = await propose(operator, prices(header=OWN, amount="0.7"), headers=acme, note="our contract")
    assert (await operator.get(f"/v1/catalog/proposals/{made['id']}", headers=globex)).status_code == 404
    assert (await operator.get(f"/v1/catalog/proposals/{made['id']}")).status_code == 404
    await approve(operator, made["id"], 403, headers=reader)
    await approve(operator, made["id"], 404, headers=globex)
    await approve(operator, made["id"], headers=acme)
    shown = await operator.get("/v1/catalog/model?provider=openai&sku=m", headers=acme)
    assert sorted(row["entry"]["price"] for row in shown.json()["prices"]) == ["0.7", "1", "2"]
    shown = await operator.get("/v1/catalog/model?provider=openai&sku=m", headers=globex)
    assert sorted(row["entry"]["price"] for row in shown.json()["prices"]) == ["1", "2"]
    assert "contract" not in (await operator.get("/v1/catalog/publication", headers=globex)).text
    for text, reason in (
        (prices("n"), 'write tenant = "acme"'),
        (prices("n", header=OWN.replace("acme", "globex")), 'write tenant = "acme"'),
        (FILE + RIVALS, "a model is everybody's"),
        (f'{FILE}[[terms]]\ntenant = "acme"\ncontracts = ["theirs"]\n', "a tenantterms is everybody's"),
    ):
        assert reason in (await propose(operator, text, 422, headers=acme))["detail"]
    detail = (await propose(operator, "", 422, headers=acme, withdraw=IN.id))["detail"]
    assert "is everybody's" in detail
    [own] = [row for row in (await operator.get("/v1/catalog/model?provider=openai&sku=m", headers=acme)).json()["prices"]
             if row["entry"]["price"] == "0.7"]  # fmt: skip
    assert (
        "there is no entry"
        in (await propose(operator, "", 422, headers=globex, withdraw=own["entry"]["id"]))["detail"]
    )
    gone = await propose(operator, "", headers=acme, withdraw=own["entry"]["id"])
    await approve(operator, gone["id"], headers=acme)
    assert await in_force(operator, headers=acme) == {"m": {"input_tokens": "1", "output_tokens": "2"}}


async def test_a_model_shows_the_factors_that_are_in_force_of_it_and_of_whoever_asks(
    operator: httpx.AsyncClient, book: Book
) -> None:
    soon = Conditions(effective_from=datetime(2100, 1, 1, tzinfo=UTC))
    stated = [
        adjustment("region", "1.1", when=Conditions(regions=("eu",)), note="residency"),
        adjustment("batch", "0.5", skus=("another",)),
        adjustment("fast", "6", unless=("m",)),
        adjustment("later", "2", when=soon),
        adjustment("discount", "0.9", kind="contracted", layer="organisation", tenant="acme"),
    ]
    await record(book.connection, stated, by="test", note="")
    for tenant, names in (("acme", ["discount", "region"]), ("globex", ["region"])):
        whose = await headers(book, tenant, "read")
        shown = (await operator.get("/v1/catalog/model?provider=openai&sku=m", headers=whose)).json()
        assert sorted(factor["name"] for factor in shown["factors"]) == names
    [factor] = shown["factors"]
    assert factor["says"] == "x 1.1 on every unit of openai/every model (region eu)"
    assert (factor["id"], factor["note"]) == (stated[0].id, "residency")


async def test_a_review_quotes_no_price_of_another_tenant(operator: httpx.AsyncClient, book: Book) -> None:
    for tenant, amount in (("globex", "0.0123"), ("acme", "0.9")):
        who = await headers(book, tenant, "admin")
        own = prices(header=OWN.replace("acme", tenant), amount=amount)
        made = await propose(operator, own, headers=who)
        assert ("0.0123" in str(made)) == (tenant == "globex")
        await approve(operator, made["id"], headers=who, confirm=True)
    for tenant in ("globex", "acme"):
        who = await headers(book, tenant)
        report = await operator.get("/v1/catalog/changes", params={"from": "1"}, headers=who)
        assert ("0.0123" in report.text) == (tenant == "globex")


async def test_a_price_of_one_tenant_leaves_the_others_bound(operator: httpx.AsyncClient, book: Book) -> None:
    """A model that acme alone has a price for is unknown to globex: bounded, not unpriced."""
    acme = await headers(book, "acme", "admin")
    made = await propose(operator, prices("m-9", header=OWN, amount="0.7"), headers=acme)
    await approve(operator, made["id"], headers=acme)
    await book.spend("globex", "2026-11-23T10:00:00Z", "1", provisional="1", provider="openai", sku="m-9")
    [item] = (await operator.get("/v1/catalog/inbox")).json()["items"]
    assert ("unknown model" in item["reasons"][0], item["tenants"]) == (True, ["globex"])


async def test_prices_of_a_contract_are_read_by_those_who_have_it(
    operator: httpx.AsyncClient, book: Book
) -> None:
    agreed = price("m", "input_tokens", "0.5", kind="contracted", layer="contract", contract="frame-9")
    secret = price("z", "input_tokens", "0.1", layer="contract", contract="frame-9")
    parties = terms("acme", contracts=("frame-9",))
    await record(book.connection, [agreed, secret, parties], by="test", note="")
    acme, globex = await headers(book, "acme", "read"), await headers(book, "globex", "read")
    for who, seen in ((acme, ["0.5", "1", "2"]), (globex, ["1", "2"]), (None, ["0.5", "1", "2"])):
        answer = await operator.get("/v1/catalog/model?provider=openai&sku=m", headers=who)
        assert sorted(row["entry"]["price"] for row in answer.json()["prices"]) == seen
        skus = {
            each["sku"] for each in (await operator.get("/v1/catalog/models", headers=who)).json()["models"]
        }
        assert ("z" in skus) == (who is not globex)
        report = (await operator.get("/v1/catalog/changes?from=1", headers=who)).json()
        assert report["changes_total"] == (0 if who is globex else 2)
    found = await operator.get("/v1/catalog/model?provider=openai&sku=z", headers=globex)
    assert found.status_code == 404


async def test_what_one_tenant_prices_names_nothing_for_the_others(
    operator: httpx.AsyncClient, book: Book
) -> None:
    """globex prices a name that everybody's catalog later gives to another model: both stay as they are."""
    acme, globex = await headers(book, "acme", "read"), await headers(book, "globex", "admin")
    theirs = OWN.replace("acme", "globex")
    made = await propose(operator, prices("m-2026", "9", header=theirs), headers=globex)
    await approve(operator, made["id"], headers=globex)
    made = await propose(operator, prices("secret", "9", header=theirs), headers=globex)
    await approve(operator, made["id"], headers=globex)
    await record(book.connection, [model("n", "m-2026"), price("n", "input_tokens", "7")], by="test", note="")
    for who, sku, seen in ((acme, "n", "7"), (globex, "m-2026", "9")):
        shown = await operator.get("/v1/catalog/model?provider=openai&sku=m-2026", headers=who)
        assert (shown.json()["sku"], shown.json()["prices"][0]["entry"]["price"]) == (sku, seen)
    assert (
        await operator.get("/v1/catalog/model?provider=openai&sku=secret", headers=acme)
    ).status_code == 404
    asked = {"params": {"name": "x.toml"}, "content": prices("secret").encode()}
    report = (await operator.post("/v1/catalog/consensus", headers=acme, **asked)).json()
    assert (report["models"], report["only_theirs"]) == (0, ["openai/secret"])
    report = (await operator.post("/v1/catalog/consensus", headers=globex, **asked)).json()
    assert (report["models"], report["only_theirs"]) == (1, [])


async def test_a_refusal_says_nothing_of_entries_that_are_anothers(
    operator: httpx.AsyncClient, book: Book
) -> None:
    theirs = price("m", "input_tokens", "0.123", layer="organisation", tenant="globex")
    secret = price("m", "input_tokens", "0.456", layer="contract", contract="frame-9")
    await record(book.connection, [theirs, secret], by="test", note="")
    acme = await headers(book, "acme", "admin")
    for entry in (theirs, secret):
        refused = await propose(operator, prices(header=OWN), 422, headers=acme, withdraw=entry.id)
        assert entry.id in refused["detail"] and entry.price not in refused["detail"]
    refused = await propose(operator, prices(header=OWN), 422, headers=acme, withdraw=IN.id)
    assert f"{IN.id} (1 USD per 1,000,000 input_tokens of openai/m)" in refused["detail"]


async def test_a_tenant_prices_no_alias_and_no_contract_that_it_does_not_have(
    operator: httpx.AsyncClient, book: Book
) -> None:
    acme = await headers(book, "acme", "admin")
    said = (await propose(operator, prices("m-latest", header=OWN), 422, headers=acme))["detail"]
    assert NAMED.id in said and "state the price of that" in said
    contract = OWN.replace('"organisation"', '"contract"\ncontract = "frame-9"')
    said = (await propose(operator, prices(header=contract), 422, headers=acme))["detail"]
    assert "tenant acme has no contract 'frame-9'" in said


async def test_what_is_hidden_is_in_no_cursor_and_no_search_and_no_history_without_a_name(
    operator: httpx.AsyncClient, book: Book
) -> None:
    secret = [price(f"a{n}", "input_tokens", "1", layer="contract", contract="frame-9") for n in range(5)]
    await record(book.connection, secret, by="test", note="globex pays less")
    acme = await headers(book, "acme", "read")
    first = (await operator.get("/v1/catalog/models?limit=1", headers=acme)).json()
    assert ([each["sku"] for each in first["models"]], first["next_cursor"]) == (["m"], None)
    for q in ("recorded_at", "type", "vendor", "2026", "price"):
        assert (await operator.get(f"/v1/catalog/models?q={q}")).json()["models"] == [], q
    assert (await operator.get("/v1/catalog/model?provider=&sku=", headers=acme)).status_code == 422
    made = await propose(operator, prices("q"), note="globex pays less")
    await approve(operator, made["id"])
    shown = (await operator.get("/v1/catalog/publication", headers=acme)).json()
    assert shown["note"] == f"proposal {made['id']}"


async def test_pages_go_on_past_what_is_hidden(operator: httpx.AsyncClient, book: Book) -> None:
    more = [price(f"{'a' if n % 2 else 'z'}{n:02}", "input_tokens", "1") for n in range(10)]
    more += [price(f"k{n:02}", "input_tokens", "1", layer="contract", contract="frame-9") for n in range(30)]
    await record(book.connection, more, by="test", note="")
    acme, seen, cursor = await headers(book, "acme", "read"), [], ""
    while cursor is not None:
        page = (await operator.get(f"/v1/catalog/models?limit=3&cursor={cursor}", headers=acme)).json()
        seen += [each["sku"] for each in page["models"]]
        cursor = page["next_cursor"]
    assert seen == sorted({*(each.sku for each in more if not each.contract), "m"})
