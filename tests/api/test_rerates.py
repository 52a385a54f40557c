"""Re-rates over HTTP: asked for, shown, applied, cancelled. What the corrector does is its own tests' to show."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from services.api.corrections import asking, rerates
from spendmeter.contracts.corrections import RerateApply, RerateCancel, RerateRequest
from spendmeter.platform.catalog_store import record
from tests.api.book import Book
from tests.api.catalog_admin import IN
from tests.api.corrector import FakeCorrector

WRONG = {"skus": ["m"], "reason": "stated per 1 instead of per million"}


class Jobs(FakeCorrector):
    """Writes jobs down as the corrector does; `changes` is what a dry run finds."""

    def __init__(self, api: FastAPI, book: Book) -> None:
        super().__init__(api)
        self.book = book
        self.settle = self.take
        self.changes = [
            ("payments", "m", "price", 2, "20", "0.00002"),
            ("search", "m", "price", 1, "10", "0.00001"),
        ]

    async def take(self, wanted: Any) -> None:
        match wanted:
            case RerateRequest():
                await self._begin(wanted)
            case RerateApply():
                await self._execute("UPDATE rerate_jobs SET state = 'applied', applied_by = $2, apply_asked_at = $3 "
                                    "WHERE rerate_id = $1", wanted.id, wanted.by, wanted.at)  # fmt: skip
                await self._pass(wanted.id, "applied")
            case RerateCancel():
                await self._execute("UPDATE rerate_jobs SET state = 'cancelled', cancelled_by = $2, cancelled_at = $3 "
                                    "WHERE rerate_id = $1", wanted.id, wanted.by, wanted.at)  # fmt: skip

    async def _begin(self, wanted: RerateRequest) -> None:
        await self._execute(
            "INSERT INTO rerate_jobs (rerate_id, tenant, selection, version, reason, author, requested_at, state) "
            "VALUES ($1, $2, '{\"skus\": [\"m\"]}', $3, $4, $5, $6, 'previewed')",
            wanted.id, wanted.tenant, wanted.version, wanted.reason, wanted.by, wanted.at,
        )  # fmt: skip
        await self._pass(wanted.id, "preview")

    async def _pass(self, id: str, phase: str) -> None:
        events = sum(change[3] for change in self.changes)
        await self._execute(
            "INSERT INTO rerate_passes (rerate_id, tenant, phase, since, until, about, seen, changed) "
            "VALUES ($1, 'acme', $2, now(), now(), 40, 40, $3)", id, phase, events,
        )  # fmt: skip
        for team, sku, cause, count, before, after in self.changes:
            for named in ("", cause):
                await self._execute(
                    "INSERT INTO rerate_differences VALUES ($1, 'acme', $2, $3, 'openai', $4, 'USD', $5, $6, "
                    "$7, $8, $7, $8, $7, $8)",
                    id, phase, team, sku, named, count, Decimal(before), Decimal(after),
                )  # fmt: skip

    async def _execute(self, statement: str, *values: Any) -> None:
        await self.book.connection.execute(statement, *values)


@pytest.fixture
async def jobs(api: FastAPI, client: httpx.AsyncClient, book: Book) -> Jobs:
    await record(book.connection, [IN], by="migrate", note="the catalog of this release")
    return Jobs(api, book)


async def test_a_dry_run_says_what_would_change_by_team_model_and_cause(
    acme: httpx.AsyncClient, jobs: Jobs
) -> None:
    answer = await acme.post("/v1/rerates", json=WRONG)
    assert answer.status_code == 200, answer.text
    [wanted] = jobs.asked
    assert (wanted.tenant, wanted.version, wanted.apply, wanted.selection.skus) == ("acme", 1, False, ("m",))
    body = answer.json()
    assert body["state"] == "previewed"
    assert body["summary"] == (
        "would change 3 of 40 events: 30 -> 0.00003 USD (-29.99997); nothing is changed until it is applied"
    )
    preview = body["preview"]
    assert [(each["team"], each["events"], each["difference"]) for each in preview["differences"]] == [
        ("payments", 2, "-19.99998"), ("search", 1, "-9.99999"),
    ]  # fmt: skip
    assert [(each["cause"], each["difference"]) for each in preview["causes"]] == [("price", "-29.99997")]
    assert body["applied"] is None
    assert (await acme.get(answer.headers["Location"])).json() == body


async def test_a_job_is_applied_once_and_then_cannot_be_cancelled(
    acme: httpx.AsyncClient, jobs: Jobs
) -> None:
    path = (await acme.post("/v1/rerates", json=WRONG)).headers["Location"]
    applied = await acme.post(f"{path}/apply")
    assert (applied.status_code, applied.json()["state"]) == (200, "applied")
    assert applied.json()["summary"] == "changed 3 of 40 events: 30 -> 0.00003 USD (-29.99997)"
    assert applied.json()["applied_by"].endswith("(test)")
    assert (await acme.post(f"{path}/apply")).json() == applied.json()
    assert [type(each) for each in jobs.asked] == [RerateRequest, RerateApply]
    late = await acme.post(f"{path}/cancel")
    assert (late.status_code, late.json()["title"]) == (409, "Too late")


async def test_a_job_is_not_applied_where_too_many_of_the_tenant_are_under_way(
    acme: httpx.AsyncClient, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """409 says how many, and the corrector is not asked; one that has ended makes room."""
    monkeypatch.setattr(rerates, "UNDER_WAY_MAX", 1)
    paths = [(await acme.post("/v1/rerates", json=WRONG)).headers["Location"] for _ in range(2)]
    execute = jobs.book.connection.execute
    await execute(
        "UPDATE rerate_jobs SET state = 'applying' WHERE rerate_id = $1", paths[0].rpartition("/")[2]
    )
    refused = await acme.post(f"{paths[1]}/apply")
    assert (refused.status_code, refused.json()["title"]) == (409, "Too many")
    assert refused.json()["detail"] == (
        "a tenant has at most 1 re-rates under way: let one end, or cancel one"
    )
    assert [type(each) for each in jobs.asked] == [RerateRequest] * 2
    another = await acme.post("/v1/rerates", json=WRONG)
    assert (another.status_code, another.json()["title"]) == (409, "Too many")
    await execute(
        "UPDATE rerate_jobs SET state = 'applied' WHERE rerate_id = $1", paths[0].rpartition("/")[2]
    )
    assert (await acme.post(f"{paths[1]}/apply")).status_code == 200


async def test_what_the_dry_run_had_not_is_named_where_a_job_was_applied(
    acme: httpx.AsyncClient, jobs: Jobs
) -> None:
    """A person sees why applying came to something else."""
    path = (await acme.post("/v1/rerates", json=WRONG)).headers["Location"]
    await acme.post(f"{path}/apply")
    await jobs.book.connection.execute(
        "UPDATE rerate_passes SET since_dry_run = 1200, since_dry_run_changed = 2 WHERE phase = 'applied'"
    )
    answer = (await acme.get(path)).json()
    assert answer["summary"] == (
        "changed 3 of 40 events: 30 -> 0.00003 USD (-29.99997); "
        "not in the dry run: 1,200 booked or corrected since, 2 of them changed"
    )
    assert (answer["applied"]["since_dry_run"], answer["applied"]["since_dry_run_changed"]) == (1200, 2)
    assert answer["preview"]["since_dry_run"] == 0


async def test_a_cancelled_job_is_not_applied_any_more(acme: httpx.AsyncClient, jobs: Jobs) -> None:
    path = (await acme.post("/v1/rerates", json=WRONG)).headers["Location"]
    assert (await acme.post(f"{path}/cancel")).json()["summary"] == "cancelled"
    assert (await acme.post(f"{path}/apply")).status_code == 409
    listed = (await acme.get("/v1/rerates", params={"state": "cancelled"})).json()["rerates"]
    assert [f"/v1/rerates/{each['rerate_id']}" for each in listed] == [path]
    assert listed[0]["preview"]["sums"][0]["difference"] == "-29.99997"


async def test_a_job_that_takes_its_time_is_202_and_the_same_id_asks_for_no_other(
    acme: httpx.AsyncClient, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "SETTLED_S_MAX", 0.05)
    named = WRONG | {"rerate_id": str(uuid4())}
    jobs.settle = None
    first = await acme.post("/v1/rerates", json=named)
    assert (first.status_code, first.json()["state"]) == (202, "sent")
    await jobs.take(jobs.asked[0])
    again = await acme.post("/v1/rerates", json=named)
    assert (again.status_code, again.json()["state"], len(jobs.asked)) == (200, "previewed", 1)


@pytest.mark.parametrize(
    "other", [{"skus": ["n"]}, {"reason": "another"}, {"since": "2026-11-01T00:00:00Z"}, {"apply": True}]
)
async def test_an_id_that_was_sent_before_and_says_something_else_is_refused(
    acme: httpx.AsyncClient, jobs: Jobs, other: dict[str, Any]
) -> None:
    """The same again is the same job; a dry run that was asked for is not applied under its id by mistake."""
    named = WRONG | {"rerate_id": str(uuid4())}
    first = await acme.post("/v1/rerates", json=named)
    assert (await acme.post("/v1/rerates", json=named | {"version": 1})).json() == first.json()
    answer = await acme.post("/v1/rerates", json=named | other)
    assert (answer.status_code, answer.json()["title"]) == (409, "Another one")
    assert len(jobs.asked) == 1


async def test_what_was_booked_late_counts_among_the_events_that_a_job_has_changed(
    acme: httpx.AsyncClient, jobs: Jobs, book: Book
) -> None:
    """1 of the sweep and 2 that came late are 3 of 3, and not 3 of 1."""
    path = (await acme.post("/v1/rerates", json=WRONG)).headers["Location"]
    await acme.post(f"{path}/apply")
    await book.connection.execute("UPDATE rerate_passes SET seen = 1, late = 2 WHERE phase = 'applied'")
    assert (await acme.get(path)).json()["summary"].startswith("changed 3 of 3 events: ")


async def test_one_tenants_jobs_are_not_anothers(client: httpx.AsyncClient, book: Book, jobs: Jobs) -> None:
    client.headers["Authorization"] = f"Bearer {await book.key('acme', 'correct')}"
    path = (await client.post("/v1/rerates", json=WRONG)).headers["Location"]
    client.headers["Authorization"] = f"Bearer {await book.key('globex', 'correct')}"
    assert (await client.get(path)).status_code == 404
    assert (await client.post(f"{path}/apply")).status_code == 404
    assert (await client.get("/v1/rerates")).json()["rerates"] == []
    client.headers["Authorization"] = f"Bearer {await book.key('acme', 'ingest', 'read')}"
    assert (await client.get(path)).status_code == 200
    for route in ("/v1/rerates", f"{path}/apply", f"{path}/cancel"):
        assert (await client.post(route, json=WRONG)).status_code == 403
    assert len(jobs.asked) == 1


@pytest.mark.parametrize(
    "body, field, rule",
    [
        ({"version": 9}, "version", "the newest is 1"),
        ({"publication": 9}, "publication", "no part of version 1"),
        ({"statuses": ["wrong"]}, "statuses.0", "must be one of priced, free"),
        ({"missing_rate_of": "euro"}, "missing_rate_of", "lacks its form"),
        ({"since": "2026-11-02T00:00:00Z", "until": "2026-11-01T00:00:00Z"}, "since", "before until"),
        ({"since": "2026-11-02T00:00:00"}, "since", "offset"),
        ({"since": "9999-12-31T23:59:59-14:00"}, "since", "2200"),
        ({"until": "0001-01-01T00:00:00+14:00"}, "until", "2000"),
        ({"reason": ""}, "reason", "at least 1 character"),
        ({"models": ["m"]}, "models", "these are: providers, skus"),
        ({"skus": ["m"] * 51}, "skus", "at most 50"),
    ],
)
async def test_a_bad_selection_names_its_field(
    acme: httpx.AsyncClient, jobs: Jobs, body: dict[str, Any], field: str, rule: str
) -> None:
    answer = await acme.post("/v1/rerates", json=WRONG | body)
    assert answer.status_code == 422, answer.text
    [error] = answer.json()["errors"]
    assert (error["field"], rule in error["reason"]) == (field, True), error
    assert jobs.asked == []


async def test_a_whole_selection_arrives_as_it_was_sent(acme: httpx.AsyncClient, jobs: Jobs) -> None:
    body = {
        "providers": ["openai"], "statuses": ["provisional", "unpriced"], "publication": 1, "missing_rate_of": "USD",
        "since": "2026-11-01T00:00:00Z", "until": "2026-11-02T00:00:00+01:00", "reason": "r", "apply": True,
    }  # fmt: skip
    assert (await acme.post("/v1/rerates", json=body)).status_code == 200
    selection = jobs.asked[0].selection
    assert (selection.providers, selection.statuses) == (("openai",), ("provisional", "unpriced"))
    assert (selection.publication, selection.missing_rate_of) == (1, "USD")
    assert (selection.since, selection.until) == (
        datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 1, 23, tzinfo=UTC),
    )  # fmt: skip
    assert jobs.asked[0].apply


@pytest.mark.parametrize(("about", "seen"), [(16, "8 of about 16 events"), (0, "8 events")])
async def test_a_pass_says_of_how_many_events_only_where_that_is_known(
    acme: httpx.AsyncClient, jobs: Jobs, about: int, seen: str
) -> None:
    """0 in the book stands for not known, as where models of too many series are selected."""
    path = (await acme.post("/v1/rerates", json=WRONG)).headers["Location"]
    await jobs._execute("UPDATE rerate_jobs SET state = 'previewing'")
    await jobs._execute("UPDATE rerate_passes SET about = $1, seen = 8", about)
    job = (await acme.get(path)).json()
    assert job["summary"] == f"dry run: {seen} seen so far"
    assert job["preview"]["about"] == (about or None)
