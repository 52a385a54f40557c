"""One cause is one message: of a budget and of what spends it, each channel hears once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.alerts.forecasts.thresholds import excesses_in
from services.alerts.incidents import shares
from services.alerts.incidents.acts import obey
from services.alerts.incidents.incident import (
    CORRECTED,
    Incident,
    IncidentFigures,
    is_due,
    opened,
    resolved,
)
from services.alerts.incidents.joining import (
    BEFORE_MAX,
    Pair,
    ends_whole,
    pairs,
    tellings,
    tells_of,
    told_first,
    whole_of,
    with_part,
)
from services.alerts.incidents.store import Store
from services.alerts.notify.queue import TOPIC
from services.alerts.watch import TenantWatch
from spendmeter.contracts.incidents import TopContributor, decode_incident
from tests.alerts.conftest import Book
from tests.alerts.test_burn_watch import a_period

NOW = datetime(2026, 11, 23, 10, 4, 20, tzinfo=UTC)
BURST = {"key_id": "k1"}


def incident(
    kind: Any, scope: dict[str, str], now: datetime = NOW, *, began: int = 3, **changed: Any
) -> Incident:
    """Of 40.00 USD where 5.00 was expected; `began`: minutes ago, of what is no budget's. What was
    minutes ago is of a budget's period at midnight, too."""
    figures = IncidentFigures(
        amount=Decimal(40), expected=Decimal(5), rate_per_hour=Decimal(800), expected_per_hour=Decimal(100),
        of_which_provisional=Decimal(0), top_contributor=TopContributor(),
    )  # fmt: skip
    columns: dict[str, Any] = {"episode": 1, "began_at": now - timedelta(minutes=began)}
    if kind in ("budget", "forecast", "burn"):
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        start = min(midnight, now - timedelta(hours=1))
        columns = {"period_start": start, "period_end": start + timedelta(days=1), "began_at": start}
        columns["threshold_percent"] = changed.pop("percent", Decimal(80))
    one = opened(
        now, figures, tenant="acme", kind=kind, rule_id=changed.pop("rule", kind), rule_revision=1, rule_name=kind,
        scope=scope, currency="USD", title=f"{kind} {scope}", summary=f"{kind} is told.", **columns,
    )  # fmt: skip
    return replace(one, **changed)


def test_a_budget_is_held_against_what_spends_in_it_and_the_other_way_round() -> None:
    budget, burst = incident("budget", {"team": "a"}), incident("anomaly", {"team": "a"})
    assert [pair.spending for pair in pairs(budget, [burst])] == [burst]
    assert [pair.budget for pair in pairs(burst, [budget])] == [budget]
    assert not pairs(budget, [incident("budget", {})])
    assert not pairs(burst, [incident("shift", {})])


@pytest.mark.parametrize(
    "changed",
    [
        {"told": False}, {"state": "resolved"}, {"currency": "EUR"}, {"scope": {"team": "b"}},
        {"scope": {"user": "ann"}}, {"details": {"late": True}},
        {"opened_at": NOW - timedelta(minutes=3) - BEFORE_MAX - timedelta(seconds=1)},
    ],
)  # fmt: skip
def test_what_cannot_have_one_cause_is_not_compared(changed: dict[str, Any]) -> None:
    budget = replace(incident("budget", {"team": "a"}), **changed)
    assert not pairs(incident("anomaly", {"team": "a"}), [budget])


def test_half_of_the_budgets_money_since_the_burst_began_makes_it_one_cause() -> None:
    pair = Pair(
        other=incident("budget", {}), budget=incident("budget", {}), spending=incident("anomaly", BURST)
    )
    assert pair.is_one_cause(Decimal("80.02"), Decimal("40.01"))
    assert not pair.is_one_cause(Decimal("80.02"), Decimal("40.00"))
    assert not pair.is_one_cause(Decimal(0), Decimal(0))
    assert pair.since(NOW) == datetime(2026, 11, 23, 10, 1, tzinfo=UTC)


