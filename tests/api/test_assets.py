"""Assets over the API: registered, reassigned, retired, refused; and the scheduler that sends what accrues."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from services.api.assets.accruing import Accruing
from services.api.assets.door import EventsRefused, IngestAway
from services.api.database.transactions import Database
from spendmeter.contracts.corrections import EventCorrection
from spendmeter.contracts.merge_patch import merged
from tests.api.book import Book

TODAY = datetime.now(UTC).date()
LAPTOP = {"id": "laptop-1", "kind": "hardware", "name": "ThinkPad", "cost": "2400", "months": 36}


def days_ago(days: int) -> str:
    return (TODAY - timedelta(days=days)).isoformat()


class FakeDoor:
    """Ingest's door that keeps what was sent; the same id must always say the same."""

    there = True

    def __init__(self) -> None:
        self.events: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.sent = 0
        self.away = False
        self.refuses = ""

    async def send(self, events: list[dict[str, Any]]) -> None:
        if self.away:
            raise IngestAway("ingest answered 503")
        if any(event["subject"] == self.refuses for event in events):
            raise EventsRefused("data.sku: is too long")
        for event in events:
            key = event["tenant"], event["source"], event["id"]
            assert self.events.setdefault(key, event) == event, "one id, two contents"
            self.sent += 1


class FakeLog:
    """`usage.corrections`: amends of what was sent, laid on it."""

    def __init__(self, door: FakeDoor) -> None:
        self.door = door
        self.amends: dict[str, EventCorrection] = {}

    async def publish(self, correction: EventCorrection) -> None:
        import msgspec

        assert (correction.tenant, correction.source, correction.event_id) in self.door.events
        known = self.amends.setdefault(correction.id, correction)
        assert msgspec.json.encode(known) == msgspec.json.encode(correction)

    def book(self) -> dict[tuple[str, str], dict[str, Any]]:
        """(source, id) to data, as it ends."""
        import msgspec

        found = {key[1:]: event["data"] for key, event in self.door.events.items()}
        for amend in sorted(self.amends.values(), key=lambda each: (each.revision, each.at, each.id)):
            first = self.door.events[amend.tenant, amend.source, amend.event_id]["data"]
            found[amend.source, amend.event_id] = merged(first, msgspec.json.decode(bytes(amend.patch)))  # type: ignore[arg-type]
        return found

    def by_team(self) -> dict[str, Decimal]:
        sums: dict[str, Decimal] = {}
        for data in self.book().values():
            team = data["labels"].get("team", "")
            sums[team] = sums.get(team, Decimal(0)) + Decimal(data["reported_cost"]["amount"])
        return {team: amount for team, amount in sums.items() if amount}


@pytest.fixture
def door() -> FakeDoor:
    return FakeDoor()


@pytest.fixture
def corrections(door: FakeDoor) -> FakeLog:
    return FakeLog(door)


@pytest.fixture
def accruing(database: Database, door: FakeDoor, corrections: FakeLog) -> Accruing:
    return Accruing(database, door, corrections)  # type: ignore[arg-type]


async def settle(accruing: Accruing) -> None:
    while await accruing.turn():
        pass


