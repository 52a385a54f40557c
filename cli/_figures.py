"""What `spendmeter up` shows while it runs: counts with a rate, what was spent today, and news."""

import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

from cli._counts import OUTCOMES, ask, in_flight_text, read_counts
from cli._http import NoAnswer, get_json
from deploy.local.home import LOOPBACK
from deploy.local.state import SystemState

SPEND_S = 5.0
"""How often the spend is asked for: it reads all of today's rollups, the counts read a few rows."""
RATE_S = 10.0
"""The rate is of so long: a batch more or less does not move it, and a stop shows soon."""


@dataclass(frozen=True)
class Shown:
    """One moment's figures, in words. `counts`: name to number, in the order of the accounting."""

    at: datetime
    counts: dict[str, str]
    rate: str
    today: dict[str, str]
    """Tenant to what it spent since its own midnight."""


@dataclass(frozen=True)
class Item:
    """Something that happened. `kind` "alert": money; "restart": what supervisor and demo say."""

    at: datetime
    kind: Literal["alert", "restart"]
    text: str


class EventRate:
    """Events a second, of the last RATE_S."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()

    def of(self, count: int) -> float | None:
        """`count` was read just now; None for the first one."""
        now_s = self._clock()
        while len(self._seen) > 1 and now_s - self._seen[1][0] >= RATE_S:
            self._seen.popleft()
        self._seen.append((now_s, count))
        then_s, before = self._seen[0]
        return max(0, count - before) / (now_s - then_s) if now_s > then_s else None


class LiveFigures:
    """Reads the counts, and every SPEND_S the spend."""

    def __init__(self) -> None:
        self._rate = EventRate()
        self._today: dict[str, str] = {}
        self._today_at_s = 0.0

    def read(self, environment: Mapping[str, str]) -> Shown:
        """Raises NoAnswer, with the reason."""
        counts = read_counts(environment)
        rate = self._rate.of(counts["booked"])  # before anything else is asked: what takes time would bend it
        if not self._today or time.monotonic() - self._today_at_s > SPEND_S:
            self._today, self._today_at_s = spend_today(environment), time.monotonic()
        return Shown(
            at=datetime.now(UTC),
            counts={
                "in": "unknown" if counts["in"] is None else f"{counts['in']:,}",
                **{name: f"{counts[name]:,}" for name in OUTCOMES},
                "in flight": in_flight_text(counts),
            },
            rate="" if rate is None else f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s",
            today=self._today,
        )


class News:
    """What was not shown yet: what supervisor and demo say, and alerts as the demo receives them."""

    def __init__(self, state: SystemState) -> None:
        self._message = max((message.number for message in state.messages), default=0)
        self._deliveries: set[str] = set()
        self._told = ""

    def since_last(self, state: SystemState) -> list[Item]:
        """The oldest first."""
        fresh = [message for message in state.messages if message.number > self._message]
        self._message = max((message.number for message in fresh), default=self._message)
        items = [Item(datetime.fromtimestamp(each.at, UTC), "restart", each.text) for each in fresh]
        for told in _of_demo(state, "news"):
            if told["at"] > self._told:
                self._told = told["at"]
                items.append(Item(datetime.fromisoformat(told["at"]), "restart", told["text"]))
        for alert in received_alerts(state):
            if alert["delivery"] not in self._deliveries:
                self._deliveries.add(alert["delivery"])
                items.append(_alert(alert))
        return sorted(items, key=lambda item: item.at)


def spend_today(environment: Mapping[str, str]) -> dict[str, str]:
    """What each of the first tenants spent since its own midnight, in its own currency; NoAnswer as `ask`."""
    today = {}
    for tenant, key in json.loads(environment["SPENDMETER_DEMO_KEYS"]).items():
        answer = ask(environment, "/v1/spend?range=today&usage=false", key=key)
        own = [row for row in answer["totals"] if row["currency"] == answer["currency"]]
        total = sum((Decimal(row["effective"]) for row in own), Decimal())
        today[tenant] = f"{total:,.2f} {answer['currency']} (day in {answer['tz']})"
    return today


def received_alerts(state: SystemState) -> list[dict[str, Any]]:
    """What the demo's webhook received; nothing without a demo."""
    return _of_demo(state, "alerts")


def _of_demo(state: SystemState, what: str) -> list[dict[str, Any]]:
    demo = next((entry for entry in state.processes if entry.name == "demo"), None)
    if demo is None:
        return []
    try:
        found: list[dict[str, Any]] = get_json(f"http://{LOOPBACK}:{demo.port}/{what}")[what]
    except NoAnswer:
        return []
    return found


def _alert(alert: Mapping[str, Any]) -> Item:
    said = alert.get("data", {}).get("summary", alert.get("type"))
    try:
        at = datetime.fromisoformat(alert["timestamp"])
    except (KeyError, ValueError):
        at = datetime.now(UTC)
    return Item(at if at.tzinfo else at.replace(tzinfo=UTC), "alert", f"ALERT at the webhook: {said}")