def test_of_a_run_no_more_counts_than_the_run_spent() -> None:
    """Its workflow spent 90 of 100 meanwhile, the run 40: not half of it."""
    loop = incident("loop", {"run": "r1", "workflow": "w"})
    pair = Pair(other=loop, budget=incident("budget", {}), spending=loop)
    assert pair.scopes() == ({}, {"workflow": "w"})
    assert not pair.is_one_cause(Decimal(100), Decimal(90))
    assert pair.is_one_cause(Decimal(80), Decimal(70))


def test_what_is_critical_is_never_told_by_what_people_have_put_aside() -> None:
    burst = incident("anomaly", BURST)
    critical = incident("budget", {}, severity="critical")
    assert tells_of(burst, critical, NOW)
    aside = replace(burst, state="acknowledged")
    assert not tells_of(aside, critical, NOW)
    assert tells_of(aside, incident("budget", {}), NOW)
    assert not tells_of(replace(burst, snoozed_until=NOW + timedelta(hours=1)), critical, NOW)
    assert not tells_of(replace(burst, state="resolved"), critical, NOW)


def test_a_second_burst_is_told_by_itself_where_the_budget_has_its_cause() -> None:
    first = incident("anomaly", BURST)
    budget = incident("budget", {}, parent=first.id)
    assert not pairs(incident("anomaly", {"key_id": "k2"}), [first, budget])


def test_a_burn_of_a_budget_that_has_its_burst_is_told_with_what_was_told_first() -> None:
    budget = incident("budget", {})
    burst = incident("anomaly", BURST, parent=budget.id)
    burn = incident("burn", {})
    known = [budget, burst]
    assert whole_of(burn, pairs(burn, known), known, NOW) == budget
    over = [replace(budget, state="resolved"), burst]
    assert whole_of(burn, pairs(burn, over), over, NOW) == burst


def test_what_was_over_and_is_open_again_is_told_by_none_of_its_parts() -> None:
    budget = of_budget("budget", 80)
    parts = [
        incident("anomaly", {"team": "a"}, parent=budget.id),
        of_budget("burn", 1440, parent=budget.id),
    ]
    again, known = replace(budget, number=2), [replace(budget, state="resolved"), *parts]
    assert whole_of(again, pairs(again, known), known, NOW) is None
    assert told_first(again, known, NOW) is None


def test_the_whole_names_its_parts_and_is_as_severe_as_the_severest() -> None:
    burst, budget = (
        incident("anomaly", BURST),
        incident("budget", {}, severity="critical", percent=Decimal(100)),
    )
    told = with_part(burst, budget, NOW)
    assert (told.number, told.severity) == (1, "critical")
    assert told.title == "anomaly {'key_id': 'k1'}; with it budget {}"
    assert told.summary == "anomaly is told. With it: budget is told."
    again = with_part(told, incident("burn", {}), NOW)
    assert again.title == "anomaly {'key_id': 'k1'}; with it burn {} and 1 more"
    assert again.severity == "critical"


def test_what_told_of_a_part_says_its_own_figures_anew_at_the_next_look() -> None:
    """Its message had those of before: they are due at once, and then every fifteen seconds."""
    burst = incident("anomaly", {"agent": "a"})
    assert not is_due(burst, NOW + timedelta(seconds=14))
    told = with_part(burst, incident("budget", {}), NOW + timedelta(seconds=14))
    assert is_due(told, NOW + timedelta(seconds=15))
    renewed = replace(told, updated_at=NOW + timedelta(seconds=15))
    assert not is_due(renewed, NOW + timedelta(seconds=29))


def test_the_whole_of_a_budget_ends_with_the_last_that_spent() -> None:
    budget, burst = incident("budget", {}), incident("anomaly", BURST)
    assert ends_whole(budget, burst, ["burn"])
    assert not ends_whole(budget, burst, ["loop", "burn"])
    assert not ends_whole(burst, budget, [])  # a burst ends by itself