async def registered(client: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    answer = await client.post("/v1/assets", json=LAPTOP | {"starts_on": days_ago(10)} | more)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_an_asset_is_registered_once_and_the_same_again_changes_nothing(
    acme: httpx.AsyncClient,
) -> None:
    first = await registered(acme, labels={"team": "search"})
    again = await acme.post(
        "/v1/assets", json=LAPTOP | {"starts_on": days_ago(10), "labels": {"team": "search"}}
    )
    assert (again.status_code, again.json()) == (200, first)
    other = await acme.post("/v1/assets", json=LAPTOP | {"starts_on": days_ago(10), "cost": "2401"})
    assert other.status_code == 409
    assert first["cost_class"] == "hardware"
    assert (first["accrued"], first["remaining"], first["state"]) == ("0", "2400", "accruing")


async def test_a_dry_run_registers_nothing(acme: httpx.AsyncClient) -> None:
    tried = await acme.post(
        "/v1/assets", json=LAPTOP | {"starts_on": days_ago(1)}, params={"dry_run": "true"}
    )
    assert (tried.status_code, tried.json()["id"]) == (200, "laptop-1")
    assert (await acme.get("/v1/assets")).json()["assets"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"months": None}, "months"),
        ({"cost": "1e3"}, "cost"),
        ({"cost": "-1"}, "cost"),
        ({"salvage": "2400.01"}, "salvage"),
        ({"seats": 3}, "seats"),
        ({"kind": "licence"}, "price_per_seat_month"),
        ({"kind": "labour"}, "rate_per_hour"),
        ({"kind": "commitment", "months": None}, "months"),
        ({"starts_on": "1999-12-31"}, "starts_on"),
        ({"starts_on": "2019-01-01"}, "accrue_from"),
        ({"labels": {"user": "ann"}}, "labels"),
        ({"labels": {"team": "a\u200bb"}}, "labels.team"),
        ({"id": "a/b"}, "id"),
        ({"cost_class": "gold"}, "cost_class"),
        ({"assigned": [{"labels": {"desk": "7"}}]}, "assigned"),
        (
            {"kind": "licence", "cost": None, "months": None, "seats": 2, "price_per_seat_month": "30",
             "assigned": [{"labels": {"team": "x"}, "weight": 3}]},
            "assigned",
        ),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_named_by_field(
    acme: httpx.AsyncClient, body: dict[str, Any], field: str
) -> None:
    answer = await acme.post("/v1/assets", json=LAPTOP | {"starts_on": days_ago(1)} | body)
    assert answer.status_code == 422, answer.text
    assert field in {each["field"] for each in answer.json()["errors"]}


