"""Which channels a message goes to, and when: match, quiet hours, digests; critical money waits for nobody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerts.notify.routing import Route, digest_at, passages
from spendmeter.contracts.incidents import IncidentEvent, TopContributor
from spendmeter.contracts.routes import ChannelMatch, QuietHours, RouteError, quiet_of, quiet_until
from tests.alerts.test_deliveries import an_event

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = QuietHours(begin="22:00", end="08:00")
A, B, C = (UUID(int=number) for number in (1, 2, 3))


def told(event: IncidentEvent, *routes: Route, at: str = "2026-11-23T10:00:00+00:00") -> list[UUID]:
    return [each.channel for each in passages(routes, event, datetime.fromisoformat(at), BERLIN)]


def event(**fields: Any) -> IncidentEvent:
    return an_event(UUID(int=9), **{"severity": "warning"} | fields)


def test_a_channel_without_a_match_hears_everything() -> None:
    assert told(event(severity="info"), Route(channel=A, kind="slack")) == [A]


def test_a_match_names_severity_kinds_and_labels_all_of_which_the_incident_has() -> None:
    match = ChannelMatch(severity="warning", kinds=("anomaly",), scope={"team": "search"})
    route = Route(channel=A, kind="slack", match=match)
    assert told(event(scope={"team": "search"}), route) == [A]
    assert told(event(scope={"team": "payments"}), route) == []
    assert told(event(scope={"team": "search"}, kind="drift"), route) == []
    assert told(event(scope={"team": "search"}, severity="info"), route) == []


def test_an_incident_whose_money_is_mostly_a_teams_is_told_to_the_team() -> None:
    route = Route(channel=A, kind="slack", match=ChannelMatch(scope={"team": "search"}))
    for share, channels in (("0.5", [A]), ("0.49", [])):
        top = TopContributor(dimensions={"team": "search"}, amount="5", share=share)
        assert told(event(top_contributor=top), route) == channels


def test_a_channel_that_was_told_of_the_beginning_is_told_of_the_end() -> None:
    match = ChannelMatch(severity="critical")
    route = Route(channel=A, kind="pagerduty", match=match, heard=True)
    assert told(event(transition="resolved", state="resolved"), route) == [A]


def test_a_critical_incident_that_no_channel_takes_goes_to_the_first_that_does_not_fail() -> None:
    match = ChannelMatch(kinds=("budget",))
    first = Route(channel=A, kind="slack", match=match, failing=True)
    second = Route(channel=B, kind="slack", match=match)
    [way] = passages([first, second], event(severity="critical"), datetime.now(UTC), BERLIN)
    assert (way.channel, way.fallback) == (B, True)
    assert told(event(severity="warning"), first, second) == []
    assert told(event(severity="critical")) == []


def test_that_a_channel_fails_is_told_to_the_next_one_alone_and_never_to_itself() -> None:
    routes = [Route(channel=each, kind="webhook") for each in (A, B, C)]
    about = {each: event(kind="silence", rule=f"channel-failing/{each}", scope={}) for each in (A, B, C)}
    assert [told(about[each], *routes) for each in (A, B, C)] == [[B], [C], [A]]
    failing = [routes[0], Route(channel=B, kind="webhook", failing=True), routes[2]]
    assert told(about[A], *failing) == [C]
    assert told(about[A], routes[0]) == []
    heard = [*routes[:2], Route(channel=C, kind="webhook", heard=True)]
    assert told(about[A], *heard) == [C]  # who knows of it hears its end


@pytest.mark.parametrize(
    ("now", "until"),
    [  # Berlin is at +2 until 2026-10-25 03:00, then at +1; from 2026-03-29 02:00 at +2 again
        ("2026-07-01T21:59:00+02:00", "2026-07-01T21:59:00+02:00"),
        ("2026-07-01T22:00:00+02:00", "2026-07-02T08:00:00+02:00"),
        ("2026-07-02T00:00:00+02:00", "2026-07-02T08:00:00+02:00"),
        ("2026-07-02T07:59:59+02:00", "2026-07-02T08:00:00+02:00"),
        ("2026-07-02T08:00:00+02:00", "2026-07-02T08:00:00+02:00"),
        ("2026-10-25T02:30:00+02:00", "2026-10-25T08:00:00+01:00"),
        ("2026-10-25T02:30:00+01:00", "2026-10-25T08:00:00+01:00"),
        ("2026-03-29T01:59:00+01:00", "2026-03-29T08:00:00+02:00"),
    ],
)
def test_a_night_is_quiet_across_midnight_and_changes_of_the_clock(now: str, until: str) -> None:
    at = datetime.fromisoformat(now).astimezone(UTC)
    assert quiet_until([NIGHT], at, BERLIN) == datetime.fromisoformat(until)


def test_a_night_that_begins_on_friday_runs_into_a_quiet_weekend() -> None:
    nights = QuietHours(begin="20:00", end="07:00", weekdays=(1, 2, 3, 4, 5))
    weekend = QuietHours(begin="00:00", end="00:00", weekdays=(6, 7))
    friday = datetime.fromisoformat("2026-11-27T21:00:00+01:00")
    assert friday.isoweekday() == 5
    monday = datetime.fromisoformat("2026-11-30T00:00:00+01:00")
    assert quiet_until([nights, weekend], friday, BERLIN) == monday
    sunday = datetime.fromisoformat("2026-11-29T23:00:00+01:00")
    assert quiet_until([nights, weekend], sunday, BERLIN) == monday


def test_hours_that_leave_none_are_refused() -> None:
    with pytest.raises(RouteError, match="leave none"):
        quiet_of([{"from": "00:00", "until": "00:00"}])
    with pytest.raises(RouteError, match="time of day"):
        quiet_of([{"from": "25:00", "until": "08:00"}])
    with pytest.raises(RouteError, match="weekdays"):
        quiet_of([{"from": "22:00", "until": "08:00", "weekdays": [0]}])
    assert quiet_of([{"from": "22:00", "until": "08:00"}]) == (NIGHT,)


def test_a_digest_goes_out_at_multiples_of_its_minutes_in_the_local_day() -> None:
    now = datetime.fromisoformat("2026-07-01T10:07:00+02:00").astimezone(UTC)
    assert digest_at(15, now, BERLIN) == datetime.fromisoformat("2026-07-01T10:15:00+02:00")
    assert digest_at(1440, now, BERLIN) == datetime.fromisoformat("2026-07-02T00:00:00+02:00")


def test_a_digest_that_falls_into_the_night_waits_for_the_morning() -> None:
    route = Route(channel=A, kind="slack", quiet=(NIGHT,), digest_minutes=1440)
    now = datetime.fromisoformat("2026-07-01T10:00:00+02:00")
    [way] = passages([route], event(), now, BERLIN)
    assert (way.at, way.held) == (datetime.fromisoformat("2026-07-02T08:00:00+02:00"), "digest")


def test_a_page_is_closed_at_night_and_never_digested() -> None:
    night = datetime.fromisoformat("2026-07-01T23:00:00+02:00")
    route = Route(channel=A, kind="pagerduty", quiet=(NIGHT,), digest_minutes=60, heard=True)
    [over] = passages([route], event(transition="resolved", state="resolved"), night, BERLIN)
    assert (over.at, over.held) == (night, "")
    [grew] = passages([route], event(transition="grew"), night, BERLIN)
    assert grew.held == "quiet"


ROUTES = st.lists(
    st.builds(
        Route,
        channel=st.sampled_from([A, B, C]),
        kind=st.sampled_from(["webhook", "alertmanager", "pagerduty", "slack", "apprise"]),
        match=st.builds(ChannelMatch, severity=st.sampled_from(["info", "warning", "critical"])),
        quiet=st.sampled_from([(), (NIGHT,)]),
        digest_minutes=st.integers(0, 1440),
        failing=st.booleans(),
        heard=st.booleans(),
    ),
    max_size=3,
    unique_by=lambda route: route.channel,
)


@given(
    ROUTES,
    st.sampled_from(["info", "warning", "critical"]),
    st.sampled_from(["anomaly", "budget", "silence", "unbooked"]),
    st.integers(0, 366 * 24 * 3600),
)
def test_no_channel_is_told_twice_nothing_is_dropped_and_nothing_waits_for_ever(
    routes: list[Route], severity: str, kind: str, second: int
) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
    said = event(severity=severity, kind=kind)
    ways = passages(routes, said, now, BERLIN)
    channels = [way.channel for way in ways]
    assert len(set(channels)) == len(channels)
    assert set(channels) >= {route.channel for route in routes if route.heard}
    if severity == "critical" and routes:
        assert ways
    for way in ways:
        assert now <= way.at <= now + timedelta(days=2)
        assert bool(way.held) == (way.at > now) or way.held == "digest"
        if severity == "critical" and kind in ("anomaly", "budget"):
            assert (way.at, way.held) == (now, "")
