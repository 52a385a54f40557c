"""Other people's price lists, pulled from a real server: what is proposed, what little is approved, and what a
bad file does (nothing)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.api.accounting.progress import BookProgress
from services.api.app import create_app
from services.api.catalog import pull as pulling
from services.api.catalog import pull_schedule
from services.api.catalog.pull_schedule import PullSchedule
from services.api.database.shares import TooMuch
from services.api.database.transactions import Database
from spendmeter.platform.catalog_store import record
from spendmeter.platform.settings import Settings
from spendmeter.pricing.catalog.read import read_prices
from tests.api.book import Book
from tests.api.catalog_admin import headers, in_force, version
from tests.api.corrector import FakeCorrector
from tests.api.price_server import PriceServer, genai, litellm, price_server
from tests.pricing.entries import RECORDED, used

AN_HOUR_AGO = (datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=1)).isoformat()
OLD = {"input_mtok": 1, "output_mtok": 4}
NEW = {"input_mtok": 1.2, "output_mtok": 5}
THEIRS = {"input_cost_per_token": 1.2, "output_cost_per_token": 5}


@pytest.fixture
def server() -> Iterator[PriceServer]:
    with price_server() as server:
        server.files = {
            "/genai.json": genai(gpt_8=OLD, gpt_7=OLD),
            "/litellm.json": litellm(gpt_8={"input_cost_per_token": 1, "output_cost_per_token": 4}),
        }
        yield server


def settings_of(server: PriceServer, **more: Any) -> Settings:
    return Settings(catalog_sources=server.sources(), catalog_pull_allow_private=True, **more)


def api_of(settings: Settings, database: Database, key: Mapping[str, str]) -> httpx.AsyncClient:
    """A client with a key, of an api with these settings."""
    app = create_app(settings, database, BookProgress(), lambda: "")
    transport = httpx.ASGITransport(app=app)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=key)


@pytest.fixture
async def admin(database: Database, book: Book, server: PriceServer) -> AsyncIterator[httpx.AsyncClient]:
    """An operator, of an api whose catalog has two models of one family."""
    known = read_prices("genai-prices.json", server.files["/genai.json"], recorded_at=RECORDED)
    async with book.connection.transaction():
        await record(book.connection, known, by="test", note="")
    async with api_of(settings_of(server), database, await headers(book, "", "admin")) as client:
        yield client


def schedule_of(settings: Settings, database: Database, app: FastAPI) -> PullSchedule:
    return PullSchedule(settings, database, app.state.price_books, app.state.corrector)


async def pull(client: httpx.AsyncClient, state: str) -> Any:
    answer = await client.post("/v1/catalog/pulls", timeout=60)
    assert answer.status_code == 201, answer.text
    assert answer.json()["state"] == state, answer.json()
    return answer.json()


def verdicts(done: Any) -> dict[str, str]:
    return {each["sku"]: each["why_not"] for each in done["report"]["models"]}


async def test_a_file_that_has_not_changed_is_nothing_new(
    admin: httpx.AsyncClient, server: PriceServer
) -> None:
    first = await pull(admin, "nothing")
    assert [file["state"] for file in first["files"]] == ["read", "read"]
    again = await pull(admin, "unchanged")
    assert again["says"] == "nothing new: no file has changed since it was pulled last"
    assert [status for _, status in server.asked[-2:]] == [304, 304]
    server.how = {"/genai.json": "no-tags", "/litellm.json": "no-tags"}
    await pull(admin, "unchanged")
    assert [status for _, status in server.asked[-2:]] == [200, 200], "the hash says that they are the same"
    assert await version(admin) == 1


async def test_a_new_model_that_two_lists_have_is_approved_by_the_policy_and_taken_back_in_one_act(
    admin: httpx.AsyncClient, server: PriceServer
) -> None:
    await pull(admin, "nothing")
    server.files["/genai.json"] = genai(gpt_8=OLD, gpt_7=OLD, gpt_9=NEW)
    server.files["/litellm.json"] = litellm(gpt_9=THEIRS)
    done = await pull(admin, "proposed")
    assert verdicts(done) == {"gpt-9": ""}
    assert (await in_force(admin))["gpt-9"] == {"input_tokens": "1.2", "output_tokens": "5"}
    (approved,) = done["report"]["approved"]
    proposal = (await admin.get(f"/v1/catalog/proposals/{approved}")).json()
    assert proposal["decided_by"].startswith("policy new-exact-two-sources, for key k")
    for file in done["files"]:
        assert file["sha256"] in proposal["reason"]
    answer = await admin.post(f"/v1/catalog/pulls/{done['id']}/withdraw", json={"reason": "a rumour"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["withdrawn_version"] == await version(admin) == 3
    assert (await in_force(admin))["gpt-9"] == {}
    answer = await admin.post(f"/v1/catalog/pulls/{done['id']}/withdraw", json={"reason": "again"})
    assert (answer.status_code, answer.json()["title"]) == (409, "Nothing to withdraw")
    # Taken back stays taken back: the next file that has it is for a person.
    server.files["/genai.json"] += b" "
    again = await pull(admin, "proposed")
    assert (again["report"]["approved"], verdicts(again)) == ([], {})


@pytest.mark.parametrize("policy", ["offer", "start"])
async def test_what_had_waited_for_a_model_that_a_pull_approves_is_offered_to_be_re_rated_or_that_begins(
    admin: httpx.AsyncClient, server: PriceServer, book: Book, database: Database, policy: str
) -> None:
    """acme used gpt-9 three times at a bound."""
    said = {"provider": "openai", "sku": "gpt-9", "usage": {"input_tokens": 1000}}
    await book.spend("acme", AN_HOUR_AGO, "0.5", provisional="0.5", events=3, **said)
    server.files["/genai.json"] = genai(gpt_8=OLD, gpt_7=OLD, gpt_9=NEW)
    server.files["/litellm.json"] = litellm(gpt_9=THEIRS)
    settings = settings_of(server, rerate_on_approval=policy)
    async with api_of(settings, database, await headers(book, "", "admin")) as client:
        corrector = FakeCorrector(client._transport.app)  # type: ignore[attr-defined]
        done = await pull(client, "proposed")
        listed = (await client.get("/v1/catalog/pulls")).json()["pulls"]
    [offer] = done["report"]["rerates"]
    assert (offer["tenant"], offer["events"]) == ("acme", 3)
    assert offer["body"]["publication"] == done["report"]["versions"][0]
    assert listed[0]["report"]["rerates"] == [offer]
    if policy == "offer":
        assert (offer["rerate_id"], corrector.asked) == (None, [])
    else:
        [wanted] = corrector.asked
        assert (wanted.id, wanted.tenant, wanted.apply) == (offer["rerate_id"], "acme", True)
        assert wanted.by.startswith("policy new-exact-two-sources, for key k")


async def test_a_changed_price_is_proposed_and_never_approved(
    admin: httpx.AsyncClient, server: PriceServer
) -> None:
    server.files["/genai.json"] = genai(gpt_8=NEW, gpt_7=OLD)
    server.files["/litellm.json"] = litellm(gpt_8=THEIRS)
    done = await pull(admin, "proposed")
    assert (len(done["report"]["proposals"]), done["report"]["approved"]) == (1, [])
    proposal = (await admin.get(f"/v1/catalog/proposals/{done['report']['proposals'][0]}")).json()
    assert (proposal["state"], proposal["review"]["changes_total"]) == ("open", 2)
    assert proposal["review"]["impact"]["events"] == 0
    assert await version(admin) == 1
    server.files["/litellm.json"] += b" "
    again = await pull(admin, "nothing")
    assert "open already" in again["report"]["notes"][0]


async def test_what_a_pull_proposes_takes_the_place_of_what_earlier_ones_proposed_of_that_list(
    admin: httpx.AsyncClient, server: PriceServer, book: Book
) -> None:
    """A list that changes every day is one open proposal, not one a day; what people proposed stays."""
    await book.entry(used("openai", "gpt-10", {"input_tokens": 1_000_000}, tenant="acme"), "0", [])
    server.files = {"/genai.json": genai(gpt_8=NEW, gpt_7=OLD), "/litellm.json": litellm(gpt_10=THEIRS)}
    own = {"name": "genai-prices.mine.json", "replace": "true"}
    mine = await admin.post("/v1/catalog/proposals", params=own, content=genai(gpt_8=NEW))
    first = (await pull(admin, "proposed"))["report"]["proposals"]
    server.files["/genai.json"] = genai(gpt_8=NEW, gpt_7=NEW)
    server.files["/litellm.json"] = litellm(gpt_10=THEIRS, gpt_11=THEIRS)
    second = (await pull(admin, "proposed"))["report"]["proposals"]
    assert (len(first), len(second)) == (2, 2)
    listed = (await admin.get("/v1/catalog/proposals")).json()["proposals"]
    open_ones = {each["id"] for each in listed if each["state"] == "open"}
    assert open_ones == {mine.json()["id"], *second}
    reasons = {each["id"]: each["reason"] for each in listed if each["state"] == "rejected"}
    newer = dict(zip(first, second, strict=True))
    assert reasons == {old: f"proposal {new} is of a newer file" for old, new in newer.items()}


CLAIMS = {"match": {"starts_with": "gpt-x"}, "prices": NEW}
POISONED: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("costs nothing", {"input_mtok": 0, "output_mtok": 0}, {"input_cost_per_token": 0.0}, "input_tokens: costs 0"),
    ("ten times", {"input_mtok": 10, "output_mtok": 5}, {"input_cost_per_token": 10, "output_cost_per_token": 5}, "input_tokens: is 10 times the median of its family"),
    ("a tenth", {"input_mtok": 0.1, "output_mtok": 5}, {"input_cost_per_token": 0.1, "output_cost_per_token": 5}, "input_tokens: is 0.1 times the median of its family"),
    ("one list", NEW, {}, "no second list has it"),
    ("2 % apart", NEW, {"input_cost_per_token": 1.23, "output_cost_per_token": 5}, "litellm says otherwise: 1.23 per 1,000,000 input_tokens"),
    ("a price less", NEW, {"input_cost_per_token": 1.2}, "litellm says otherwise: no output_tokens under these conditions"),
    ("a name in use", CLAIMS, THEIRS, "it claims the name gpt-x-large, which usage has"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("prices", "theirs", "why_not"), [each[1:] for each in POISONED], ids=[each[0] for each in POISONED]
)
async def test_a_poisoned_model_waits_for_a_person(
    admin: httpx.AsyncClient, server: PriceServer, book: Book, prices: Any, theirs: Any, why_not: str
) -> None:
    await book.entry(used("openai", "gpt-x-large", {"input_tokens": 1}, tenant="acme"), "1", [])
    server.files["/genai.json"] = genai(gpt_8=OLD, gpt_7=OLD, gpt_9=prices)
    server.files["/litellm.json"] = litellm(gpt_9=theirs) if theirs else litellm(gpt_8=OLD)
    done = await pull(admin, "proposed")
    assert verdicts(done) == {"gpt-9": why_not}
    assert done["report"]["approved"] == []
    assert await version(admin) == 1


async def test_of_an_approved_model_no_name_but_its_own_comes_along(
    admin: httpx.AsyncClient, server: PriceServer
) -> None:
    """What it claims beside is in the proposal that a person decides."""
    server.files["/genai.json"] = genai(
        gpt_8=OLD, gpt_7=OLD, gpt_9={"match": {"starts_with": "gpt-9"}, "prices": NEW}
    )
    server.files["/litellm.json"] = litellm(gpt_9=THEIRS)
    done = await pull(admin, "proposed")
    assert (len(done["report"]["approved"]), len(done["report"]["proposals"])) == (1, 2)
    shown = await admin.get("/v1/catalog/model", params={"provider": "openai", "sku": "gpt-9"})
    assert shown.json()["aliases"] == []
    other = await admin.get("/v1/catalog/model", params={"provider": "openai", "sku": "gpt-9-turbo"})
    assert other.status_code == 404


BAD: list[tuple[str, str, bytes, str, str]] = [
    ("100 MB", "endless", b"", "refused", "has more than 10,485,760 bytes"),
    ("redirect", "redirect", b"", "refused", "redirects to http://169.254.169.254/latest/meta-data, and no redirect is followed"),
    ("half a file", "half", genai(gpt_8=NEW), "away", "it ends before its stated length"),
    ("cut off", "", genai(gpt_8=NEW)[:-9], "refused", "genai-prices.json: "),
    ("no json", "", b"<html>rate limited</html>", "refused", "genai-prices.json: "),
    ("one bad price", "", genai(gpt_8=NEW, gpt_9={"input_mtok": "lots"}), "refused", "genai-prices.json: "),
    ("of no format", "", b'{"error": "rate limited"}', "refused", "is JSON of no known price list"),
    ("nested", "", b"[" * 2_000_000, "refused", "genai-prices.json: "),
]  # fmt: skip


@pytest.mark.parametrize(
    ("how", "content", "state", "says"), [each[1:] for each in BAD], ids=[each[0] for each in BAD]
)
async def test_a_bad_file_is_refused_as_a_whole_and_the_others_are_read(
    admin: httpx.AsyncClient,
    server: PriceServer,
    how: str,
    content: bytes,
    state: str,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("spendmeter.platform.fetch.RETRY_S", 0.01)
    server.files["/genai.json"], server.how["/genai.json"] = content, how
    answer = await admin.post("/v1/catalog/pulls", timeout=60)
    done = answer.json()
    said = {file["source"]: file for file in done["files"]}
    assert (said["genai-prices"]["state"], said["litellm"]["state"]) == (state, "read")
    assert says in said["genai-prices"]["says"]
    assert done["report"]["proposals"] == []
    assert (await version(admin), done["state"]) == (1, state)


async def test_offline_it_says_so_and_changes_nothing(
    database: Database, book: Book, server: PriceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spendmeter.platform.fetch.RETRY_S", 0.01)
    settings = settings_of(server)
    server.shutdown()
    server.server_close()
    async with api_of(settings, database, await headers(book, "", "admin")) as client:
        done = await pull(client, "away")
        assert done["says"] == "offline: no price list can be reached, and nothing was changed"
        assert [(file["state"], file["says"].partition(".json: ")[2]) for file in done["files"]] == [
            ("away", "cannot be reached: Connection refused")
        ] * 2


async def test_where_one_list_is_away_and_the_others_have_not_changed_nothing_is_offline(
    admin: httpx.AsyncClient, server: PriceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spendmeter.platform.fetch.RETRY_S", 0.01)
    await pull(admin, "nothing")
    server.how["/genai.json"] = "half"
    server.files["/genai.json"] = genai(gpt_8=NEW)
    done = await pull(admin, "away")
    assert done["says"] == f"nothing was changed: {server.url}/genai.json: it ends before its stated length"


async def test_a_private_address_needs_a_setting(database: Database, book: Book, server: PriceServer) -> None:
    async with api_of(
        Settings(catalog_sources=server.sources()), database, await headers(book, "", "admin")
    ) as client:
        done = await pull(client, "refused")
    assert "SPENDMETER_CATALOG_PULL_ALLOW_PRIVATE=true" in done["says"]
    assert server.asked == []


async def test_a_model_in_use_without_a_price_is_proposed_from_whichever_list_has_it(
    admin: httpx.AsyncClient, server: PriceServer, book: Book
) -> None:
    await book.entry(used("openai", "gpt-10", {"input_tokens": 1_000_000}, tenant="acme"), "0", [])
    server.files["/litellm.json"] = litellm(gpt_10=THEIRS, gpt_11=THEIRS)
    done = await pull(admin, "proposed")
    assert verdicts(done) == {"gpt-10": "no second list has it"}, "nobody uses gpt-11"
    proposal = (await admin.get(f"/v1/catalog/proposals/{done['report']['proposals'][0]}")).json()
    assert {change["sku"] for change in proposal["review"]["changes"]} == {"gpt-10"}


async def test_tenants_pull_nothing(admin: httpx.AsyncClient, book: Book) -> None:
    answer = await admin.post("/v1/catalog/pulls", headers=await headers(book, "acme", "admin"))
    assert answer.status_code == 403
    answer = await admin.get("/v1/catalog/pulls", headers=await headers(book, "acme", "read"))
    assert answer.status_code == 403
    answer = await admin.post("/v1/catalog/pulls", headers=await headers(book, "", "read"))
    assert answer.status_code == 403


async def test_one_of_several_processes_pulls_when_it_is_time(
    database: Database, admin: httpx.AsyncClient, book: Book, server: PriceServer
) -> None:
    app = admin._transport.app  # type: ignore[attr-defined]
    schedules = [schedule_of(settings_of(server, catalog_pull_hours=6), database, app) for _ in range(4)]
    assert sorted(await asyncio.gather(*(each.pull_if_due() for each in schedules))) == [False] * 3 + [True]
    assert await schedules[0].pull_if_due() is False
    await book.connection.execute(
        "UPDATE catalog_pulls SET started_at = started_at - $1::interval", timedelta(hours=7)
    )
    assert await schedules[1].pull_if_due() is True
    listed = (await admin.get("/v1/catalog/pulls")).json()["pulls"]
    assert [(each["trigger"], each["started_by"]) for each in listed] == [("schedule", "key schedule")] * 2


def test_the_public_catalog_is_pulled_from_where_its_own_package_looks_for_news() -> None:
    """Its publisher leaves an older format where it is, unchanged from then on: old prices would be proposed."""
    from genai_prices.update_prices import DEFAULT_UPDATE_URL

    assert Settings().sources["genai-prices"] == DEFAULT_UPDATE_URL


async def test_the_schedule_is_off_by_default(database: Database, admin: httpx.AsyncClient) -> None:
    app = admin._transport.app  # type: ignore[attr-defined]
    await schedule_of(Settings(), database, app).run()
    assert (await admin.get("/v1/catalog/pulls")).json()["pulls"] == []


async def test_a_schedule_whose_share_is_used_up_looks_again_later(
    database: Database, admin: httpx.AsyncClient, server: PriceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: Any) -> None:
        raise TooMuch("ask again in 15 s", 15)

    app = admin._transport.app  # type: ignore[attr-defined]
    schedule = schedule_of(settings_of(server, catalog_pull_hours=6), database, app)
    with monkeypatch.context() as busy:
        busy.setattr(pull_schedule, "begin", refuse)
        assert await schedule.pull_if_due() is False
    assert await schedule.pull_if_due() is True


async def break_off_and_withdraw(admin: httpx.AsyncClient, server: PriceServer, state: str) -> None:
    """A pull that approves gpt-9 and breaks off, whose row is in a state; then all that it approved is taken
    back in one act."""
    server.files["/genai.json"] = genai(gpt_8=OLD, gpt_7=OLD, gpt_9=NEW)
    server.files["/litellm.json"] = litellm(gpt_9=THEIRS)
    with pytest.raises(ZeroDivisionError):
        await admin.post("/v1/catalog/pulls", timeout=60)
    (done,) = (await admin.get("/v1/catalog/pulls")).json()["pulls"]
    assert (done["state"], len(done["report"]["approved"])) == (state, 1)
    assert (await in_force(admin))["gpt-9"] == {"input_tokens": "1.2", "output_tokens": "5"}
    answer = await admin.post(f"/v1/catalog/pulls/{done['id']}/withdraw", json={"reason": "it broke off"})
    assert answer.status_code == 200, answer.text
    assert (await in_force(admin))["gpt-9"] == {}


async def test_what_a_pull_approved_before_it_broke_off_is_taken_back_in_one_act(
    admin: httpx.AsyncClient, server: PriceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def break_off(*_: Any) -> None:
        raise ZeroDivisionError("a bug")

    record_end, refusals = pulling._record_end, [TooMuch("ask again in 1 s", 1)]

    async def record_end_at_last(*values: Any) -> None:
        if refusals:
            raise refusals.pop()
        await record_end(*values)

    monkeypatch.setattr(pulling, "_propose", break_off)
    monkeypatch.setattr(pulling, "_record_end", record_end_at_last)
    await break_off_and_withdraw(admin, server, "failed")
    assert refusals == []


async def test_one_file_under_two_names_confirms_nothing(
    database: Database, admin: httpx.AsyncClient, book: Book, server: PriceServer
) -> None:
    same = genai(gpt_8=OLD, gpt_7=OLD, gpt_9=NEW)
    server.files = {"/genai.json": same, "/copy.json": same}
    sources = f"copy={server.url}/copy.json,genai-prices={server.url}/genai.json"
    settings = Settings(catalog_sources=sources, catalog_pull_allow_private=True)
    async with api_of(settings, database, await headers(book, "", "admin")) as client:
        done = await pull(client, "proposed")
    assert verdicts(done) == {"gpt-9": "no second list has it"}
    assert done["report"]["notes"] == ["copy is the very file of genai-prices: they count as one list"]


@pytest.mark.parametrize("step", ["store_proposal", "approve"])
async def test_a_file_is_tried_again_where_others_questions_kept_it_from_being_proposed(
    admin: httpx.AsyncClient, server: PriceServer, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    async def refuse(*_: Any) -> None:
        raise TooMuch("ask again in 15 s", 15)

    await pull(admin, "nothing")
    server.files["/genai.json"] = genai(gpt_8=OLD, gpt_7=OLD, gpt_9=NEW)
    server.files["/litellm.json"] = litellm(gpt_9=THEIRS)
    with monkeypatch.context() as busy:
        busy.setattr(pulling, step, refuse)
        assert (await admin.post("/v1/catalog/pulls", timeout=60)).status_code == 429
    assert (await admin.get("/v1/catalog/pulls")).json()["pulls"][0]["state"] == "failed"
    assert (await in_force(admin)).get("gpt-9", {}) == {}
    assert len((await pull(admin, "proposed"))["report"]["approved"]) == 1
    assert (await in_force(admin))["gpt-9"] == {"input_tokens": "1.2", "output_tokens": "5"}


async def test_what_a_newer_file_takes_back_is_no_longer_to_be_approved(
    admin: httpx.AsyncClient, server: PriceServer, book: Book
) -> None:
    await book.entry(used("openai", "gpt-10", {"input_tokens": 1_000_000}, tenant="acme"), "0", [])
    server.files = {"/genai.json": genai(gpt_8=NEW, gpt_7=OLD), "/litellm.json": litellm(gpt_10=THEIRS)}
    first = (await pull(admin, "proposed"))["report"]["proposals"]
    assert len(first) == 2
    server.files["/genai.json"] = genai(gpt_8=NEW, gpt_7=OLD, gpt_9={"input_mtok": "lots"})
    server.files["/litellm.json"] += b" "
    (other,) = (await pull(admin, "proposed"))["report"]["proposals"]
    listed = (await admin.get("/v1/catalog/proposals")).json()["proposals"]
    open_ones = {each["id"] for each in listed if each["state"] == "open"}
    assert len(open_ones) == 2, "a file that cannot be read takes nothing back"
    assert other in open_ones
    server.files = {"/genai.json": genai(gpt_8=OLD, gpt_7=OLD) + b" ", "/litellm.json": litellm(gpt_8=OLD)}
    await pull(admin, "nothing")
    listed = (await admin.get("/v1/catalog/proposals")).json()["proposals"]
    assert [each["id"] for each in listed if each["state"] == "open"] == []
    answer = await admin.post(f"/v1/catalog/proposals/{first[0]}/approve", json={"confirm": True})
    assert answer.status_code == 409
    assert (await in_force(admin))["gpt-8"] == {"input_tokens": "1", "output_tokens": "4"}


async def test_a_source_takes_no_place_of_one_whose_name_begins_like_its_own(
    admin: httpx.AsyncClient, database: Database, book: Book, server: PriceServer
) -> None:
    await book.entry(used("openai", "gpt-10", {"input_tokens": 1_000_000}, tenant="acme"), "0", [])
    server.files["/eu.json"] = litellm(gpt_10=THEIRS)
    sources = f"litellm.eu={server.url}/eu.json,litellm={server.url}/litellm.json"
    settings = Settings(catalog_sources=sources, catalog_pull_allow_private=True)
    async with api_of(settings, database, admin.headers) as client:
        (made,) = (await pull(client, "proposed"))["report"]["proposals"]
        server.files["/eu.json"] = b"<html>"
        await pull(client, "refused")
        assert (await client.get(f"/v1/catalog/proposals/{made}")).json()["state"] == "open"


async def test_a_wrong_setting_is_said_and_no_pull_begins(
    admin: httpx.AsyncClient, database: Database
) -> None:
    async with api_of(Settings(catalog_sources="litellm"), database, admin.headers) as client:
        answer = await client.post("/v1/catalog/pulls", timeout=60)
        assert (answer.status_code, "'litellm' has no address" in answer.json()["detail"]) == (503, True)
        assert (await client.get("/v1/catalog/pulls")).json()["pulls"] == []


async def test_a_pull_that_is_killed_has_written_down_what_it_was_about_to_approve(
    admin: httpx.AsyncClient, server: PriceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def killed(*_: Any) -> None:
        raise ZeroDivisionError("no end")

    monkeypatch.setattr(pulling, "_record_end", killed)
    await break_off_and_withdraw(admin, server, "running")