async def test_who_may_only_read_registers_nothing_and_another_tenant_sees_nothing(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await registered(acme)
    reader = {"Authorization": f"Bearer {await book.key('globex', 'read')}"}
    assert (await acme.post("/v1/assets", json=LAPTOP, headers=reader)).status_code == 403
    assert (await acme.get("/v1/assets", headers=reader)).json()["assets"] == []
    assert (await acme.get("/v1/assets/laptop-1", headers=reader)).status_code == 404


async def test_ten_days_of_a_laptop_are_caught_up_and_add_up(
    acme: httpx.AsyncClient, accruing: Accruing, door: FakeDoor, corrections: FakeLog
) -> None:
    # All of its life is one day, ten days ago: 24 hours, 2,400 in all.
    await registered(acme, kind="commitment", months=None, ends_on=days_ago(9), labels={"team": "search"})
    await settle(accruing)
    assert (len(door.events), corrections.by_team()) == (24, {"search": Decimal(2400)})
    report = (await acme.get("/v1/assets/laptop-1")).json()
    assert (report["state"], report["accrued"], report["remaining"]) == ("over", "2400", "0")
    assert report["by_label"] == [{"labels": {"team": "search"}, "idle": False, "amount": "2400"}]


async def test_a_reassignment_takes_effect_with_the_next_hour(
    acme: httpx.AsyncClient, accruing: Accruing, door: FakeDoor, corrections: FakeLog
) -> None:
    await registered(acme, starts_on=days_ago(1), labels={"team": "search"})
    await settle(accruing)
    sent = len(door.events)
    answer = await acme.patch("/v1/assets/laptop-1", json={"labels": {"team": "core"}, "reason": "moved"})
    assert answer.status_code == 200, answer.text
    said = answer.json()["revisions"][1]
    assert (said["revision"], said["back_dated"], said["reason"]) == (2, False, "moved")
    assert datetime.fromisoformat(said["effective_from"]) > datetime.now(UTC)
    await settle(accruing)
    assert (len(door.events), corrections.amends) == (sent, {})


async def test_a_back_dated_reassignment_amends_what_was_booked_once(
    acme: httpx.AsyncClient, accruing: Accruing, corrections: FakeLog, database: Database, door: FakeDoor
) -> None:
    # A day of 2,400; 18 of its 24 hours are core's, as is said nine days later: 1,800.
    await registered(acme, kind="commitment", months=None, ends_on=days_ago(9), labels={"team": "search"})
    await settle(accruing)
    moved = {
        "labels": {"team": "core"},
        "effective_from": f"{days_ago(10)}T05:30:00Z",
        "reason": "was forgotten",
    }
    answer = await acme.patch("/v1/assets/laptop-1", json=moved)
    assert answer.json()["revisions"][1]["effective_from"] == f"{days_ago(10)}T06:00:00Z"
    await settle(accruing)
    assert corrections.by_team() == {"search": Decimal(600), "core": Decimal(1800)}
    assert len(corrections.amends) == 18
    await settle(Accruing(database, door, corrections))  # type: ignore[arg-type]
    assert len(corrections.amends) == 18


async def test_a_cost_set_right_before_anything_was_sent_is_sent_right_at_once(
    acme: httpx.AsyncClient, accruing: Accruing, corrections: FakeLog
) -> None:
    await registered(acme, kind="commitment", months=None, ends_on=days_ago(9))
    await acme.patch(
        "/v1/assets/laptop-1", json={"cost": "2000", "effective_from": days_ago(10), "reason": "typing error"}
    )
    await settle(accruing)
    assert (corrections.by_team(), corrections.amends) == ({"": Decimal(2000)}, {})


async def test_seats_split_into_those_who_have_them_and_idle_ones(
    acme: httpx.AsyncClient, accruing: Accruing, corrections: FakeLog
) -> None:
    # 10 seats at 30 for exactly one month of the calendar, 7 of them assigned.
    first = (TODAY.replace(day=1) - timedelta(days=1)).replace(day=1)
    beyond = TODAY.replace(day=1)
    await registered(
        acme, kind="licence", cost=None, months=None, seats=10, price_per_seat_month="30", sku="copilot",
        starts_on=first.isoformat(), ends_on=beyond.isoformat(),
        assigned=[{"labels": {"team": "search"}, "weight": 4}, {"labels": {"team": "core"}, "weight": 3}],
    )  # fmt: skip
    await settle(accruing)
    assert corrections.by_team() == {"search": Decimal(120), "core": Decimal(90), "": Decimal(90)}
    assert {data["sku"] for data in corrections.book().values()} == {"copilot", "copilot:idle"}
    activity = await acme.post("/v1/assets/laptop-1/activity", json=[{"day": days_ago(1), "active": 5}])
    assert activity.json() == {"activity": [{"day": days_ago(1), "active": 5}]}
    use = (await acme.get("/v1/assets/laptop-1")).json()["seat_use"]
    assert (use["seats"], use["assigned"], use["idle"], use["idle_share"]) == (10, 7, 3, "0.3")
    assert (use["active"], use["unused_share"]) == (5, "0.5")


async def test_hours_of_work_are_booked_as_they_are_written_down_and_amended_as_they_are_corrected(
    acme: httpx.AsyncClient, accruing: Accruing, corrections: FakeLog
) -> None:
    await registered(
        acme, kind="labour", cost=None, months=None, rate_per_hour="80.50", labels={"team": "legal"}
    )
    sheet = {"id": "w-1", "day": days_ago(2), "hours": "7.5"}
    first = await acme.post("/v1/assets/laptop-1/timesheets", json=sheet)
    # 7.5 x 80.50 = 603.75
    assert (first.status_code, first.json()["amount"], first.json()["revision"]) == (201, "603.75", 1)
    await settle(accruing)
    assert corrections.by_team() == {"legal": Decimal("603.75")}
    assert (await acme.post("/v1/assets/laptop-1/timesheets", json=sheet)).status_code == 200
    less = await acme.post(
        "/v1/assets/laptop-1/timesheets", json=sheet | {"hours": "6", "labels": {"team": "hr"}}
    )
    assert (less.status_code, less.json()["revision"]) == (201, 2)
    await settle(accruing)
    assert corrections.by_team() == {"hr": Decimal(483)}
    report = (await acme.get("/v1/assets/laptop-1")).json()
    assert (report["timesheet_hours"], report["timesheet_amount"]) == ("6", "483")
    weekly = {"hours_per_week": "20", "reason": "x"}
    early = await acme.patch("/v1/assets/laptop-1", json=weekly | {"effective_from": days_ago(4)})
    assert (early.status_code, early.json()["errors"][0]["field"]) == (422, "hours_per_week")
    later = await acme.patch("/v1/assets/laptop-1", json=weekly | {"effective_from": days_ago(1)})
    assert later.status_code == 200
    twice = await acme.post("/v1/assets/laptop-1/timesheets", json=sheet | {"id": "w-3", "day": days_ago(1)})
    assert (twice.status_code, twice.json()["errors"][0]["field"]) == (422, "day")
    for wrong, field in (
        ({"day": "2999-01-01"}, "day"),
        ({"hours": "200"}, "hours"),
        ({"day": days_ago(30)}, "day"),
        ({"labels": {"team": "a\u200bb"}}, "labels.team"),  # else it stood in the way of all that comes later
        ({"labels": {"team": "~other"}}, "labels"),
    ):
        refused = await acme.post("/v1/assets/laptop-1/timesheets", json=sheet | {"id": "w-2"} | wrong)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field)