def test_what_a_burst_explains_is_taken_off_a_forecast_whatever_it_is_told_with() -> None:
    """40.00 where 5.00 was expected: 35.00, once, though a loop of it is a part of it."""
    budget = incident("budget", {})
    burst = incident("anomaly", BURST, parent=budget.id)
    loop = incident("loop", {"run": "r1"}, parent=burst.id, told=False)
    [(_, _, excess)] = excesses_in({}, "USD", NOW - timedelta(hours=1), [budget, burst, loop])
    assert excess == 35


def of_budget(kind: Any, percent: int = 80, now: datetime = NOW, **changed: Any) -> Incident:
    """Of one budget, b1, in its period."""
    rule = "b1" if kind == "budget" else f"{kind}:b1"
    severity = "critical" if kind == "burn" or percent >= 100 else "warning"
    columns = {"rule": rule, "percent": Decimal(percent), "severity": severity} | changed
    return incident(kind, {"team": "a"}, now, **columns)


def test_what_is_foretold_and_passed_of_one_budget_in_one_period_is_told_with_what_was_told_first() -> None:
    forecast = of_budget("forecast", 100, NOW - timedelta(days=3))
    forecast = replace(forecast, period_start=of_budget("budget").period_start)
    warned, burn = of_budget("budget", 80, NOW - timedelta(hours=5)), of_budget("burn", 1440)
    current = [burn, warned, forecast]
    assert told_first(of_budget("budget", 100), current, NOW) == forecast
    assert told_first(of_budget("budget", 100), [burn, warned], NOW) == warned
    assert told_first(burn, [warned], NOW) == warned
    over = replace(warned, state="resolved")
    assert told_first(of_budget("budget", 100), [burn, over], NOW) == burn


def test_of_what_one_look_opened_the_whole_was_told_first_in_whatever_order_they_are_read() -> None:
    warned = of_budget("budget", 80)
    burn = of_budget("burn", 1440, parent=warned.id)
    assert warned.opened_at == burn.opened_at
    for current in ([burn, warned], [warned, burn]):
        assert told_first(of_budget("budget", 100), current, NOW) == warned


@pytest.mark.parametrize(
    "changed",
    [
        {"scope": {"team": "b"}, "scope_digest": b"b"}, {"rule_id": "b2"}, {"rule_revision": 2}, {"told": False},
        {"period_start": NOW - timedelta(days=1)}, {"details": {"late": True}}, {"details": {"values_beyond": 3}},
        {"snoozed_until": NOW + timedelta(hours=1)}, {"state": "acknowledged"},
    ],
)  # fmt: skip
def test_what_is_of_another_budget_or_period_or_was_put_aside_tells_of_no_other(
    changed: dict[str, Any],
) -> None:
    warned = replace(of_budget("budget"), **changed)
    assert told_first(of_budget("budget", 100), [warned], NOW) is None


def test_the_last_hours_of_a_budget_are_one_period_wherever_they_begin() -> None:
    rolling = {"details": {"last_hours": 24}}
    warned = replace(of_budget("budget", **rolling), period_start=NOW - timedelta(days=2))
    assert told_first(of_budget("budget", 100, **rolling), [warned], NOW) == warned


def test_a_burst_is_told_with_a_budget_that_is_told_with_its_own_forecast() -> None:
    """The forecast is no cause."""
    forecast = of_budget("forecast", 100)
    budget = of_budget("budget", 100, parent=forecast.id)
    burst = incident("anomaly", {"team": "a"})
    known = [forecast, budget]
    assert [pair.other for pair in pairs(burst, known)] == [forecast, budget]
    assert whole_of(burst, pairs(burst, known), known, NOW) == forecast


