"""The live view of `spendmeter up`: on a terminal one line that moves, elsewhere a line every few seconds."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from rich.console import Console
from rich.live import Live
from rich.text import Text

from deploy.local.home import Home
from deploy.local.state import State, read_state
from spendmeter.cli._running import NoAnswer, ask, fail, read_counts

REFRESH_S = 1.0
PLAIN_LINE_S = 5.0
INCIDENTS_MAX = 50


def show(place: Home, state: State) -> None:
    """Shows progress until the system stops (then it returns) or dies (then the command fails)."""
    console = Console(highlight=False)
    news = News(state)
    console.print("\nCtrl-C stops everything.\n")
    with Live(console=console, auto_refresh=False, transient=True) as live:
        last = 0.0
        while (state := read_state(place) or state).running and state.phase == "ready":
            line = progress_line(state.environment, news)
            for text in news.lines(state):
                console.print(text)
            if console.is_terminal:
                live.update(Text(line), refresh=True)
            elif time.monotonic() - last >= PLAIN_LINE_S:
                print(line, flush=True)
                last = time.monotonic()
            time.sleep(REFRESH_S)
    if state.phase not in ("stopping", "stopped"):
        fail(f"the supervisor (pid {state.supervisor_pid}) died; spendmeter up starts again, data is kept")
    console.print("Stopped from elsewhere.")


class News:
    """What was not shown yet: the supervisor's messages (restarts), and incidents."""

    def __init__(self, state: State) -> None:
        self._message = max((message.number for message in state.messages), default=0)
        self._incidents: set[str] = set()
        self.booked: tuple[float, int] | None = None

    def lines(self, state: State) -> Iterable[str]:
        for message in state.messages:
            if message.number > self._message:
                self._message = message.number
                yield f"! {message.text}"
        for incident in _incidents(state.environment):
            if incident["id"] not in self._incidents:
                self._incidents.add(incident["id"])
                yield f"! {describe(incident)}"

    def rate(self, booked: int) -> float:
        """Events booked per second since the last call."""
        now, before = time.monotonic(), self.booked
        self.booked = (now, booked)
        return 0.0 if before is None else max(0, booked - before[1]) / max(now - before[0], 0.001)


def progress_line(environment: Mapping[str, str], news: News) -> str:
    """One line of figures, or why there are none."""
    try:
        counts = read_counts(environment)
        return (
            f"events in {counts['in']:,} | booked {counts['booked']:,} ({news.rate(counts['booked']):,.0f}/s)"
            f" | in flight {counts['in_flight']:,} | rejected {counts['rejected']:,}"
            f" | spend today {_spend(environment)}"
        )
    except NoAnswer as why:
        return f"no figures: {why}"


def describe(incident: Mapping[str, Any]) -> str:
    """An incident in one line: the fields that say what, where and how much."""
    return " ".join(str(incident[name]) for name in ("status", "title", "summary") if incident.get(name))


def _spend(environment: Mapping[str, str]) -> str:
    """What the demo key's tenant spent since midnight UTC."""
    now = datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    to = now + timedelta(minutes=1)
    query = urlencode({"from": midnight.isoformat(), "to": to.isoformat(), "bucket": "day"})
    answer = ask(environment, f"/v1/spend?{query}")
    total = sum((Decimal(row["effective"]) for row in answer["totals"]), Decimal(0))
    return f"{total:,.2f} {answer['currency']}"


def _incidents(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    try:
        answer = ask(environment, f"/v1/incidents?limit={INCIDENTS_MAX}")
    except NoAnswer:
        return []
    return list(answer.get("incidents", []))
