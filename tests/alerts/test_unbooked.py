"""What is not booked of a key's events: told from a rate on, over below half of it, in words that say what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from services.alerts.bursts.learning import Learner
from services.alerts.complete import CompletenessReader
from services.alerts.incidents.incident import Incident, event_of, resolved
from services.alerts.incidents.store import Store
from services.alerts.rules import read_rules
from services.alerts.turns import Turns
from services.alerts.unbooked.unbooked import OPEN_MAX, KeyCount, UnbookedLook
from services.alerts.unbooked.words import UnbookedWording
from services.alerts.watches.look import Shared
from services.alerts.watches.unbooked import UnbookedWatch
from spendmeter.contracts.alert_rules import default_rule
from spendmeter.contracts.incidents import decode_incident, encode_incident
from spendmeter.platform.telemetry import Meters
from tests.alerts.conftest import Book
from tests.alerts.test_incidents import EXAMPLES

NOW = datetime(2026, 11, 26, 10, 4, 30, tzinfo=UTC)
FAULT = "data.usage.input_tokens: … is more than one event may state of input_tokens: at most …"
COUNT = KeyCount(
    key_id="k1", unbooked=25, booked=375, first_at=NOW - timedelta(minutes=2), outcome="rejected", fault=FAULT,
    with_fault=24,
)  # fmt: skip
WORDING = UnbookedWording(
    zone=ZoneInfo("Europe/Berlin"), key_names={"k1": "checkout"}, portal_url="https://spend.example.org/"
)


def look(*counts: KeyCount, now: datetime = NOW) -> UnbookedLook:
    return UnbookedLook(tenant="acme", now=now, counts=counts, wording=WORDING)


def opened(*counts: KeyCount, current: list[Incident] | None = None) -> list[str]:
    return [each.scope["key_id"] for each in look(*counts).proposals(current or [])]


@pytest.mark.parametrize(
    ("unbooked", "booked", "told"),
    [(20, 0, True), (19, 0, False), (20, 380, True), (20, 381, False), (50, 950, True), (49, 951, False)],
)
def test_twenty_events_that_are_five_percent_of_the_keys_are_told(
    unbooked: int, booked: int, told: bool
) -> None:
    assert bool(opened(replace(COUNT, unbooked=unbooked, booked=booked))) == told


def test_a_key_has_one_incident_and_the_worst_keys_of_a_tenant_are_told_first() -> None:
    [known] = look(COUNT).proposals([])
    assert opened(COUNT, replace(COUNT, key_id="k2"), current=[known]) == ["k2"]
    many = [replace(COUNT, key_id=f"x{n}", unbooked=100 + n, booked=0) for n in range(OPEN_MAX + 5)]
    found = opened(COUNT, *many, current=[known])
    assert (len(found), found[0]) == (OPEN_MAX - 1, f"x{OPEN_MAX + 4}")


def test_it_goes_on_above_half_of_the_rate_and_keeps_its_figures_when_it_ends() -> None:
    [incident] = look(COUNT).proposals([])
    half, less = replace(COUNT, unbooked=10, booked=0), replace(COUNT, unbooked=9, booked=0)
    assert look(half).ending(incident) == ""
    for over in (look(less), look()):
        assert over.ending(incident) == "less than half of that was not booked in the last 5 minutes"
    assert look().renewed(incident) == incident
    later = look(half).renewed(incident)
    assert (later.amount, later.peak_per_hour) == (10, 300)  # 25 in five minutes, 12 times an hour


def test_it_says_who_how_many_of_which_fault_and_what_to_do() -> None:
    [incident] = look(COUNT).proposals([])
    assert incident.title == "25 events of key checkout (k1) in 5 minutes are not booked"
    assert incident.summary == (
        "acme: 25 events of key checkout (k1) in 5 minutes were rejected or in conflict, since 2026-11-26 11:02 "
        f"Europe/Berlin; that is told from 20 on. None of them is in the book. 96 % of them: rejected, {FAULT}."
    )
    assert incident.suggested_action.startswith("Put right what the reason names")
    assert [(each["label"], each["amount"], each["text"]) for each in incident.figures] == [
        ("not booked in 5 minutes", "25", "25 events"), ("most in 5 minutes", "25", "25 events"),
        ("told from", "20", "20 events"),
    ]  # fmt: skip
    assert incident.link == "https://spend.example.org/#/unbooked?key=k1"
    assert (incident.currency, incident.key_names) == ("events", {"k1": "checkout"})
    conflict = replace(COUNT, key_id="", outcome="conflict", fault="another event")
    [nameless] = look(conflict).proposals([])
    assert nameless.title.startswith("25 events of no known key")
    assert nameless.suggested_action.startswith("Look whether two senders share a source")


def test_its_end_says_the_most_and_how_long_it_took() -> None:
    [incident] = look(COUNT).proposals([])
    over = WORDING.with_words(resolved(incident, look().ending(incident), NOW + timedelta(minutes=7)))
    assert over.title == "Over: up to 25 events of key checkout (k1) in 5 minutes were not booked"
    assert "the incident was open for 7 min" in over.summary


def test_the_example_of_the_contract_is_what_is_sent() -> None:
    [incident] = look(COUNT).proposals([])
    sent = decode_incident(encode_incident(event_of(incident, "opened", NOW)))
    assert sent == decode_incident((EXAMPLES / "incident.unbooked.json").read_bytes())


@pytest.fixture
async def watch(book: Book, pool: asyncpg.Pool, store: Store) -> AsyncIterator[UnbookedWatch]:
    await book.owner.execute("TRUNCATE unbooked, api_keys CASCADE")
    await book.owner.execute(
        "INSERT INTO api_keys VALUES ('k1', 'acme', 'checkout', '\\x00', '{ingest}', false)"
    )
    async with Learner() as learner:
        shared = Shared(
            pool=pool,
            complete=CompletenessReader(pool),
            store=store,
            turns=Turns(),
            learner=learner,
            meters=Meters(),
            portal_url="",
        )
        yield UnbookedWatch(tenant="acme", rules=(await read_rules(pool))["acme"], shared=shared)


async def refuse(
    book: Book, number: int, key: str, outcome: str = "rejected", *, tenant: str = "acme"
) -> None:
    await book.owner.execute(
        "INSERT INTO unbooked (origin_topic, origin_partition, origin_offset, outcome, tenant, key_id, reason, size) "
        "SELECT 't', 0, (SELECT count(*) FROM unbooked) + n, $2, $3, $4, 'quantity ' || n || ' is too much', 9 "
        "FROM generate_series(1, $1) AS n",
        number, outcome, tenant, key,
    )  # fmt: skip


async def test_it_opens_above_the_rate_is_told_once_and_resolves_when_it_is_quiet(
    book: Book, watch: UnbookedWatch
) -> None:
    now = datetime.now(UTC)
    await book.channel("https://example.com/a")
    await refuse(book, 19, "k1")
    await refuse(book, 30, "k1", "duplicate")
    await refuse(book, 30, "k1", tenant="globex")
    await watch.look(now)
    assert await book.incidents() == []
    await refuse(book, 1, "k1", "conflict")
    await watch.look(now)
    await watch.look(now + timedelta(seconds=20))
    [incident] = await book.incidents()
    assert (incident["kind"], incident["state"], incident["amount"]) == ("unbooked", "open", 20)
    assert incident["title"] == "20 events of key checkout (k1) in 5 minutes are not booked"
    assert "95 % of them: rejected, quantity … is too much." in incident["summary"]
    await book.owner.execute("UPDATE unbooked SET recorded_at = recorded_at - interval '6 minutes'")
    await watch.look(now + timedelta(seconds=40))
    [incident] = await book.incidents()
    assert (incident["state"], incident["amount"]) == ("resolved", Decimal(20))
    await refuse(book, 20, "k1")
    await watch.look(now + timedelta(seconds=50))
    assert len(await book.incidents()) == 1  # it cools down
    told = await book.owner.fetch("SELECT transition, count(*) FROM deliveries GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in told] == [("opened", 2), ("resolved", 2), ("updated", 1)]


async def test_a_small_share_of_what_a_key_sends_is_not_told(book: Book, watch: UnbookedWatch) -> None:
    await refuse(book, 20, "k1")
    await book.spend("1", key_id="k1")
    await book.owner.execute("UPDATE rollups_minute SET events = 381")
    await watch.look(datetime.now(UTC))
    assert await book.incidents() == []
    await refuse(book, 1, "k1")
    await watch.look(datetime.now(UTC))
    assert [incident["expected"] for incident in await book.incidents()] == [21]  # 5 % of 402


async def test_conflicts_by_which_what_is_booked_was_amended_are_not_told(
    book: Book, watch: UnbookedWatch
) -> None:
    """Of 25 conflicts 6 amended what is booked: 19 are left, one too few."""
    await book.owner.execute("TRUNCATE corrections")
    await refuse(book, 25, "k1", "conflict")
    await book.owner.execute(
        "INSERT INTO corrections (correction_id, tenant, identity, source, event_id, kind, revision, reason, author, "
        "requested_at, state, applied_at) SELECT raise_id(origin_topic, origin_partition, origin_offset), tenant, '', "
        "'', '', 'amend', -1, 'more', 'key k1', now(), 'applied', now() FROM unbooked ORDER BY origin_offset LIMIT 6"
    )
    await watch.look(datetime.now(UTC))
    assert await book.incidents() == []
    await refuse(book, 1, "k1", "conflict")
    await watch.look(datetime.now(UTC))
    assert [incident["amount"] for incident in await book.incidents()] == [20]


def test_a_tenants_own_rule_says_from_how_many_on_and_whether_at_all() -> None:
    """25 of 400 are 6.25 %."""
    strict = replace(
        default_rule("unbooked"), revision=7, severity="critical", changed={"share_min": "0.0625"}
    )
    [incident] = replace(look(COUNT), rules=[strict]).proposals([])
    assert (incident.rule_id, incident.rule_revision, incident.severity) == ("unbooked-rate", 7, "critical")
    lax = replace(strict, changed={"share_min": "0.063"})
    assert replace(look(COUNT), rules=[lax]).proposals([]) == []
    others = replace(strict, filter={"key_id": "k2"})
    assert replace(look(COUNT), rules=[others]).proposals([]) == []
    assert replace(look(COUNT), rules=[]).proposals([]) == []
    assert replace(look(COUNT), rules=[]).ending(incident) == ""