def test_whoever_was_told_first_tells_and_at_its_end_is_silent_but_of_what_was_corrected() -> None:
    warned, burn = of_budget("budget"), of_budget("burn", 1440)
    passed = of_budget("budget", 100, parent=warned.id)
    news = tellings(passed, "opened", [warned, burn], [], NOW)
    assert [(each.before, each.event and each.event.transition) for each in news] == [
        (warned, "grew"), (burn, "grew"),
    ]  # fmt: skip
    assert [each.raises for each in news] == [True, False]
    over = resolved(passed, "its period is over", NOW)
    assert [each.event for each in tellings(over, "resolved", [warned, burn], [], NOW)] == [None, None]
    fell = resolved(passed, f"{CORRECTED}spend fell", NOW)
    [of_warned, of_burn] = tellings(fell, "resolved", [warned, replace(burn, state="resolved")], [], NOW)
    assert of_warned.event is not None and of_warned.event.transition == "grew"
    assert of_burn.event is None


def test_what_is_less_grave_than_a_burst_that_is_open_stands_in_its_next_message() -> None:
    burst = incident("anomaly", {"team": "a"}, severity="critical")
    warned = of_budget("budget", parent=burst.id)
    [noted] = tellings(warned, "opened", [burst], [], NOW)
    assert noted.event is None
    assert (noted.after.number, noted.after.severity) == (0, "critical")
    assert noted.after.title.endswith("; with it budget {'team': 'a'}")
    [told_by_burn] = tellings(warned, "opened", [of_budget("burn", 1440)], [], NOW)
    assert told_by_burn.event is not None  # a burn's next message may be days away


def test_of_one_cause_each_doubling_is_told_once_by_whose_money_it_is() -> None:
    """A budget of 50 has come to 130: of the 80 since it was passed the burst's 40 are half, and 39.99 are not."""
    burst = incident("anomaly", {"team": "a"}, severity="critical")
    passed = replace(of_budget("budget", 100, parent=burst.id), expected=Decimal(50))
    [first] = tellings(passed, "opened", [burst], [], NOW)
    assert first.event is not None

    def is_told(whole: Incident, *beside: Incident, amount: int = 130, **changed: Any) -> bool:
        grown = replace(passed, number=1, amount=Decimal(amount), **changed)
        [one] = tellings(grown, "grew", [whole], beside, NOW)
        return one.event is not None

    warned = with_part(of_budget("budget"), passed, NOW)
    assert not is_told(first.after)
    assert is_told(replace(first.after, amount=Decimal("39.99")))
    assert is_told(warned)
    assert not is_told(warned, burst)
    assert is_told(replace(first.after, kind="loop"))  # of a loop no doubling is told


def test_a_days_budget_that_doubles_by_a_level_that_is_known_is_no_news_and_a_months_is() -> None:
    warned, passed = of_budget("budget"), replace(of_budget("budget", 100), expected=Decimal(50))
    shift = incident("shift", {"team": "a"}, details={"per_day": "40"})
    grown = replace(passed, number=1, amount=Decimal(130))
    [of_a_day] = tellings(grown, "grew", [with_part(warned, passed, NOW)], [shift], NOW)
    assert of_a_day.event is None
    month = replace(grown, period_end=NOW + timedelta(days=20))
    [of_a_month] = tellings(month, "grew", [with_part(warned, passed, NOW)], [shift], NOW)
    assert of_a_month.event is not None


def test_that_a_part_became_graver_is_news() -> None:
    passed = of_budget("budget", 100)
    slow = of_budget("burn", 200, parent=passed.id, severity="warning")
    [fast] = tellings(replace(slow, severity="critical"), "grew", [with_part(passed, slow, NOW)], [], NOW)
    assert fast.event is not None


def test_a_message_that_tells_of_a_part_does_not_tell_its_own_growth_again() -> None:
    burst = incident("anomaly", {"team": "a"}, details={"grew": {"from": "2", "to": "6"}})
    burst = replace(burst, title="agent a spends; 6 USD more than usual, told were 2")
    assert with_part(burst, of_budget("budget"), NOW).title == "agent a spends; with it budget {'team': 'a'}"


def test_news_are_not_told_by_what_is_over_or_put_aside() -> None:
    warned = replace(of_budget("budget"), state="acknowledged")
    passed = of_budget("budget", 100, parent=warned.id)
    assert tellings(passed, "grew", [warned], [], NOW) == []


