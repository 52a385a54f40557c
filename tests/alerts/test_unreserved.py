"""What a key spends past its reservations: told from an amount on, again when it doubles, over after a quiet hour."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from services.alerts.bursts.learning import Learner
from services.alerts.complete import CompletenessReader
from services.alerts.incidents.incident import Incident, resolved
from services.alerts.incidents.store import Store
from services.alerts.rules import Rules
from services.alerts.turns import Turns
from services.alerts.unreserved.unreserved import OPEN_MAX, PastPart, UnreservedLook
from services.alerts.unreserved.words import UnreservedWording
from services.alerts.watches.look import Shared
from services.alerts.watches.unreserved import UnreservedWatch
from spendmeter.contracts.alert_rules import default_rule
from spendmeter.contracts.incidents import decode_incident
from spendmeter.platform.telemetry import Meters
from tests.alerts.conftest import Book

D = Decimal
NOW = datetime(2026, 11, 26, 10, 4, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
RULE = default_rule("unreserved")
WORDING = UnreservedWording(zone=ZoneInfo("Europe/Berlin"), key_names={"k1": "checkout"})
PART = PastPart(
    key_id="k1", subject="unreserved", budget_id=UUID(int=1), budget="agents", events=40, amount=D("8"),
    since=NOW.replace(minute=0, second=0), first_at=NOW - timedelta(minutes=4), counted_at=NOW, differs={},
)  # fmt: skip
UNLIKE = replace(PART, subject="unlike", events=3, amount=D("2.5"), differs={"team": ["a", ""]})
DEBT = replace(PART, subject="debt", events=1, amount=D("0.3"))


def look(*parts: PastPart, now: datetime = NOW, rules: tuple[object, ...] = (RULE,)) -> UnreservedLook:
    return UnreservedLook(
        tenant="acme",
        now=now,
        currency="USD",
        parts=parts,
        booked_by=now,
        rules=rules,
        wording=WORDING,  # type: ignore[arg-type]
    )


def opened(*parts: PastPart) -> Incident:
    [incident] = look(*parts).proposals([])
    return incident


@pytest.mark.parametrize(("amount", "told"), [("1", True), ("0.999999", False)])
def test_it_is_told_from_the_rules_amount_on_whichever_reasons_make_it(amount: str, told: bool) -> None:
    rest = replace(DEBT, amount=D("0.25"))  # amount - 0.25 of one reason, 0.25 of another
    assert bool(look(replace(PART, amount=D(amount) - D("0.25")), rest).proposals([])) == told


def test_a_key_is_one_incident_the_dearest_keys_first_and_only_for_subjects_that_are_chosen() -> None:
    known = opened(PART)
    many = [replace(PART, key_id=f"x{n:02}", amount=D(10 + n)) for n in range(OPEN_MAX + 5)]
    found = look(PART, *many).proposals([known])
    assert (len(found), found[0].scope) == (OPEN_MAX - 1, {"key_id": f"x{OPEN_MAX + 4}"})
    debts = replace(RULE, changed={"subjects": ["debt"]})
    assert look(PART, DEBT, rules=(debts,)).proposals([]) == []  # 0.3 of debt alone
    own = replace(RULE, id="own", filter={"key_id": "k1"}, changed={"amount_min": "100"})
    assert look(PART, rules=(RULE, own)).proposals([]) == []


def test_each_doubling_of_what_was_told_is_told_once() -> None:
    known = opened(PART)
    assert look(replace(PART, amount=D("15.99"))).proposals([known]) == []
    [grown] = look(replace(PART, amount=D(16))).proposals([known])
    assert (grown.id, grown.number, grown.amount) == (known.id, 1, 16)
    assert look(replace(PART, amount=D(31))).proposals([grown]) == []


def test_it_is_over_after_an_hour_without_any_by_the_book_and_never_by_the_clock() -> None:
    known = opened(PART)
    assert look(PART, now=NOW + HOUR - timedelta(seconds=1)).ending(known) == ""
    later = look(PART, now=NOW + HOUR)
    assert later.ending(known) == "nothing was spent past its reservations for an hour"
    for booked_by in (None, NOW):
        assert replace(later, booked_by=booked_by).ending(known) == ""
    assert look(PART, rules=()).ending(known) == "the rule was switched off"


def test_it_says_who_how_much_why_and_what_to_do() -> None:
    incident = opened(PART, UNLIKE, DEBT)
    assert incident.title == "key checkout (k1) spent 10.8 USD of hard budgets past its reservations"
    assert incident.summary == (
        "acme: key checkout (k1) spent 10.80 USD of hard budgets past its reservations, since 2026-11-26 11:00 "
        "Europe/Berlin, as first booked. 8.00 USD in 40 events: nobody reserved; of 'agents'. 2.50 USD in 3 events: "
        "reserved with other dimensions (team 'a' reserved, 'none' booked); of 'agents'. 0.3000 USD in 1 event: "
        "booked after its reservation had run out; of 'agents'. All of it counts in its budgets, so less is left to "
        "reserve there."
    )
    assert incident.suggested_action.startswith("Have key checkout (k1) reserve before it spends")
    assert [(each["label"], each["amount"]) for each in incident.figures] == [
        ("past its reservations", "10.8"), ("nobody reserved", "8"), ("reserved with other dimensions", "2.5"),
        ("booked after its reservation had run out", "0.3"),
    ]  # fmt: skip
    over = WORDING.with_words(resolved(incident, "nothing was", NOW + HOUR))
    assert over.title == "Over: " + incident.title


@pytest.fixture
async def watch(pool: asyncpg.Pool, store: Store, book: Book) -> AsyncIterator[UnreservedWatch]:
    async with Learner() as learner:
        shared = Shared(
            pool=pool, complete=CompletenessReader(pool), store=store, turns=Turns(), learner=learner, meters=Meters(),
            portal_url="https://spend.example.org",
        )  # fmt: skip
        yield UnreservedWatch(tenant="acme", rules=(await Rules(pool).read())["acme"], shared=shared)


async def spend(book: Book, amount: str, at: datetime, key: str = "k1") -> None:
    await book.owner.execute(
        "INSERT INTO unreserved AS u (tenant, hour, key_id, subject, budget_id, currency, events, amount, first_at, "
        "counted_at, differs) VALUES ('acme', date_trunc('hour', $1::timestamptz, 'UTC'), $2, 'unreserved', $3, 'USD', "
        "1, $4, $1, $1, '{}') ON CONFLICT (tenant, hour, key_id, subject, budget_id, currency) "
        "DO UPDATE SET events = u.events + 1, amount = u.amount + excluded.amount, counted_at = excluded.counted_at",
        at, key, UUID(int=1), D(amount),
    )  # fmt: skip


async def told(book: Book) -> list[tuple[str, str]]:
    rows = await book.owner.fetch("SELECT transition, body FROM deliveries ORDER BY created_at, number")
    said = [(row["transition"], decode_incident(row["body"]).amount) for row in rows]
    return [each for each in said if each[0] != "updated"]


async def test_it_is_told_once_when_it_doubles_and_when_it_is_over_and_what_comes_then_is_another(
    book: Book, watch: UnreservedWatch
) -> None:
    start = datetime.now(UTC).replace(minute=10, second=0, microsecond=0) - 10 * HOUR
    await spend(book, "0.9", start)
    await watch.look(start + timedelta(minutes=1))
    assert await told(book) == []
    await spend(book, "0.6", start + timedelta(minutes=2))
    for seconds in (130, 135, 140):
        await watch.look(start + timedelta(seconds=seconds))
    assert await told(book) == [("opened", "1.5")]
    await spend(book, "1.5", start + HOUR)  # 3 = twice 1.5
    await watch.look(start + HOUR + timedelta(minutes=1))
    await watch.look(start + HOUR + timedelta(minutes=2))
    assert await told(book) == [("opened", "1.5"), ("grew", "3")]
    await watch.look(start + 2 * HOUR + timedelta(minutes=1))
    assert await told(book) == [("opened", "1.5"), ("grew", "3"), ("resolved", "3")]
    await watch.look(start + 3 * HOUR)  # what was told is not told again, though it is of the last day
    await spend(book, "2", start + 3 * HOUR)
    await watch.look(start + 3 * HOUR + timedelta(minutes=1))
    assert (await told(book))[3:] == [("opened", "2")]
    first, second = await book.incidents("unreserved")
    assert (first["state"], second["state"], second["scope"]) == ("resolved", "open", {"key_id": "k1"})
