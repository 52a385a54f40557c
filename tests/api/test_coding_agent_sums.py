"""Who stands apart among teams, what a merged change costs, and what idle seats do, worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from services.api.coding_agents.figures import not_in_it, rows_of, unnamed_reason
from services.api.coding_agents.seats import UNKNOWN, ToolLicence
from services.api.coding_agents.sums import (
    PEOPLE_MIN,
    AgentSums,
    TeamShown,
    added,
    by_team,
    by_tool,
    by_tool_and_team,
)
from spendmeter.pricing.accruals.asset import Asset, AssetRevision

NOVEMBER, DECEMBER = date(2026, 11, 1), date(2026, 12, 1)


def sums(cost: str = "1", people: int = 0, *, first: int = 0, merged: int = 0, days: int = 0) -> AgentSums:
    """Of the people `first` to `first + people`."""
    found = AgentSums(merged=Decimal(merged), merged_days={date(2026, 11, 1 + n) for n in range(days)})
    found.costs["USD"].parts["model"] = Decimal(cost)
    found.costs["USD"].events = 1
    if people:
        found.people[NOVEMBER] = {f"user:{n}" for n in range(first, first + people)}
    return found


def shown(of: dict[tuple[str, str], AgentSums], *, all_teams: bool = False) -> list[tuple[str | None, ...]]:
    return [(row.tool, row.team) for row in by_tool_and_team(of, all_teams=all_teams)]


def test_a_team_of_four_is_shown_with_other_small_ones_alone() -> None:
    """4 + 3 people stand together; the five of web stand apart."""
    of = {
        ("codex", "web"): sums("10", 5),
        ("codex", "core"): sums("2", 4, first=10),
        ("codex", "data"): sums("3", 3, first=20),
    }
    rows = by_tool_and_team(of, all_teams=False)
    assert [(row.team, len(row.teams), row.sums.costs["USD"].total) for row in rows] == [
        ("web", 1, Decimal(10)),
        (None, 2, Decimal(5)),
    ]
    assert rows[1].sums.known_people == 7
    assert shown(of, all_teams=True) == [("codex", "core"), ("codex", "data"), ("codex", "web")]


def test_the_smallest_named_team_joins_where_the_total_would_tell_the_one_that_is_not_named() -> None:
    """All less web and core would be the two of data: core (6) goes with them."""
    of = {
        ("codex", "web"): sums(people=9),
        ("codex", "core"): sums(people=6, first=10),
        ("codex", "data"): sums(people=2, first=20),
    }
    assert shown(of) == [("codex", "web"), ("codex", None)]


def test_who_is_in_two_small_teams_is_one_person() -> None:
    """The same three in both: three people, and not six."""
    of = {("codex", "a"): sums(people=3), ("codex", "b"): sums(people=3), ("codex", "web"): sums(people=7)}
    assert shown(of) == [("codex", None)]


def test_a_persons_second_month_is_no_second_person() -> None:
    twice = sums(people=3)
    twice.people[DECEMBER] = {"user:x", "user:y", "user:z"}
    assert twice.known_people == 3


def test_nobody_known_is_no_crowd_and_seats_that_a_team_has_are() -> None:
    seated = sums()
    seated.seated["copilot"] = PEOPLE_MIN
    assert shown({("cursor", "web"): sums(), ("cursor", "core"): seated}) == [("cursor", None)]
    of = {("cursor", "core"): seated}
    assert shown(of) == [("cursor", "core")]


def test_who_has_a_seat_of_each_of_two_licences_is_one_person() -> None:
    """Three of web, with a seat of business and one of enterprise each, are no team of six."""
    web, core = sums(), sums()
    for licence in ("business", "enterprise"):
        web.seated[licence] = 3
    core.seated["business"] = 2
    assert web.known_people == 3
    assert shown({("copilot", "web"): web, ("copilot", "core"): sums("1", 9)}) == [("copilot", None)]
    assert added([web, core]).known_people == 5


def test_a_team_over_all_tools_is_the_sum_of_its_rows_and_no_more() -> None:
    """What two people of web did with codex is among the small teams there, with core, and so it is here."""
    of = {
        ("claude-code", "web"): sums("10", 6),
        ("codex", "web"): sums("3", 2),
        ("codex", "core"): sums("4", 5, first=10),
        ("codex", "data"): sums("5", 5, first=20),
    }
    rows = by_team(by_tool_and_team(of, all_teams=False))
    assert [(row.team, row.sums.costs["USD"].total) for row in rows] == [
        ("data", Decimal(5)),
        ("web", Decimal(10)),
        (None, Decimal(7)),
    ]
    assert [row.partly for row in rows] == [False, True, False]
    [web] = rows_of(rows[1], "USD", "")
    assert (web.lower_bound, web.cost_per_merged) == (True, None)
    assert "what the team did with another tool stands among small teams" in web.missing


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["codex", "cursor"]), st.sampled_from("abcdef")),
        st.tuples(st.integers(0, 99), st.integers(0, 9), st.integers(0, 20)),
    ),
    st.booleans(),
)
def test_rows_add_up_to_tools_and_whoever_is_not_named_stands_among_five(
    made: dict[tuple[str, str], tuple[int, int, int]], all_teams: bool
) -> None:
    of = {key: sums(str(cost), people, first=first) for key, (cost, people, first) in made.items()}
    rows = by_tool_and_team(of, all_teams=all_teams)
    for tool in by_tool(of):
        mine = [row for row in rows if row.tool == tool.tool]
        assert added(row.sums for row in mine).costs["USD"].total == tool.sums.costs["USD"].total
        named = [row for row in mine if row.team is not None]
        if named and not all_teams:
            assert min(row.sums.known_people for row in mine) >= PEOPLE_MIN
    everything = sum((row.sums.costs["USD"].total for row in rows), Decimal(0))
    assert sum((row.sums.costs["USD"].total for row in by_team(rows)), Decimal(0)) == everything


def row_of(of: AgentSums, unnamed: str = "") -> tuple[Decimal | None, list[str]]:
    [row] = rows_of(TeamShown(tool="codex", team="web", teams=frozenset({"web"}), sums=of), "USD", unnamed)
    return row.cost_per_merged, row.missing


def test_what_came_to_nothing_stays_above_the_line() -> None:
    """90 USD of all sessions over 36 merged changes: 2.50."""
    assert row_of(sums("90", merged=36, days=6)) == (Decimal("2.5"), [])


def test_below_thirty_or_five_days_it_says_so() -> None:
    assert row_of(sums("90", merged=29, days=4)) == (
        None,
        [
            "insufficient data: 29 merged changes, 30 are needed",
            "insufficient data: 4 days with one, 5 are needed",
        ],
    )


def test_of_more_than_one_event_in_a_hundred_without_a_price_nobody_knows_what_a_change_cost() -> None:
    """1 of 100: at least 90 / 36. 2 of 100: nobody knows."""
    of = sums("90", merged=36, days=6)
    of.costs["USD"].events, of.costs["USD"].unpriced_events = 100, 1
    [row] = rows_of(TeamShown(tool="codex", team="web", teams=frozenset({"web"}), sums=of), "USD", "")
    assert (row.cost_per_merged, row.lower_bound) == (Decimal("2.5"), True)
    of.costs["USD"].unpriced_events = 2
    assert row_of(of) == (None, ["2 of 100 events have no price"])


def test_what_the_rows_lack_is_said() -> None:
    assert not_in_it(Decimal(0)) == []
    assert not_in_it(Decimal(4)) == [
        "4 merged changes are in no row: they name neither a session of a tool nor a tool"
    ]


def test_an_outcome_of_another_name_is_no_merged_change() -> None:
    reason = unnamed_reason(["pull_request_merged"], ["commit", "pull_request"])
    assert reason == (
        "no outcome of these days is called pull_request_merged: there are: commit, pull_request"
    )
    assert row_of(sums("90"), reason) == (None, [reason])
    assert unnamed_reason(["merged"], []).endswith("there are none at all")
    assert unnamed_reason(["merged"], ["merged"]) == ""


def test_two_currencies_are_two_rows_and_no_ratio() -> None:
    both = sums("90", merged=36, days=6)
    both.costs["EUR"].parts["seats"] = Decimal(7)
    rows = rows_of(TeamShown(tool=None, team=None, teams=frozenset(), sums=both), "USD", "")
    assert [(row.currency, row.cost, row.cost_per_merged) for row in rows] == [
        ("USD", Decimal(90), None),
        ("EUR", Decimal(7), None),
    ]
    assert rows[0].missing == ["cost is in EUR and USD, which are never added: ask for days of one currency"]


def test_without_any_cost_nothing_is_free() -> None:
    assert row_of(
        AgentSums(merged=Decimal(40), merged_days={date(2026, 11, day) for day in range(1, 7)})
    ) == (
        None,
        ["nothing was booked of these days"],
    )


def licence(active: dict[date, int], *changes: tuple[str, dict[str, object]]) -> ToolLicence:
    """Ten seats at 30 a month from 1 November on, six of them web's and one core's; and what changed then."""
    begun = {
        "name": "Copilot", "provider": "github", "sku": "copilot", "cost_class": "licence", "seats": 10,
        "price_per_seat_month": "30",
        "assigned": [{"labels": {"team": "web"}, "weight": 6}, {"labels": {"team": "core"}, "weight": 1}],
        "labels": {"team": "it"},
    }  # fmt: skip
    said = [("2026-11-01", begun), *changes]
    revisions = tuple(
        AssetRevision(
            number=number,
            effective_from=at,
            first_hour=at,
            recorded_at=at,
            change=change,
            author="me",
            reason="x",
        )
        for number, (day, change) in enumerate(said, 1)
        for at in [datetime.fromisoformat(f"{day}T00:00:00+00:00")]
    )
    asset = Asset(
        tenant="acme", id="copilot", kind="licence", currency="USD", zone=ZoneInfo("UTC"), starts_on=NOVEMBER,
        accrue_from=datetime(2026, 11, 1, tzinfo=UTC), revisions=revisions,
    )  # fmt: skip
    return ToolLicence(tool="github-copilot", asset=asset, active=active, counts_people=True)


def test_seats_of_which_nobody_says_whether_they_were_used_are_unknown_and_never_idle() -> None:
    found = licence({}).idle(NOVEMBER, date(2026, 11, 30))
    assert found is not None
    assert (found.seats, found.nobody_has) == (10, 3)
    assert (found.idle, found.idle_cost, found.idle_cost_per_month, found.missing) == (
        None,
        None,
        None,
        [UNKNOWN],
    )


def test_idle_seats_cost_their_part_of_the_month_of_each_day_that_is_known() -> None:
    """4 idle on the 24th and 3 on the 25th, at 30 a month of 30 days: 7 dollars; 90 a month as of the 25th."""
    found = licence({date(2026, 11, 24): 6, date(2026, 11, 25): 7}).idle(NOVEMBER, date(2026, 11, 30))
    assert found is not None
    assert (found.day, found.active, found.idle, found.known_days) == (date(2026, 11, 25), 7, 3, 2)
    assert (found.idle_cost, found.idle_cost_per_month) == (Decimal(7), Decimal(90))


def test_more_users_than_seats_are_no_idle_seats_less_than_none() -> None:
    found = licence({date(2026, 11, 25): 12}).idle(NOVEMBER, date(2026, 11, 30))
    assert found is not None
    assert (found.idle, found.idle_cost) == (0, Decimal(0))


def test_seats_and_prices_are_those_of_the_day() -> None:
    """10 seats at 30 with 8 used: 2 dollars. From the 20th on 20 at 15 with 8 used: 12 x 15 / 30 = 6 dollars."""
    more: dict[str, object] = {"seats": 20, "price_per_seat_month": "15"}
    of = licence({date(2026, 11, 10): 8, date(2026, 11, 25): 8}, ("2026-11-20", more))
    found = of.idle(NOVEMBER, date(2026, 11, 30))
    assert found is not None
    assert (found.seats, found.idle, found.idle_cost) == (20, 12, Decimal(8))
    assert found.idle_cost_per_month == Decimal(180)


def test_after_it_is_over_nothing_of_it_is_idle() -> None:
    of = licence({date(2026, 11, 25): 1}, ("2026-11-20", {"retired": True}))
    assert of.idle(date(2026, 11, 21), date(2026, 11, 30)) is None
    found = of.idle(NOVEMBER, date(2026, 11, 30))
    assert found is not None
    assert (found.known_days, found.idle_cost) == (0, None)


def test_before_it_begins_there_is_none() -> None:
    assert licence({}).idle(date(2026, 10, 1), date(2026, 10, 31)) is None


def test_seats_are_of_the_teams_that_have_them() -> None:
    assert licence({}).seats_by_team(NOVEMBER, date(2026, 11, 30)) == {"web": 6, "core": 1}


def test_a_licence_is_there_from_its_first_day_on() -> None:
    assert licence({}).idle(NOVEMBER, NOVEMBER) is not None