async def told(book: Book) -> dict[str, list[tuple[str, str, int, str]]]:
    """By channel: the incident's kind, transition, number and severity, in their order."""
    rows = await book.owner.fetch(
        "SELECT c.name, i.kind, d.transition, d.number, d.body FROM deliveries d "
        "JOIN incidents i ON i.tenant = d.tenant AND i.id = d.incident_id "
        "JOIN channels c ON c.tenant = d.tenant AND c.id = d.channel_id ORDER BY d.created_at, d.number"
    )
    found: dict[str, list[tuple[str, str, int, str]]] = {}
    for row in rows:
        event = decode_incident(row["body"])
        found.setdefault(row["name"], []).append(
            (row["kind"], row["transition"], row["number"], event.severity)
        )
    return found


async def channels(book: Book, **matches: dict[str, Any]) -> None:
    for name, match in matches.items():
        channel = await book.channel(f"https://{name}.example", match=match)
        await book.owner.execute("UPDATE channels SET name = $2 WHERE id = $1", channel, name)


async def both_spent(book: Book, now: datetime, *, burst: str = "40", others: str = "10") -> None:
    await book.spend(burst, now - timedelta(minutes=2), key_id="k1")
    await book.spend(others, now - timedelta(minutes=1), key_id="k2")


async def open_each(store: Store, now: datetime, incidents: Sequence[Incident]) -> None:
    for one in incidents:
        await store.open("acme", now, lambda _, one=one: [one])  # type: ignore[misc]


async def known(store: Store, now: datetime, kind: str) -> Incident:
    return next(each for each in await store.current("acme", now) if each.kind == kind)


async def end(store: Store, kind: str, now: datetime) -> None:
    one = await known(store, now, kind)
    await store.resolve(one, resolved(one, f"{kind} is over", now))


ALL, BUDGETS = {}, {"kinds": ["budget", "burn", "forecast"]}  # type: ignore[var-annotated]


async def test_each_of_three_channels_hears_of_a_burst_and_its_budget_once(book: Book, store: Store) -> None:
    """50.00 since the burst began, 40.00 of it the key's: the budget of all passed for the burst."""
    now = datetime.now(UTC)
    await channels(book, everything=ALL, budgets=BUDGETS, bursts={"kinds": ["anomaly"]})
    await both_spent(book, now)
    burst, budget = incident("anomaly", BURST, now), incident("budget", {}, now, severity="critical")
    await open_each(store, now, [burst, budget, budget])
    assert await told(book) == {
        "everything": [("anomaly", "opened", 0, "warning"), ("anomaly", "grew", 1, "critical")],
        "budgets": [("budget", "opened", 0, "critical")],
        "bursts": [("anomaly", "opened", 0, "warning")],
    }
    assert (await known(store, now, "budget")).parent == burst.id
    await end(store, "anomaly", now + timedelta(minutes=9))
    await end(store, "budget", now + timedelta(hours=9))
    after = await told(book)
    assert after["everything"][2:] == [("anomaly", "resolved", 2, "critical")]
    assert after["budgets"][1:] == [("budget", "resolved", 1, "critical")]
    assert after["bursts"][1:] == [("anomaly", "resolved", 2, "critical")]
    topic = await book.owner.fetch(
        "SELECT i.kind, d.transition FROM deliveries d JOIN incidents i ON i.id = d.incident_id "
        "WHERE d.channel_id = $1 ORDER BY d.created_at",
        TOPIC,
    )
    assert [tuple(row) for row in topic] == [
        ("anomaly", "opened"), ("budget", "opened"), ("anomaly", "resolved"), ("budget", "resolved"),
    ]  # fmt: skip