async def test_hours_that_are_written_down_while_others_are_sent_are_sent_as_well(
    acme: httpx.AsyncClient, accruing: Accruing, corrections: FakeLog, door: FakeDoor, monkeypatch: Any
) -> None:
    """Of an asset that is over nobody would look again."""
    ended = {
        "starts_on": days_ago(10),
        "ends_on": days_ago(3),
        "rate_per_hour": "80",
        "labels": {"team": "x"},
    }
    await registered(acme, kind="labour", cost=None, months=None, **ended)
    await settle(accruing)
    sheet = {"id": "w-1", "day": days_ago(5), "hours": "1"}
    sending = door.send

    async def send(events: list[dict[str, Any]]) -> None:
        await sending(events)
        monkeypatch.setattr(door, "send", sending)
        later = await acme.post("/v1/assets/laptop-1/timesheets", json=sheet | {"id": "w-2", "hours": "2"})
        assert later.status_code == 201

    monkeypatch.setattr(door, "send", send)
    assert (await acme.post("/v1/assets/laptop-1/timesheets", json=sheet)).status_code == 201
    await settle(accruing)
    # 3 x 80
    assert corrections.by_team() == {"x": Decimal(240)}


async def test_what_is_sold_writes_the_rest_off_and_then_is_over(
    acme: httpx.AsyncClient, accruing: Accruing, corrections: FakeLog
) -> None:
    await registered(acme)
    sold = {"retired": True, "proceeds": "1000", "effective_from": days_ago(5), "reason": "sold"}
    assert (await acme.patch("/v1/assets/laptop-1", json=sold)).status_code == 200
    await settle(accruing)
    assert corrections.by_team() == {"": Decimal(1400)}
    again = await acme.patch("/v1/assets/laptop-1", json={"labels": {"team": "x"}, "reason": "too late"})
    assert (again.status_code, again.json()["title"]) == (409, "Too late")


async def test_two_schedulers_and_one_that_dies_send_nothing_twice(
    acme: httpx.AsyncClient,
    accruing: Accruing,
    corrections: FakeLog,
    database: Database,
    door: FakeDoor,
    book: Book,
) -> None:
    import asyncio

    for number in range(20):
        await registered(
            acme, id=f"c-{number}", kind="commitment", months=None, ends_on=days_ago(9), cost="10"
        )
    other = Accruing(database, door, corrections)  # type: ignore[arg-type]
    await asyncio.gather(settle(accruing), settle(other), settle(accruing))
    assert (len(door.events), door.sent, corrections.by_team()) == (480, 480, {"": Decimal(200)})

    # One that sent and died before it could say so: another takes it up, and ids are the same.
    await book.connection.execute(
        "UPDATE assets SET sent_until = accrue_from, due_at = now() WHERE asset_id IN ('c-1', 'c-2')"
    )
    await settle(other)
    assert (len(door.events), door.sent, corrections.by_team()) == (480, 528, {"": Decimal(200)})


