"""A correction on a running system: what it takes below a budget's threshold is over, and says why."""

from __future__ import annotations

from typing import Any

from tests.flow.system import System, eventually
from tests.flow.test_terms import KEY_WITHIN_S, Newcomer

FOLLOWED_WITHIN_S = 10
"""Alerts looks every three seconds at least; the machine may be busy."""


async def test_a_void_ends_the_budgets_incident_with_that_reason_and_the_next_event_opens_another(
    system: System,
) -> None:
    """An event is 0.0035 USD, and 80 % of the budget are 0.004: two are above, one is not."""
    newcomer = Newcomer(system)
    asked = {"name": "All of it", "amount": "0.005", "period": "quarter", "thresholds_percent": ["80"]}
    newcomer.api.post("/v1/budgets", json=asked).raise_for_status()
    eventually("ingest knows the key", lambda: newcomer.send("e1"), KEY_WITHIN_S, every_s=0.5)
    assert newcomer.send("e2")

    def incidents(number: int, state: str) -> list[dict[str, Any]]:
        """The budget's, the newest first, once there are so many and the newest is in this state."""
        found = [each for each in newcomer.get("/v1/incidents")["incidents"] if each["kind"] == "budget"]
        return found if len(found) == number and found[0]["state"] == state else []

    eventually("an incident", lambda: incidents(1, "open"))
    void = {"kind": "retract", "source": "flow", "id": "e2", "reason": "a test run"}
    newcomer.api.post("/v1/corrections", json=void).raise_for_status()
    [over] = eventually("its end", lambda: incidents(1, "resolved"), FOLLOWED_WITHIN_S)
    assert over["resolution"] == (
        "corrected: spend fell to 0.0035 USD, below 80 % of 0.0050 USD (from 0.0070 USD)"
    )
    assert over["amount"] == "0.0035"
    assert over["title"] == "Corrected: budget All of it is below 80 %: 0.0035 of 0.005 USD spent"
    assert newcomer.send("e3")
    again, _ = eventually("another incident", lambda: incidents(2, "open"), FOLLOWED_WITHIN_S)
    assert again["title"] == "budget All of it passed 80 % again: 0.007 of 0.005 USD spent"
    newcomer.api.close()
