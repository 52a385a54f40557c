"""The catalog as people change it: proposals, their money, approval, and what each key may see and do."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from services.api.catalog_proposals import PROPOSAL_BYTES_MAX
from spendmeter.contracts.catalog import Withdrawal, identified
from spendmeter.contracts.rated import Line
from spendmeter.platform.catalog_store import record
from tests.api.book import Book
from tests.pricing.entries import RECORDED, model, price, terms, used

IN, OUT = price("m", "input_tokens", "1"), price("m", "output_tokens", "2")
NAMED = model("m", "m-latest")
FILE = """
source = "https://vendor.example/prices"
recorded_at = 2026-11-20T00:00:00Z
"""


def prices(
    sku: str = "m", amount: str = "3", unit: str = "input_tokens", header: str = FILE, **said: Any
) -> str:
    lines = "".join(f"{name} = {value}\n" for name, value in said.items())
    return f'{header}\n[[price]]\nprovider = "openai"\nsku = "{sku}"\nper = 1_000_000\n{lines}prices = {{{unit} = "{amount}"}}\n'


OWN = f'{FILE}tenant = "acme"\nlayer = "organisation"\n'


@pytest.fixture
async def operator(client: httpx.AsyncClient, book: Book) -> httpx.AsyncClient:
    """A key for everybody's catalog, which holds one model."""
    await record(book.connection, [IN, OUT, NAMED], by="migrate", note="the catalog of this release")
    client.headers["Authorization"] = f"Bearer {await book.key('', 'admin')}"
    return client


async def headers(book: Book, tenant: str, *scopes: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {await book.key(tenant, *scopes)}"}


async def propose(client: httpx.AsyncClient, text: str, status: int = 201, **said: Any) -> Any:
    who = said.pop("headers", None)
    answer = await client.post(
        "/v1/catalog/proposals", params={"name": "prices.toml"} | said, content=text.encode(), headers=who
    )
    assert answer.status_code == status, answer.text
    return answer.json()


async def approve(client: httpx.AsyncClient, id: int, status: int = 200, **said: Any) -> Any:
    who = said.pop("headers", None)
    answer = await client.post(f"/v1/catalog/proposals/{id}/approve", json=said, headers=who)
    assert answer.status_code == status, answer.text
    return answer.json()


async def in_force(client: httpx.AsyncClient, **who: Any) -> dict[str, dict[str, str]]:
    """Sku to unit to price."""
    answer = await client.get("/v1/catalog/models", **who)
    assert answer.status_code == 200, answer.text
    return {
        each["sku"]: {row["entry"]["unit"]: row["entry"]["price"] for row in each["prices"]}
        for each in answer.json()["models"]
    }


async def version(client: httpx.AsyncClient) -> int:
    return int((await client.get("/v1/catalog/publication")).json()["version"])


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
RIVALS = """
[[model]]
provider = "openai"
sku = "n"
aliases = ["m-latest"]
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
    for size in (PROPOSAL_BYTES_MAX + 1, 100 * 1024 * 1024):
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
    monkeypatch.setattr("services.api.catalog_impact.IMPACT_EVENTS_MAX", 1)
    await booked(book, "acme", "old", 9, 1_000_000, "1")
    await booked(book, "acme", "new", 2, 3_000_000, "3")
    money = (await propose(operator, prices(amount="2"), withdraw=IN.id))["review"]["impact"]
    assert (money["events"], money["repriced"], money["amounts"][0]["difference"]) == (2, 1, "3")
    age = datetime.now(UTC) - datetime.fromisoformat(money["reached"])
    assert timedelta(days=1.9) < age < timedelta(days=2.1)


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
