"""The live view of `spendmeter up`: on a terminal a table that moves, elsewhere dated lines."""

import time

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli._figures import Item, LiveFigures, News, Shown
from cli._http import NoAnswer
from cli._running import fail
from deploy.local.home import Home
from deploy.local.state import SystemState, read_state
from spendmeter.contracts.visible import visible

REFRESH_S = 1.0
PLAIN_LINE_S = 5.0
_STYLES = {"alert": "bold red", "restart": "yellow"}


def show(place: Home, state: SystemState) -> None:
    """Shows progress until the system stops (then it returns) or dies (then the command fails)."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    figures, news, printed = LiveFigures(), News(state), 0.0
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while (state := read_state(place) or state).running and state.phase == "ready":
            shown = _read(figures, state)
            for item in news.since_last(state):
                console.print(happened(item, terminal=console.is_terminal))
            if console.is_terminal:
                live.update(shown if isinstance(shown, Text) else table(shown), refresh=True)
            elif time.monotonic() - printed >= PLAIN_LINE_S:
                console.print(shown if isinstance(shown, Text) else line(shown))
                printed = time.monotonic()
            time.sleep(REFRESH_S)
    if state.phase == "ready":
        fail(f"the supervisor (pid {state.supervisor_pid}) was killed; spendmeter up starts again")
    console.print("Stopped from elsewhere.")


def table(shown: Shown) -> RenderableType:
    """For a terminal: what became of the events, and below it each tenant's day."""
    whole = Table.grid()
    counts = Table("", *shown.counts, "booked a second", box=None, pad_edge=False)
    counts.add_row(f"{shown.at.astimezone():%H:%M:%S}", *shown.counts.values(), shown.rate)
    for column in counts.columns[1:]:
        column.justify = "right"
    whole.add_row(counts)
    today = Table(box=None, pad_edge=False, show_header=False)
    for tenant, spent in shown.today.items():
        today.add_row("today", visible(tenant), spent)
    whole.add_row(today)
    return whole


def line(shown: Shown) -> str:
    """For a pipe: one line that stands alone."""
    counts = dict(shown.counts)
    if shown.rate:
        counts["booked"] += f" ({shown.rate})"
    events = ", ".join(f"{name} {count}" for name, count in counts.items())
    today = ", ".join(f"{tenant} {spent}" for tenant, spent in shown.today.items())
    return visible(f"{shown.at:%Y-%m-%dT%H:%M:%SZ} events {events}; today {today}")


def happened(item: Item, *, terminal: bool) -> Text:
    """With its time: of the clock on the wall in a terminal, whole and in UTC in a pipe."""
    at = f"{item.at.astimezone():%H:%M:%S}" if terminal else f"{item.at:%Y-%m-%dT%H:%M:%SZ}"
    return Text(f"{at} {visible(item.text)}", style=_STYLES[item.kind])


def _read(figures: LiveFigures, state: SystemState) -> Shown | Text:
    try:
        return figures.read(state.environment)
    except NoAnswer as why:
        return Text(visible(f"no figures: {why}"))