async def test_where_the_budget_came_first_the_burst_is_told_with_it_and_its_end_is_the_end(
    book: Book, store: Store
) -> None:
    now = datetime.now(UTC)
    await channels(book, everything=ALL, budgets=BUDGETS)
    await both_spent(book, now)
    later = now + timedelta(seconds=3)
    await open_each(store, now, [incident("budget", {}, now)])
    await open_each(
        store, later, [incident("anomaly", BURST, later), incident("burn", {}, later, rule="burn")]
    )
    await end(store, "anomaly", now + timedelta(minutes=9))
    await end(store, "budget", now + timedelta(hours=9))
    found = await told(book)
    assert found["everything"] == [
        ("budget", "opened", 0, "warning"), ("budget", "grew", 1, "warning"), ("budget", "grew", 2, "warning"),
        ("budget", "resolved", 3, "warning"),
    ]  # fmt: skip
    assert found["budgets"] == [
        ("budget", "opened", 0, "warning"), ("budget", "grew", 2, "warning"), ("budget", "resolved", 4, "warning"),
    ]  # fmt: skip
    body = await book.owner.fetchval(
        "SELECT body FROM deliveries WHERE transition = 'resolved' AND number = 3"
    )
    over = decode_incident(body)
    assert over.state == "resolved"  # began 2:57 min before, over 9 min after
    assert "In all it cost 40.00 USD within 11 min" in over.summary
    assert over.title == "anomaly {'key_id': 'k1'}; with it budget {} (that stays so)"


async def test_of_one_budget_without_a_burst_each_channel_reads_one_thread_and_its_end_once(
    book: Book, store: Store
) -> None:
    """80 % (a warning), then a fast burn, then 100 %, which doubles: who takes what is critical alone hears of the
    burn by itself, and of the rest by that; a pager, which was told of 80 %, of what is critical by itself."""
    now = datetime.now(UTC)
    await channels(book, everything=ALL, critical={"severity": "critical"})
    pager = {"kind": "pagerduty", "routing_key": "r" * 32}
    await book.owner.execute(
        "UPDATE channels SET name = 'pager' WHERE id = $1", await book.channel("", settings=pager)
    )
    warned, burn, passed = (
        of_budget("budget", 80, now),
        of_budget("burn", 1440, now),
        of_budget("budget", 100, now),
    )
    await open_each(store, now, [warned, burn, passed, passed])
    open_now = await known_by_id(store, now, passed)
    assert open_now.parent == warned.id
    await open_each(store, now, [replace(open_now, number=1, details={"doublings": 1})])
    period_over = now + timedelta(hours=25)
    for one in (burn, warned, passed):
        ended = await known_by_id(store, now, one)
        await store.resolve(ended, resolved(ended, "its period is over", period_over))
    found = await told(book)
    assert found["everything"] == [
        ("budget", "opened", 0, "warning"), ("budget", "grew", 1, "critical"), ("budget", "grew", 2, "critical"),
        ("budget", "grew", 3, "critical"), ("budget", "resolved", 4, "critical"),
    ]  # fmt: skip
    assert found["critical"] == [
        ("burn", "opened", 0, "critical"), ("burn", "grew", 1, "critical"), ("burn", "grew", 2, "critical"),
        ("burn", "resolved", 3, "critical"),
    ]  # fmt: skip
    assert [each[:2] for each in found["pager"]] == [
        ("budget", "opened"), ("burn", "opened"), ("burn", "grew"), ("burn", "grew"), ("burn", "resolved"),
        ("budget", "resolved"),
    ]  # fmt: skip


async def test_of_one_budget_a_worker_that_dies_leaves_all_of_a_message_or_nothing(
    book: Book, store: Store
) -> None:
    now = datetime.now(UTC)
    await channels(book, everything=ALL)
    warned, passed = of_budget("budget", 80, now), of_budget("budget", 100, now)
    await open_each(store, now, [warned])

    def dies(_: Sequence[Incident]) -> Any:
        yield passed
        raise SystemExit

    with pytest.raises(SystemExit):
        await store.open("acme", now, dies)
    assert (await known_by_id(store, now, warned)).number == 0
    await asyncio.gather(*(open_each(store, now, [passed]) for _ in range(3)))
    assert [each[1:3] for each in (await told(book))["everything"]] == [("opened", 0), ("grew", 1)]


