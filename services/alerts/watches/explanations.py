"""What explains the bursts that are about to be told: asked for some seconds, else told without."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from services.alerts.cause.explaining import explained
from services.alerts.cause.reader import CauseQuestion
from services.alerts.counting.counter_reader import Turn
from services.alerts.incidents.incident import Incident
from services.alerts.rules import TenantRules
from services.alerts.watches.look import Shared
from spendmeter.platform.postgres import CONNECTION_ERRORS

EXPLAIN_S_MAX = 4.0
"""All of them together: people are told within seconds, explained or not."""
EXPLAINED_MAX = 3
"""The largest of those that open at once."""
NAMED_BETTER_FOR = timedelta(minutes=2)
"""Where the book had no time as an incident opened, its updates ask again for so long."""
BEGAN_AGE_MAX = timedelta(hours=1)
"""What began before is no opening: its first message explained it."""


async def explanations(
    shared: Shared,
    turn: Turn,
    rules: TenantRules,
    incidents: Sequence[Incident],
    now: datetime,
    known: Sequence[Incident],
) -> Mapping[bytes, Mapping[str, Any]]:
    """By the digest of the incident's scope, as its `details` keep it. What `known` ones within it are about
    is left out: it has been explained."""
    fresh = [each for each in incidents if now - each.began_at <= BEGAN_AGE_MAX]
    largest = sorted(fresh, key=lambda each: each.expected - each.amount)[:EXPLAINED_MAX]
    found: dict[bytes, Mapping[str, Any]] = {}
    try:
        async with asyncio.timeout(EXPLAIN_S_MAX):
            for incident in largest:
                inside = [each.scope for each in known if incident.scope.items() < each.scope.items()]
                keys = await shared.bill_keys.keys_of(incident.tenant) if shared.bill_keys else ()
                question = CauseQuestion(
                    tenant=incident.tenant, calendar=rules.calendar, currency=incident.currency,
                    scope=incident.scope, began=incident.began_at, now=now, bill_keys=keys,
                    without=inside,
                )  # fmt: skip
                explanation = await explained(shared.pool, turn, shared.finder, question)
                found[incident.scope_digest] = explanation.details()
    except CONNECTION_ERRORS:
        shared.meters.add("spendmeter.alerts.unexplained")
    return found


def may_be_named_better(incident: Incident, now: datetime) -> bool:
    """Whether it has just opened, and no combinations could be looked at in time."""
    explanation = incident.details.get("explanation", {"narrowed": False})
    return not explanation["narrowed"] and now - incident.opened_at <= NAMED_BETTER_FOR
