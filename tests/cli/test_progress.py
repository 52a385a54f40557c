"""What `make up` shows while it runs."""

from __future__ import annotations

import io
from datetime import UTC, datetime

from rich.console import Console

from cli import _progress
from cli._figures import EventRate, Item, Shown

AT = datetime(2026, 11, 25, 18, 3, 31, tzinfo=UTC)
SHOWN = Shown(
    at=AT,
    counts={
        "in": "221,447",
        "booked": "220,443",
        "duplicate": "900",
        "conflict": "104",
        "rejected": "0",
        "in flight": "0",
    },
    rate="100/s",
    today={"acme": "12.34 USD (day in UTC)", "globex": "5.00 EUR (day in Europe/Berlin)"},
)


def test_a_line_in_a_pipe_is_dated_and_its_counts_add_up() -> None:
    assert _progress.line(SHOWN) == (
        "2026-11-25T18:03:31Z events in 221,447, booked 220,443 (100/s), duplicate 900, conflict 104, "
        "rejected 0, in flight 0; today acme 12.34 USD (day in UTC), globex 5.00 EUR (day in Europe/Berlin)"
    )


def test_a_terminal_has_every_count_under_its_name_and_each_tenants_own_day() -> None:
    console = Console(file=io.StringIO(), width=120, force_terminal=False)
    console.print(_progress.table(SHOWN))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    head, row, *days = text.splitlines()
    assert head.split()[:6] == ["in", "booked", "duplicate", "conflict", "rejected", "in"]
    assert row.split()[1:] == ["221,447", "220,443", "900", "104", "0", "0", "100/s"]
    assert [day.split()[:4] for day in days] == [
        ["today", "acme", "12.34", "USD"],
        ["today", "globex", "5.00", "EUR"],
    ]


def test_an_alert_has_its_time_and_another_colour_than_a_restart() -> None:
    alert = _progress.happened(Item(AT, "alert", "ALERT at the webhook: too much"), terminal=False)
    restart = _progress.happened(Item(AT, "restart", "rating ended, started again"), terminal=False)
    assert alert.plain == "2026-11-25T18:03:31Z ALERT at the webhook: too much"
    assert alert.style != restart.style


def test_the_rate_is_what_was_booked_in_the_last_ten_seconds_however_long_a_look_takes() -> None:
    now_s = 0.0
    rate = EventRate(clock=lambda: now_s)
    assert rate.of(1_000) is None
    for seconds in (1.0, 3.5, 6.0, 11.0):
        now_s = seconds
        assert rate.of(1_000 + round(100 * seconds)) == 100
    now_s = 21.0
    assert rate.of(2_100) == 0
