"""A run as a receipt: folded and kept by the corrector's own code, read by the api's, sums worked out by hand."""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest

from services.corrector.outcomes.intake import collect
from services.corrector.outcomes.keep import keep, read_position
from services.corrector.projections.projector import Projector
from spendmeter.contracts.events import Amount, Labels, Outcome, Performance, UsageData, UsageEvent
from spendmeter.contracts.outcomes import OUTCOME_TYPE
from spendmeter.platform.roles import role_url
from spendmeter.platform.telemetry import Meters
from tests.api.book import Book
from tests.databases import SECRET

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
RUN = "agents/refund/81 ü"


@pytest.fixture
async def pool(book: Book, database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """The corrector's."""
    url = role_url(database_url, "corrector", SECRET)
    async with asyncpg.create_pool(url, min_size=1, max_size=3, server_settings={"timezone": "UTC"}) as pool:
        yield pool


class Made:
    """Events and outcomes of runs, as they come to be in the book."""

    def __init__(self, book: Book, pool: asyncpg.Pool) -> None:
        self.book, self.pool = book, pool
        self._events = 0
        self._outcomes = 0

    async def event(
        self,
        amount: str,
        *,
        id: str = "",
        run: str = RUN,
        tenant: str = "acme",
        at: datetime = NOON,
        status: str = "priced",
        agent: str = "triage",
        corrected: bool = False,
        currency: str = "USD",
        **data: Any,
    ) -> None:
        self._events += 1
        labels = Labels(run=run, workflow="refund", workflow_version="v2", agent=agent)
        said = {"provider": "openai", "sku": "gpt-4o", "usage": {"requests": 1}, "labels": labels, **data}
        event = UsageEvent(
            specversion="1.0", type="spendmeter.usage.v1", source="bot", subject="s", id=id or f"e{self._events}",
            tenant=tenant, keyid="k1", time=at, receivedat=at, data=UsageData(**said),
        )  # fmt: skip
        await self.book.entry(event, amount, [], status=status, currency=currency)

    async def outcome(self, id: str, tenant: str = "acme", at: datetime = NOON, **data: Any) -> None:
        """Kept as the corrector keeps it."""
        event = {"specversion": "1.0", "type": OUTCOME_TYPE, "id": id, "source": "bot", "subject": "s"}
        raw = msgspec.json.encode({**event, "tenant": tenant, "time": at.isoformat(), "data": data})
        async with self.pool.acquire() as connection:
            position = await read_position(connection, "topic")
            _, counts = await keep(connection, position, collect(position.position, [(self._outcomes, raw)]))
        self._outcomes += 1
        assert counts["kept"] == 1, raw

    async def fold(self, in_flight: int = 0) -> None:
        """Everything booked is folded; the log is `in_flight` events longer."""
        end = self.book._offset + 1
        await self.book.partition(0, log_end=end + in_flight, read_at=datetime.now(UTC), booked=end)
        await Projector(pool=self.pool, meters=Meters()).catch_up()


@pytest.fixture
def made(book: Book, pool: asyncpg.Pool) -> Made:
    return Made(book, pool)


async def receipt(client: httpx.AsyncClient, run: str = RUN, status: int = 200) -> dict[str, Any]:
    answer = await client.get("/v1/runs", params={"run": run})
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_time_that_somebody_worked_is_part_of_a_run_and_no_call(
    acme: httpx.AsyncClient, made: Made
) -> None:
    await made.event("0.05", performance=Performance(latency_ms=100, status="ok"))
    await made.event("1.5", cost_class="labour", provider="claude-code", sku="active-time-person")
    await made.fold()
    found = await receipt(acme)
    assert [(each["effective"], each["events"]) for each in found["costs"]] == [("1.55", 2)]
    assert (found["calls"]["attempts"], found["calls"]["statuses"]) == (1, [{"status": "ok", "events": 1}])


async def test_a_run_is_found_however_its_name_is_typed(acme: httpx.AsyncClient, made: Made) -> None:
    await made.event("0.05")
    await made.outcome("o1", name="done", labels={"run": RUN})
    await made.fold()
    typed = unicodedata.normalize("NFD", RUN)
    assert typed != RUN
    assert (await receipt(acme, run=typed))["run"] == RUN
    span = {"from": "2026-11-23", "to": "2026-11-24"}
    [found] = (await acme.get("/v1/outcomes", params=span | {"run": typed})).json()["outcomes"]
    assert found["run"] == RUN


async def test_a_run_is_added_up_over_all_its_cost_classes(acme: httpx.AsyncClient, made: Made) -> None:
    """0.05 + 0.07 + 0.03 of a model, 0.015 of a database: 0.165. Latency (100 + 830 + 570) / 3 = 500 ms."""
    await made.event("0.05", performance=Performance(latency_ms=100, status="ok"))
    await made.event(
        "0.07", performance=Performance(latency_ms=830, status="ok"), at=NOON + timedelta(minutes=4)
    )
    await made.event("0.03", performance=Performance(latency_ms=570, status="error"), agent="writer")
    await made.event("0.015", cost_class="database", provider="pinecone", sku="serverless")
    await made.event("7", run="another")
    await made.event("9", tenant="globex")
    await made.fold()
    found = await receipt(acme)
    assert (found["first_at"], found["last_at"]) == ("2026-11-23T12:00:00Z", "2026-11-23T12:04:00Z")
    assert [(each["currency"], each["effective"], each["events"]) for each in found["costs"]] == [
        ("USD", "0.165", 4)
    ]
    assert {each["cost_class"]: each["effective"] for each in found["by_class"]} == {
        "model": "0.15",
        "database": "0.015",
    }
    assert {(each["provider"], each["sku"]): each["effective"] for each in found["by_model"]} == {
        ("openai", "gpt-4o"): "0.15",
        ("pinecone", "serverless"): "0.015",
    }
    assert {each["agent"]: each["effective"] for each in found["by_agent"]} == {
        "triage": "0.135",
        "writer": "0.03",
    }
    assert [
        (each["workflow"], each["workflow_version"], each["effective"]) for each in found["by_workflow"]
    ] == [("refund", "v2", "0.165")]
    assert found["calls"] == {
        "attempts": 4,
        "statuses": [
            {"status": "ok", "events": 2},
            {"status": "error", "events": 1},
            {"status": "", "events": 1},
        ],
        "timed": 3,
        "latency_ms_mean": "500",
        "latency_ms_max": 830,
    }
    assert found["not_in_it"] == []
    assert sorted(each["effective"] for each in found["events"]) == ["0.015", "0.03", "0.05", "0.07"]
    assert found["summary"] == "0.165 USD for 4 events; no outcome is stated"


async def test_outcomes_of_both_kinds_are_joined_with_their_verdicts_and_the_reversed_ones_subtracted(
    acme: httpx.AsyncClient, made: Made
) -> None:
    """A run of 0.60. Stated 2 + 1 + 1 + 3 = 7 refunds: 2 accepted when stated, 1 accepted three days later, 1 first
    accepted and then refused, 3 reversed after ten days. 0.60 / (7 - 3) = 0.15 each; 0.60 / (2 + 1) = 0.20 accepted."""
    value = Amount(amount="4.20", currency="USD")
    worth = {"amount": "4.20", "currency": "USD"}
    soon, late = NOON + timedelta(minutes=1), NOON + timedelta(hours=2)
    await made.event("0.35", id="call-1", at=late, outcome=Outcome(name="refund_resolved", value=value))
    await made.event("0.25", id="call-2", outcome=Outcome(name="refund_resolved", count=3, value=value))
    await made.fold()
    of_run = {"labels": {"run": RUN}}
    await made.outcome("o1", name="refund_resolved", count=2, value=worth, accepted=True, **of_run)
    await made.outcome("o2", name="refund_resolved", at=soon, value=worth, **of_run)
    await made.outcome("o3", name="escalated", at=soon, **of_run)
    await made.outcome("v-late", verdict_on="o2", accepted=False, at=NOON + timedelta(days=9))
    await made.outcome("v-early", verdict_on="o2", accepted=True, at=NOON + timedelta(days=1))
    await made.outcome("v-call", verdict_on="call-1", accepted=True, at=NOON + timedelta(days=3))
    await made.outcome("r-call", reverses="call-2", at=NOON + timedelta(days=10))
    await made.outcome("v-dead", verdict_on="call-2", accepted=True, at=NOON + timedelta(days=11))
    await made.outcome("elsewhere", name="refund_resolved", labels={"run": "another"})
    await made.outcome("theirs", "globex", name="refund_resolved", **of_run)
    found = await receipt(acme)
    resolved, escalated = found["outcomes"]
    counts = {"stated": 7, "accepted": 3, "refused": 1, "open": 0, "reversed": 3}
    worths = {"values": [{"currency": "USD", "value": "12.6", "accepted": "8.4"}]}
    costs = {"cost_per_outcome": "0.15", "cost_per_accepted": "0.2", "cost_currency": "USD"}
    times = {"first_at": "2026-11-23T12:00:00Z", "last_at": "2026-11-23T14:00:00Z"}
    assert resolved == {"name": "refund_resolved"} | times | counts | worths | costs
    assert (escalated["name"], escalated["open"], escalated["values"]) == ("escalated", 1, [])
    assert (escalated["first_at"], escalated["last_at"]) == ("2026-11-23T12:01:00Z",) * 2
    assert (escalated["cost_per_outcome"], escalated["cost_per_accepted"]) == ("0.6", None)
    assert "4 refund_resolved (3 accepted, 1 refused, 0 open, 3 reversed beside)" in found["summary"]


async def test_outcomes_of_one_name_are_one_count_whatever_they_say_of_their_value(
    acme: httpx.AsyncClient, made: Made
) -> None:
    """One without a value, one in dollars, two in euro of which one is reversed: 0.9 / 3 each."""
    await made.event("0.9")
    await made.fold()
    of_run = {"name": "done", "labels": {"run": RUN}}
    await made.outcome("a", **of_run)
    await made.outcome("b", value={"amount": "4", "currency": "USD"}, accepted=True, **of_run)
    await made.outcome("c", value={"amount": "3", "currency": "EUR"}, **of_run)
    await made.outcome("d", value={"amount": "2", "currency": "EUR"}, **of_run)
    await made.outcome("r", reverses="d")
    [done] = (await receipt(acme))["outcomes"]
    assert (done["stated"], done["reversed"], done["cost_per_outcome"]) == (4, 1, "0.3")
    assert done["values"] == [
        {"currency": "EUR", "value": "3", "accepted": "0"},
        {"currency": "USD", "value": "4", "accepted": "4"},
    ]


async def test_a_verdict_that_comes_before_its_outcome_waits_for_it_and_is_named(
    acme: httpx.AsyncClient, made: Made
) -> None:
    await made.event("1")
    await made.fold()
    await made.outcome("v", verdict_on="later", accepted=True, labels={"run": RUN})
    found = await receipt(acme)
    assert found["not_in_it"] == ["1 verdicts or reversals are about outcomes that have not come"]
    await made.outcome("later", name="done", labels={"run": RUN})
    found = await receipt(acme)
    assert (found["not_in_it"], found["outcomes"][0]["accepted"]) == ([], 1)


async def test_an_id_that_an_outcome_and_a_usage_event_have_is_the_outcomes(
    acme: httpx.AsyncClient, made: Made
) -> None:
    await made.event("1", id="same", outcome=Outcome(name="done"))
    await made.fold()
    await made.outcome("same", name="done", labels={"run": RUN})
    await made.outcome("r", reverses="same")
    [done] = (await receipt(acme))["outcomes"]
    assert (done["stated"], done["reversed"], done["open"]) == (2, 1, 1)


async def test_what_is_not_in_it_is_said(acme: httpx.AsyncClient, made: Made) -> None:
    await made.event("0.25", status="provisional")
    await made.event("0", status="unpriced")
    await made.event("3", currency="EUR")
    await made.fold(in_flight=3)
    await made.event("1")
    end = made.book._offset + 1
    await made.book.partition(0, log_end=end + 3, read_at=datetime.now(UTC), booked=end)
    found = await receipt(acme)
    assert [each for each in found["not_in_it"] if "way" not in each] == [
        "1 events (USD) have no price: what they cost is unknown",
        "0.25 USD of it is provisional: a bound, until the price or the usage is known",
        "1 booked events of all tenants are not added up by run yet",
    ]
    assert [each["currency"] for each in found["costs"]] == ["EUR", "USD"]
    assert found["summary"] == "3 EUR + 0.25 USD for 3 events; no outcome is stated"


async def test_a_run_of_several_currencies_has_no_cost_for_each_outcome(
    acme: httpx.AsyncClient, made: Made
) -> None:
    await made.event("1")
    await made.event("1", currency="EUR")
    await made.fold()
    await made.outcome("o", name="done", labels={"run": RUN})
    [done] = (await receipt(acme))["outcomes"]
    assert (done["cost_per_outcome"], done["cost_currency"]) == (None, "")


async def test_a_run_of_which_much_has_no_price_has_no_cost_for_each_outcome(
    acme: httpx.AsyncClient, made: Made
) -> None:
    """An event without a price beside none that has one is no run for nothing."""
    await made.event("0", status="unpriced")
    await made.fold()
    await made.outcome("o", name="done", accepted=True, labels={"run": RUN})
    [done] = (await receipt(acme))["outcomes"]
    assert (done["accepted"], done["cost_per_outcome"], done["cost_per_accepted"]) == (1, None, None)


async def test_what_was_retracted_is_in_no_sum_and_in_no_list(acme: httpx.AsyncClient, made: Made) -> None:
    await made.event("1", id="kept", outcome=Outcome(name="done"))
    await made.event("2", id="gone", outcome=Outcome(name="done"))
    await made.book.connection.execute(
        "INSERT INTO entries (occurred_at, origin_offset, origin_partition, catalog_version, accounting_period, seq, "
        "identity, series_id, tenant, status, currency, list, contracted, effective, correction_id) SELECT occurred_at, 0, "
        "-1, 1, accounting_period, 1, identity, series_id, tenant, status, currency, -list, -contracted, -effective, 'c' "
        "FROM entries WHERE effective = 2"
    )
    await made.book.connection.execute("INSERT INTO corrector (topic, next_entry) VALUES ('corrections', 1)")
    await made.fold()
    found = await receipt(acme)
    assert (found["costs"][0]["effective"], found["costs"][0]["events"]) == ("1", 1)
    assert [each["id"] for each in found["events"]] == ["kept"]
    assert found["outcomes"][0]["stated"] == 1


async def test_outcomes_alone_are_a_run_and_what_nobody_knows_is_none(
    acme: httpx.AsyncClient, made: Made
) -> None:
    await made.outcome("o", name="done", labels={"run": RUN})
    found = await receipt(acme)
    assert (found["costs"], found["first_at"], found["calls"]["attempts"]) == ([], None, 0)
    assert (found["outcomes"][0]["stated"], found["outcomes"][0]["cost_per_outcome"]) == (1, None)
    problem = await receipt(acme, "nobody", 404)
    assert problem["title"] == "No such run" and "nobody" not in problem["detail"]
    for bad in ("", "x" * 129, "a\0b"):
        await receipt(acme, bad, 422)


async def test_of_many_groups_the_dearest_are_shown_and_the_rest_counted(
    acme: httpx.AsyncClient, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.api.runs.routes.GROUPS_MAX", 2)
    for n in range(5):
        await made.event(str(n + 1), agent=f"a{n}")
    await made.fold()
    found = await receipt(acme)
    assert [each["agent"] for each in found["by_agent"]] == ["a4", "a3"]
    assert (found["beyond"], found["costs"][0]["effective"]) == ({"by_agent": 3}, "15")


async def test_outcomes_are_listed_with_what_became_of_each_and_who_says_so(
    acme: httpx.AsyncClient, made: Made
) -> None:
    for n, more in enumerate(({}, {"accepted": True}, {"accepted": True}, {"accepted": False}, {})):
        labels = {"run": RUN, "workflow": "refund", "workflow_version": f"v{n % 2}", "team": "payments"}
        at = NOON + timedelta(minutes=n)
        await made.outcome(f"o{n}", at=at, name="done", labels=labels, **more)
    await made.outcome("v", verdict_on="o2", accepted=False, at=NOON + timedelta(days=1))
    await made.outcome("r", reverses="o3", at=NOON + timedelta(days=2))
    await made.outcome("theirs", "globex", name="done")
    asked = {"from": "2026-11-23", "to": "2026-11-24"}
    answer = (await acme.get("/v1/outcomes", params=asked)).json()
    assert [
        (each["id"], each["state"], each["said_by"] and each["said_by"]["id"]) for each in answer["outcomes"]
    ] == [
        ("o4", "open", None),
        ("o3", "reversed", "r"),
        ("o2", "refused", "v"),
        ("o1", "accepted", None),
        ("o0", "open", None),
    ]
    assert (answer["outcomes"][0]["labels"], answer["outcomes"][0]["value"]) == ({"team": "payments"}, None)
    for more, ids in (
        ({"state": "open"}, ["o4", "o0"]), ({"workflow_version": "v1"}, ["o3", "o1"]), ({"run": "another"}, []),
        ({"name": "done", "workflow": "refund", "state": "refused"}, ["o2"]), ({"from": "2026-11-24", "to": "2026-11-25"}, []),
    ):  # fmt: skip
        found = (await acme.get("/v1/outcomes", params=asked | more)).json()
        assert [each["id"] for each in found["outcomes"]] == ids, more
    first = (await acme.get("/v1/outcomes", params=asked | {"limit": 3})).json()
    rest = (
        await acme.get("/v1/outcomes", params=asked | {"limit": 3, "cursor": first["next_cursor"]})
    ).json()
    assert ([each["id"] for each in rest["outcomes"]], rest["next_cursor"]) == (["o1", "o0"], None)
    assert (await acme.get("/v1/outcomes", params=asked | {"cursor": "x"})).status_code == 422
    assert (await acme.get("/v1/outcomes", params=asked | {"state": "x"})).status_code == 422
    table = await acme.get("/v1/outcomes", params=asked, headers={"Accept": "text/csv"})
    assert table.text.splitlines()[1].startswith("bot,o4,")


async def test_what_is_not_kept_of_outcomes_is_listed_with_why(acme: httpx.AsyncClient, made: Made) -> None:
    await made.book.connection.execute(
        "INSERT INTO outcome_faults (topic, origin_offset, fault, tenant, source, event_id, key_id, reason) VALUES "
        "('t', 1, 'conflict', 'acme', 'bot', 'o1', 'k1', 'another came before'), "
        "('t', 2, 'conflict', 'globex', 'bot', 'o1', 'k2', 'another came before')"
    )
    answer = (await acme.get("/v1/outcomes/faults")).json()
    assert [(each["fault"], each["id"], each["key_id"], each["offset"]) for each in answer["faults"]] == [
        ("conflict", "o1", "k1", 1)
    ]
