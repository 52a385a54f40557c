"""Several messages in one: nobody is told of a beginning after its end, and a digest adds up no money."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from services.alerts.notify.collapse import DIGEST_NAMED_MAX, collapsed, digest
from tests.alerts.test_deliveries import NOW, an_event

BERLIN = ZoneInfo("Europe/Berlin")
ONE = UUID(int=1)


def test_an_incident_that_was_over_before_it_was_told_is_told_once_with_its_end() -> None:
    opened = an_event(ONE)
    over = an_event(ONE, "resolved", 1, at=NOW + timedelta(minutes=30))
    said = collapsed([opened, over], BERLIN)
    assert (said.transition, said.state, said.number) == ("resolved", "resolved", 1)
    assert said.summary == "It spends. Not told here before: 2026-11-23 11:00 it opened (Europe/Berlin)."
    assert said.details["replaces"] == [
        {
            "transition": "opened",
            "number": 0,
            "at": "2026-11-23T10:00:00+00:00",
            "title": "agent triage opened",
        }
    ]


def test_what_was_replaced_before_is_not_lost_when_it_is_replaced_again() -> None:
    grew = collapsed([an_event(ONE), an_event(ONE, "grew", 1)], BERLIN)
    said = collapsed([grew, an_event(ONE, "resolved", 2)], BERLIN)
    assert [each["number"] for each in said.details["replaces"]] == [0, 1]
    assert said.summary == (
        "It spends. Not told here before: 2026-11-23 11:00 it opened, 2026-11-23 11:00 it grew (Europe/Berlin)."
    )


def test_what_nobody_heard_of_opens_though_it_grew_since() -> None:
    said = collapsed([an_event(ONE), an_event(ONE, "grew", 1, amount="9")], BERLIN)
    assert (said.transition, said.number, said.amount) == ("opened", 1, "9")
    assert said.summary == "It spends. Not told here before: 2026-11-23 11:00 it opened (Europe/Berlin)."
    assert collapsed([an_event(ONE), an_event(ONE, "acknowledged", 1)], BERLIN).transition == "acknowledged"


def test_news_hide_behind_no_update() -> None:
    said = collapsed([an_event(ONE, "grew", 1), an_event(ONE, "updated", 1, amount="9")], BERLIN)
    assert (said.transition, said.amount) == ("grew", "9")


def test_one_message_stays_as_it_is() -> None:
    assert collapsed([an_event(ONE)], BERLIN) == an_event(ONE)
    update = an_event(ONE, "updated")
    assert collapsed([update, update], BERLIN) == update


def test_a_digest_names_the_gravest_first_and_has_no_amounts_of_its_own() -> None:
    minor = an_event(UUID(int=2), severity="info", title="a drift")
    grave = an_event(UUID(int=3), "resolved", severity="critical", title="a burst")
    said = digest([minor, grave], id="d", now=NOW)
    assert (said.title, said.severity, said.state) == (
        "2 incidents, 1 of them over: a burst", "critical", "open"
    )  # fmt: skip
    assert said.summary == "(1) critical: a burst; (2) info: a drift."
    assert (said.amount, said.currency, said.incident_id) == ("0", "", "d")
    assert [each["title"] for each in said.details["incidents"]] == ["a burst", "a drift"]


def test_a_digest_says_how_many_it_does_not_name() -> None:
    said = digest([an_event(UUID(int=number)) for number in range(DIGEST_NAMED_MAX + 5)], id="d", now=NOW)
    assert said.details["more"] == 5
    assert said.summary.endswith("; and 5 more.")
