"""Corrections: what they take below a threshold ends with that reason, and what rises again is told again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from services.alerts.budgets.breaches import BudgetLook
from services.alerts.bursts.bursts import AnomalyLook
from services.alerts.bursts.expectations import Learned
from services.alerts.bursts.learning import Learner
from services.alerts.bursts.minute_reader import MinuteReader
from services.alerts.bursts.minutes import Recent
from services.alerts.counting.counters import Counters, CounterSum, counter_key, edges
from services.alerts.incidents.incident import Incident, resolved, with_figures
from services.alerts.incidents.store import Store
from services.alerts.incidents.words import Wording, corrected
from services.alerts.notify.queue import TOPIC
from services.alerts.scopes import TENANT
from spendmeter.book.sizes import BucketSpan
from tests.alerts.conftest import Book, transitions
from tests.alerts.test_budgets import BERLIN, BUDGET, NOW
from tests.alerts.test_burn_watch import a_period
from tests.alerts.test_incidents import FIGURES, INCIDENT
from tests.alerts.test_store import at_once

MIDNIGHT = datetime(2026, 11, 22, 23, 0, tzinfo=UTC)
DAILY = replace(BUDGET, period="day")
"""50 USD a day, told at 50, 80 and 100 %."""


def look(spent: str, now: datetime = NOW) -> BudgetLook:
    """A look at the budget when its day has come to `spent`."""
    counters = Counters()
    counters.lay_out(edges(MIDNIGHT, now, BERLIN))
    counter = counter_key(DAILY.filter, "USD")
    counters.take_open({now.replace(second=0): {counter: CounterSum(Decimal(spent), Decimal(0))}}, now)
    wording = Wording(zone=BERLIN.at(now).zone)
    return BudgetLook(now=now, calendar=BERLIN, budgets=[DAILY], counters=counters, wording=wording)


class Story:
    """What is open and what was over, as the spend goes up and down, a minute a step."""

    def __init__(self) -> None:
        self.incidents: list[Incident] = []
        self._now = NOW

    def comes_to(self, spent: str) -> list[str]:
        """What happens: incidents that fall, then what opens."""
        self._now += timedelta(minutes=1)
        now, news = look(spent, self._now), []
        for place, incident in enumerate(self.incidents):
            if incident.state == "open" and now.has_fallen(incident):
                lower = replace(FIGURES, amount=Decimal(spent), expected=Decimal(50))
                after = with_figures(incident, lower, self._now)
                self.incidents[place] = resolved(after, corrected(after, incident.amount), self._now)
                news.append(f"{incident.threshold_percent} over")
        opened = now.proposals(self.incidents)
        self.incidents += opened
        assert len({incident.id for incident in self.incidents}) == len(self.incidents)
        return news + [
            f"{each.threshold_percent} {'told' if each.told else 'not told'} {each.episode}"
            for each in opened
        ]


def test_what_falls_below_its_threshold_is_over_and_rises_again_as_another_episode() -> None:
    story = Story()
    assert story.comes_to("40") == ["80 told None"]
    assert story.comes_to("39.999999999999") == ["80 over", "50 not told None"]  # it was higher already
    assert story.comes_to("40") == ["80 told 1"]
    assert story.comes_to("1") == ["50 over", "80 over"]
    assert story.comes_to("1") == []
    assert story.comes_to("25") == ["50 told 1"]
    assert story.comes_to("45") == ["80 told 2"]


def test_a_threshold_that_is_reached_by_falling_is_known_and_not_told() -> None:
    story = Story()
    assert story.comes_to("60") == ["100 told None"]
    assert story.comes_to("42.5") == ["100 over", "80 not told None"]
    assert story.comes_to("44") == []
    assert story.comes_to("31") == ["80 over", "50 not told None"]
    assert story.comes_to("49") == ["80 told 1"]  # now it came from below
    assert story.comes_to("50") == ["100 told 1"]


def test_a_fall_after_which_it_rises_in_the_same_moment_is_told() -> None:
    story = Story()
    assert story.comes_to("60") == ["100 told None"]
    assert story.comes_to("10") == ["100 over"]
    assert story.comes_to("60") == ["100 told 1"]


def test_what_is_not_watched_any_more_does_not_fall() -> None:
    (incident,) = look("60").proposals([])
    assert look("10").has_fallen(incident)
    assert not look("50").has_fallen(incident)
    assert not replace(look("10"), budgets=[replace(DAILY, revision=2)]).has_fallen(incident)
    assert not replace(look("10"), budgets=[replace(DAILY, period="month")]).has_fallen(incident)


def test_words_say_that_a_correction_ended_it_and_what_it_changed() -> None:
    first = look("60").proposals([])[0]
    fell = replace(FIGURES, amount=Decimal(3), expected=Decimal(50), corrected=Decimal(-57))
    after = with_figures(first, fell, NOW)
    over = Wording(zone=BERLIN.at(NOW).zone).with_words(resolved(after, corrected(after, first.amount), NOW))
    assert over.resolution == ("corrected: spend fell to 3.00 USD, below 100 % of 50.00 USD (from 60.00 USD)")
    assert over.title == "Corrected: budget Research is below 100 %: 3 of 50 USD spent"
    assert over.summary.startswith(
        f"Over: {over.resolution}. acme: budget 'Research' (team=search) came to 3.00 USD"
    )
    assert "Corrections lowered it by 57.00 USD." in over.summary
    assert ("of it changed by corrections", "-57") in [
        (each["label"], each["amount"]) for each in over.figures
    ]
    again = look("60").proposals([over])[0]
    assert again.title == "budget Research passed 100 % again: 60 of 50 USD spent"


def anomaly_look() -> AnomalyLook:
    nothing = Learned(until=NOW, minutes=0, scopes={}, siblings={})
    return AnomalyLook(
        tenant="acme", now=NOW, currency="USD", recent=Recent(), learned=nothing, complete_through=NOW,
        wording=Wording(zone=BERLIN.at(NOW).zone),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("amount", "correction", "over"),
    [
        ("40", "0", False),
        ("1.4", "0", False),  # little, but nobody has corrected it
        ("1.4", "-38.6", True),  # 1.00 expected, and half a dollar is no excess
        ("1.5", "-38.5", False),
        ("1.4", "-0.05", False),  # without the correction it is as little
        ("0", "-40", True),
    ],
)
def test_an_anomaly_is_corrected_when_its_money_would_be_unusual_without(
    amount: str, correction: str, over: bool
) -> None:
    figures = replace(FIGURES, amount=Decimal(amount), corrected=Decimal(correction), expected=Decimal(1))
    assert anomaly_look().is_corrected(figures) == over


def test_an_anomalys_words_say_that_it_only_seemed_so() -> None:
    figures = replace(FIGURES, amount=Decimal("0.5"), expected=Decimal("0.6"), corrected=Decimal("-39.5"))
    after = with_figures(INCIDENT, figures, NOW)
    over = anomaly_look().wording.with_words(resolved(after, corrected(after, Decimal(40)), NOW))
    assert (
        over.resolution
        == "corrected: spend fell to 0.5000 USD, where 0.6000 USD was expected (from 40.00 USD)"
    )
    assert over.title.startswith("Corrected: agent researcher seemed to spend up to 3,092 USD/h")


async def test_a_correction_ends_a_budgets_incident_and_the_next_rise_opens_another(
    book: Book, watch: Any
) -> None:
    await book.channel("https://example.com/a")
    await book.budget("10", period="day", percent=(80,))
    await book.spend("12")
    made = await watch()
    await made.look("budgets")
    await book.correct("-9")
    await made.look("budgets")
    (over,) = await book.incidents()
    assert (over["state"], over["resolution"]) == (
        "resolved", "corrected: spend fell to 3.00 USD, below 80 % of 10.00 USD (from 12.00 USD)",
    )  # fmt: skip
    assert (over["amount"], over["corrected"]) == (3, -9)
    await made.look("budgets")
    await book.spend("6")
    await made.look("budgets")
    _, again = await book.incidents()
    assert (again["episode"], again["state"], again["amount"]) == (1, "open", 9)
    assert "passed 80 % again" in again["title"]
    assert sorted(await transitions(book)) == ["opened"] * 4 + ["resolved"] * 2  # the channel and the topic


async def test_a_lower_threshold_that_is_left_is_open_and_told_to_the_topic_alone(
    book: Book, watch: Any
) -> None:
    await book.channel("https://example.com/a")
    await book.budget("10", period="day", percent=(80, 100))
    await book.spend("12")
    made = await watch()
    for correction in ("-3.5", "-4"):
        await made.look("budgets")
        await book.correct(correction)
        await made.look("budgets")
    states = [(row["threshold_percent"], row["state"], row["told"]) for row in await book.incidents()]
    assert states == [(100, "resolved", True), (80, "resolved", False)]
    told = await book.owner.fetch(
        "SELECT d.transition FROM deliveries d JOIN incidents i ON i.id = d.incident_id "
        "WHERE d.channel_id <> $1 ORDER BY d.created_at",
        TOPIC,
    )
    assert [row["transition"] for row in told] == ["opened", "resolved"]  # of the higher one
    assert sorted(await transitions(book)) == ["opened"] * 3 + ["resolved"] * 3


async def test_while_a_job_is_under_way_rises_are_told_and_falls_wait(book: Book, watch: Any) -> None:
    await book.owner.execute(
        "INSERT INTO rerate_jobs (rerate_id, tenant, selection, version, reason, author, requested_at, state) "
        "VALUES ('r1', 'acme', '{}', 1, 'a wrong price', 'ann', now(), 'applying')"
    )
    await book.owner.execute(
        "INSERT INTO rerate_passes (rerate_id, tenant, phase, since, until, about) "
        "VALUES ('r1', 'acme', 'applied', now(), now(), 1)"
    )
    await book.budget("10", period="day", percent=(80, 100))
    await book.spend("7")
    made = await watch()
    await made.look("budgets")
    await book.correct("2")
    await made.look("budgets")
    (opened,) = await book.incidents()
    assert (opened["threshold_percent"], opened["amount"], opened["corrected"]) == (80, 9, 2)
    assert "Corrections raised it by 2.00 USD." in opened["summary"]
    await book.correct("-5")
    await book.owner.execute("UPDATE incidents SET updated_at = now() - interval '1 minute'")
    await made.look("budgets")
    (half,) = await book.incidents()
    assert (half["state"], half["amount"]) == ("open", 9)
    await book.owner.execute("UPDATE rerate_jobs SET state = 'applied'")
    await made.look("budgets")
    (over,) = await book.incidents()
    assert over["resolution"] == "corrected: spend fell to 4.00 USD, below 80 % of 10.00 USD (from 9.00 USD)"


@pytest.mark.parametrize(
    "state, phase, swept, changes",
    [
        ("previewing", "preview", False, False),
        ("previewed", "preview", True, False),
        ("applying", "applied", False, True),
        ("applying", "applied", True, False),  # it waits for a partition that stands still, for days perhaps
        ("cancelled", "applied", False, False),
    ],
)
async def test_falls_wait_for_a_job_that_changes_the_book_and_for_no_other(
    book: Book, store: Store, state: str, phase: str, swept: bool, changes: bool
) -> None:
    await book.owner.execute(
        "INSERT INTO rerate_jobs (rerate_id, tenant, selection, version, reason, author, requested_at, state) "
        "VALUES ('r1', 'acme', '{}', 1, 'a wrong price', 'ann', now(), $1)",
        state,
    )
    await book.owner.execute(
        "INSERT INTO rerate_passes (rerate_id, tenant, phase, since, until, swept, about) "
        "VALUES ('r1', 'acme', $1, now(), now(), $2, 1)",
        phase,
        swept,
    )
    assert await store.rerating("acme") is changes
    assert not await store.rerating("globex")


async def test_a_fall_that_the_book_does_not_confirm_is_none(book: Book, watch: Any) -> None:
    """A correction was seen, and a late event of half an hour ago was not yet."""
    now = datetime.now(UTC)
    await book.budget("10", period=a_period())
    await book.spend("12")
    made = await watch()
    await made.look("budgets")
    await book.correct("-5")
    await book.spend("6", now - timedelta(minutes=30))
    await made.look("budgets")
    (incident,) = await book.incidents()
    assert incident["state"] == "open"
    await book.owner.execute("UPDATE incidents SET updated_at = now() - interval '1 minute'")
    await made.look("budgets")
    assert (await book.incidents())[0]["amount"] == 13


async def test_an_anomaly_that_was_no_more_than_a_wrong_price_ends_corrected(book: Book, watch: Any) -> None:
    now = datetime.now(UTC)
    for minute in range(1, 12):
        await book.spend("1", now - timedelta(minutes=minute), agent="a")
    await book.spend("40", agent="a")
    made = await watch()
    await made.look("anomalies")
    assert [row["state"] for row in await book.incidents()] == ["open"]
    await book.correct("-39.5", now, agent="a")
    await book.owner.execute("UPDATE incidents SET updated_at = now() - interval '16 seconds'")
    made.wake(BucketSpan(now.replace(hour=0, minute=0), now + timedelta(hours=24)))
    await made.look("anomalies")
    (incident,) = await book.incidents()
    assert incident["state"] == "resolved"
    assert incident["resolution"].startswith("corrected: spend fell to ")
    await made.look("anomalies")
    assert len(await book.incidents()) == 1


async def test_corrections_of_the_minutes_under_test_make_no_burst(book: Book, pool: asyncpg.Pool) -> None:
    """What is booked is 1.00 a minute; a correction of this minute raises it, of the one before it lowers it."""
    now = datetime.now(UTC)
    for minute in range(12):
        await book.spend("1", now - timedelta(minutes=minute), agent="a")
    await book.correct("50", now, agent="a")
    await book.correct("-0.75", now - timedelta(minutes=1), agent="a")
    for minute in range(2, 12):
        await book.correct("-0.5", now - timedelta(minutes=minute), agent="a")
    async with Learner() as learner:
        reader = MinuteReader(pool, "acme", "USD", at_once, learner)

        async def minutes_and_usual(*, rerating: bool) -> tuple[list[Decimal], Decimal]:
            reader._learned_in = None  # as when the next minute begins
            await reader.look(now, rerating=rerating)
            spent = sorted((row.minute, row.amount) for row in reader.recent.spent)
            return [amount for _, amount in spent], reader.learned.scopes[TENANT].per_minute

        assert await minutes_and_usual(rerating=True) == ([Decimal("0.25"), 1], 1)
        assert await minutes_and_usual(rerating=False) == ([Decimal("0.25"), 1], Decimal("0.5"))