async def known_by_id(store: Store, now: datetime, incident: Incident) -> Incident:
    return next(each for each in await store.current("acme", now) if each.id == incident.id)


async def test_a_burst_that_is_less_than_half_of_the_budgets_money_is_told_apart(
    book: Book, store: Store
) -> None:
    now = datetime.now(UTC)
    await channels(book, everything=ALL)
    await both_spent(book, now, burst="40", others="40.01")
    await open_each(store, now, [incident("anomaly", BURST, now), incident("budget", {}, now)])
    assert [each[:2] for each in (await told(book))["everything"]] == [
        ("anomaly", "opened"),
        ("budget", "opened"),
    ]


async def test_of_two_bursts_the_budget_is_told_with_the_one_that_broke_it(book: Book, store: Store) -> None:
    """45.00 since both began: 40.00 of k1, 5.00 of k2, which opened last."""
    now = datetime.now(UTC)
    await channels(book, everything=ALL)
    await both_spent(book, now, others="5")
    later = now + timedelta(seconds=1)
    other = incident("anomaly", {"key_id": "k2"}, later)
    await open_each(store, later, [incident("anomaly", BURST, now), other, incident("budget", {}, later)])
    grew = await book.owner.fetchval(
        "SELECT i.scope FROM deliveries d JOIN incidents i ON i.id = d.incident_id "
        "WHERE d.transition = 'grew'"
    )
    assert grew == BURST
    assert len((await told(book))["everything"]) == 3