async def test_what_is_said_between_a_death_and_the_next_look_does_not_change_what_may_have_been_sent(
    acme: httpx.AsyncClient, accruing: Accruing, corrections: FakeLog, book: Book
) -> None:
    await registered(acme, kind="commitment", months=None, ends_on=days_ago(9), labels={"team": "search"})
    await settle(accruing)
    await book.connection.execute("UPDATE assets SET sent_until = accrue_from, due_at = NULL")
    await acme.patch(
        "/v1/assets/laptop-1",
        json={
            "labels": {"team": "core"},
            "effective_from": f"{days_ago(10)}T06:00:00Z",
            "reason": "meanwhile",
        },
    )
    await settle(accruing)  # FakeDoor checks that no id says something else now
    assert corrections.by_team() == {"search": Decimal(600), "core": Decimal(1800)}


async def test_an_outage_is_caught_up_oldest_first_under_the_same_ids(
    acme: httpx.AsyncClient, accruing: Accruing, door: FakeDoor, book: Book
) -> None:
    await registered(acme, starts_on=days_ago(2))
    door.away = True
    with pytest.raises(IngestAway):
        await accruing.turn()
    assert await accruing.turn() == 0  # put off, and nobody else begins it meanwhile
    report = (await acme.get("/v1/assets/laptop-1")).json()
    assert report["accrued"] == "0"
    assert await book.connection.fetchval("SELECT assets_late()") > 47 * 3600
    door.away = False
    await book.connection.execute("UPDATE assets SET due_at = now()")  # the time is over
    await settle(accruing)
    times = [event["time"] for event in door.events.values()]
    assert times == sorted(times)
    assert len(times) >= 48
    assert await book.connection.fetchval("SELECT assets_late()") == 0


async def test_a_clock_that_stands_three_hours_back_sends_nothing_until_it_is_where_it_was(
    acme: httpx.AsyncClient, accruing: Accruing, door: FakeDoor, book: Book
) -> None:
    await registered(acme, starts_on=days_ago(1))
    await settle(accruing)
    sent = door.sent
    ahead = "sent_until = sent_until + interval '3 hours', claimed_until = claimed_until + interval '3 hours'"
    await book.connection.execute(f"UPDATE assets SET {ahead}, due_at = now()")
    await settle(accruing)
    assert door.sent == sent
    due_in = await book.connection.fetchval("SELECT due_at - now() FROM assets")
    assert timedelta(hours=2) < due_in < timedelta(hours=5)


async def test_one_that_ingest_refuses_says_why_and_holds_up_no_other(
    acme: httpx.AsyncClient, accruing: Accruing, door: FakeDoor
) -> None:
    await registered(acme, starts_on=days_ago(1))
    await registered(acme, id="bad", starts_on=days_ago(1))
    door.refuses = "bad"
    await settle(accruing)
    listed = {each["id"]: each for each in (await acme.get("/v1/assets")).json()["assets"]}
    assert (listed["bad"]["state"], listed["bad"]["trouble"]) == ("refused", "data.sku: is too long")
    assert listed["laptop-1"]["state"] == "accruing"
    assert Decimal(listed["laptop-1"]["accrued"]) > 0


async def test_the_list_has_pages_and_kinds(acme: httpx.AsyncClient) -> None:
    for number in range(3):
        await registered(acme, id=f"l-{number}")
    first = (await acme.get("/v1/assets", params={"limit": 2})).json()
    rest = (await acme.get("/v1/assets", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [each["id"] for each in first["assets"] + rest["assets"]] == ["l-0", "l-1", "l-2"]
    assert rest["next_cursor"] is None
    assert (await acme.get("/v1/assets", params={"kind": "labour"})).json()["assets"] == []
    table = await acme.get("/v1/assets", headers={"Accept": "text/csv"})
    assert table.text.startswith("assigned,") or "laptop" in table.text or "l-0" in table.text


async def test_days_are_those_of_the_tenants_zone(client: httpx.AsyncClient, book: Book) -> None:
    client.headers["Authorization"] = f"Bearer {await book.key('globex', 'read', 'admin')}"
    answer = await registered(client, starts_on="2026-07-01", accrue_from="2026-07-01")
    assert (answer["tz"], answer["accrue_from"]) == ("Europe/Berlin", "2026-06-30T22:00:00Z")
    assert date.fromisoformat(answer["starts_on"]) == date(2026, 7, 1)
