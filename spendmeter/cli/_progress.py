"""The live view of `spendmeter up`: on a terminal one line that moves, elsewhere a line every few seconds."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import urlencode

from rich.console import Console
from rich.live import Live
from rich.text import Text

from deploy.local.home import LOOPBACK, Home
from deploy.local.state import State, read_state
from spendmeter.cli._running import NoAnswer, ask, fail, flying, get, read_counts

REFRESH_S = 1.0
PLAIN_LINE_S = 5.0
SPEND_S = 5.0
"""How often the spend is asked for: it reads all of today's rollups, the counts read a few rows."""


def show(place: Home, state: State) -> None:
    """Shows progress until the system stops (then it returns) or dies (then the command fails)."""
    console = Console(highlight=False, markup=False)
    figures, news, printed = Figures(), News(state), 0.0
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while (state := read_state(place) or state).running and state.phase == "ready":
            line = figures.line(state.environment)
            for text in news.since_last(state):
                console.print(text)
            if console.is_terminal:
                live.update(Text(line), refresh=True)
            elif time.monotonic() - printed >= PLAIN_LINE_S:
                console.print(line)
                printed = time.monotonic()
            time.sleep(REFRESH_S)
    if state.phase == "ready":
        fail(f"the supervisor (pid {state.supervisor_pid}) was killed; spendmeter up starts again")
    console.print("Stopped from elsewhere.")


class Figures:
    """Events in, booked, in flight, rejected, and what each tenant spent today."""

    def __init__(self) -> None:
        self._booked: tuple[float, int] | None = None
        self._spend, self._spend_at = "", 0.0

    def line(self, environment: Mapping[str, str]) -> str:
        """One line of figures, or why there are none."""
        try:
            counts = read_counts(environment)
            if time.monotonic() - self._spend_at > SPEND_S:
                self._spend, self._spend_at = spend_today(environment), time.monotonic()
        except NoAnswer as why:
            return f"no figures: {why}"
        rate = self._rate(counts["booked"])
        arrived = "unknown" if counts["in"] is None else f"{counts['in']:,}"
        return (
            f"events in {arrived}, booked {counts['booked']:,} ({rate:,.0f}/s),"
            f" in flight {flying(counts)}, rejected {counts['rejected']:,}; today {self._spend}"
        )

    def _rate(self, booked: int) -> float:
        """Events booked per second since the last call."""
        (then, before), self._booked = self._booked or (0.0, booked), (time.monotonic(), booked)
        return max(0, booked - before) / (time.monotonic() - then)


class News:
    """What was not shown yet: what the supervisor says (restarts), and alerts as the demo receives them."""

    def __init__(self, state: State) -> None:
        self._message = max((message.number for message in state.messages), default=0)
        self._deliveries: set[str] = set()

    def since_last(self, state: State) -> list[str]:
        """One line for each."""
        fresh = [message for message in state.messages if message.number > self._message]
        self._message = max((message.number for message in fresh), default=self._message)
        lines = [f"! {message.text}" for message in fresh]
        for delivery, summary in received_alerts(state).items():
            if delivery not in self._deliveries:
                self._deliveries.add(delivery)
                lines.append(f"ALERT at the webhook: {summary}")
        return lines


def spend_today(environment: Mapping[str, str]) -> str:
    """What each of the first tenants spent since midnight UTC, in its own currency; NoAnswer as `ask`."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    query = urlencode({"from": midnight.isoformat(), "to": (midnight + timedelta(days=1)).isoformat()})
    parts = []
    for tenant, key in json.loads(environment["SPENDMETER_DEMO_KEYS"]).items():
        answer = ask(environment, f"/v1/spend?{query}", key=key)
        own = [row for row in answer["totals"] if row["currency"] == answer["currency"]]
        total = sum((Decimal(row["effective"]) for row in own), Decimal())
        parts.append(f"{tenant} {total:,.2f} {answer['currency']}")
    return ", ".join(parts)


def received_alerts(state: State) -> dict[str, str]:
    """Delivery id to summary of what the demo's webhook received; empty without a demo."""
    demo = next((entry for entry in state.processes if entry.name == "demo"), None)
    if demo is None:
        return {}
    try:
        alerts = get(f"http://{LOOPBACK}:{demo.port}/alerts")["alerts"]
    except NoAnswer:
        return {}
    return {alert["delivery"]: alert.get("data", {}).get("summary", alert.get("type")) for alert in alerts}