async def test_what_cannot_be_compared_in_time_is_told_apart_and_not_later(
    book: Book, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The statement is given up half way, and the transaction around it goes on."""
    now = datetime.now(UTC)
    await channels(book, everything=ALL)
    await both_spent(book, now)
    slow = shares.SQL["spent_in_scopes"].replace("SELECT place::int", "SELECT pg_sleep(20), place::int")
    monkeypatch.setattr(shares, "SQL", {"spent_in_scopes": slow})
    monkeypatch.setattr(shares, "READ_S_MAX", 0.3)
    await open_each(store, now, [incident("anomaly", BURST, now), incident("budget", {}, now)])
    assert [each[:2] for each in (await told(book))["everything"]] == [
        ("anomaly", "opened"),
        ("budget", "opened"),
    ]
    assert datetime.now(UTC) - now < timedelta(seconds=10)


async def test_two_workers_that_see_both_at_once_tell_each_channel_once(book: Book, store: Store) -> None:
    now = datetime.now(UTC)
    await channels(book, everything=ALL, budgets=BUDGETS)
    await both_spent(book, now)
    both = [incident("anomaly", BURST, now), incident("budget", {}, now)]
    await asyncio.gather(*(open_each(store, now, order) for order in (both, both[::-1], both, both[::-1])))
    found = await told(book)
    first = found["everything"][0][0]
    assert [each[:3] for each in found["everything"]] == [(first, "opened", 0), (first, "grew", 1)]
    assert [each[:3] for each in found["budgets"]] == [("budget", "opened", 0)]


async def test_a_worker_killed_before_it_wrote_is_followed_by_one_that_tells_it_once(
    book: Book, store: Store
) -> None:
    """The budget's transaction dies after its message was queued: nothing of it is left, then all of it."""
    now = datetime.now(UTC)
    await channels(book, everything=ALL, budgets=BUDGETS)
    await both_spent(book, now)
    await open_each(store, now, [incident("anomaly", BURST, now)])

    def dies(_: Sequence[Incident]) -> Any:
        yield incident("budget", {}, now)
        raise SystemExit

    with pytest.raises(SystemExit):
        await store.open("acme", now, dies)
    assert (await known(store, now, "anomaly")).number == 0
    again = Store(store.pool, store._meters)
    await open_each(again, now, [incident("budget", {}, now), incident("budget", {}, now)])
    found = await told(book)
    assert [each[:3] for each in found["everything"]] == [("anomaly", "opened", 0), ("anomaly", "grew", 1)]
    assert [each[:3] for each in found["budgets"]] == [("budget", "opened", 0)]


async def test_a_critical_budget_wakes_whom_the_burst_let_sleep(book: Book, store: Store) -> None:
    now = datetime.now(UTC)
    quiet = [{"from": "00:00", "until": "12:00"}, {"from": "12:01", "until": "00:00"}]
    await book.channel("https://a.example", quiet=quiet)
    await both_spent(book, now)
    await open_each(
        store, now, [incident("anomaly", BURST, now), incident("budget", {}, now, severity="critical")]
    )
    rows = await book.owner.fetch(
        "SELECT transition, held FROM deliveries WHERE channel_id <> $1 ORDER BY number", TOPIC
    )
    assert tuple(rows[1]) == ("grew", "")
    if (now.hour, now.minute) != (12, 0):
        assert tuple(rows[0]) == ("opened", "quiet")


async def test_a_critical_budget_of_a_burst_that_is_acknowledged_is_told_by_itself(
    book: Book, store: Store
) -> None:
    now = datetime.now(UTC)
    await channels(book, everything=ALL)
    await both_spent(book, now)
    burst = incident("anomaly", BURST, now)
    await open_each(store, now, [burst])
    await book.owner.execute(
        "INSERT INTO incident_acts (tenant, incident_id, act, by) VALUES ('acme', $1, 'acknowledge', 'ann')",
        burst.id,
    )
    await obey(store, now)
    await open_each(store, now, [incident("budget", {}, now, severity="critical")])
    assert [each[:2] for each in (await told(book))["everything"]] == [
        ("anomaly", "opened"), ("anomaly", "acknowledged"), ("budget", "opened"),
    ]  # fmt: skip


async def test_a_consumer_of_googles_notifications_is_told_of_its_budget_by_itself(
    book: Book, store: Store
) -> None:
    """Its format has no words for a burst, so nothing that is told with one would arrive."""
    now = datetime.now(UTC)
    settings = {"kind": "webhook", "url": "https://g.example", "format": "google_budget"}
    await book.channel("", settings=settings)
    await both_spent(book, now)
    await open_each(store, now, [incident("anomaly", BURST, now), incident("budget", {}, now)])
    assert [each[:2] for each in (await told(book))["ops"]] == [("anomaly", "opened"), ("budget", "opened")]


async def look(watch: TenantWatch, subject: str, now: datetime) -> None:
    await next(each for each in watch._looks if each.of == subject).look(now)


@pytest.mark.parametrize("order", [("anomalies", "budgets"), ("budgets", "anomalies")])
async def test_a_key_that_bursts_through_a_budget_is_one_message_whoever_looks_first(
    book: Book, watch: Any, order: tuple[str, str]
) -> None:
    """Usual are 1.00 a minute for twelve minutes; then 40.00 at once, of a budget of 50.00."""
    now = datetime.now(UTC).replace(second=30, microsecond=0)
    await channels(book, everything=ALL, budgets=BUDGETS)
    await book.budget("50", period=a_period(), percent=(100,))
    for minute in range(1, 13):
        await book.spend("0.5", now - timedelta(minutes=minute), key_id="k1")
        await book.spend("0.5", now - timedelta(minutes=minute), key_id="k2")
    made = await watch()
    await look(made, "budgets", now)
    await look(made, "anomalies", now)
    assert await told(book) == {}
    await book.spend("40", now, key_id="k1")
    for subject in (*order, *order):
        await look(made, subject, now + timedelta(seconds=1))
    found = await told(book)
    assert [each[1:3] for each in found["everything"]] == [("opened", 0), ("grew", 1)]
    assert [each[:3] for each in found["budgets"]][:1] == [("budget", "opened", 0)]
    body = await book.owner.fetchval("SELECT body FROM deliveries WHERE transition = 'grew'")
    title = decode_incident(body).title
    assert "budget A budget passed 100 %: 52 of 50 USD spent" in title
    assert "key k1 spends" in title
