"""Several messages in one: those of an incident that a channel has not had yet; a digest. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from spendmeter.contracts.incidents import Figure, IncidentEvent, TopContributor

DIGEST_NAMED_MAX = 20
"""Incidents that a digest names; of the rest it says how many they are."""
REPLACED_MAX = 20
_SEVERITIES = ("info", "warning", "critical")
_GOES_ON = ("grew", "repeated")
_VERBS = {
    "opened": "it opened",
    "updated": "its figures changed",
    "grew": "it grew",
    "repeated": "it began again",
    "acknowledged": "it was acknowledged",
    "resolved": "it was over",
}


def collapsed(events: Sequence[IncidentEvent], zone: ZoneInfo) -> IncidentEvent:
    """The newest of an incident's messages; it also says what the others, never delivered, would have.

    `events` in their order, one at least. What is no mere update decides which transition it is: the newest,
    but an incident that goes on opens where nobody heard of it.
    """
    newest, before = events[-1], events[:-1]
    told = [each.transition for each in events if each.transition != "updated"]
    news = [each for each in before if each.transition != "updated"]
    if not news:
        return newest
    replaced = [step for each in news for step in (*each.details.get("replaces", ()), _step(each))]
    replaced = replaced[-REPLACED_MAX:]
    steps = ", ".join(f"{_at(step['at'], zone)} {_VERBS[step['transition']]}" for step in replaced)
    return msgspec.structs.replace(
        newest,
        transition="opened" if "opened" in told and told[-1] in _GOES_ON else told[-1],
        summary=f"{newest.summary} Not told here before: {steps} ({zone.key}).",
        details={**newest.details, "replaces": replaced, "newest": told[-1]},
    )


def digest(events: Sequence[IncidentEvent], *, id: str, now: datetime) -> IncidentEvent:
    """One message of several incidents, the gravest first, each as a line; two at least.

    It is about no one scope and has no amounts of its own: sums over incidents would count money twice. `id`:
    what it is known by in place of an incident's id; the incidents are in `details`.
    """
    ordered = sorted(events, key=lambda each: (-_SEVERITIES.index(each.severity), each.at))
    named, rest = ordered[:DIGEST_NAMED_MAX], len(ordered) - DIGEST_NAMED_MAX
    lines = [f"({place}) {each.severity}: {each.title}" for place, each in enumerate(named, 1)]
    if rest > 0:
        lines.append(f"and {rest} more")
    over = sum(each.state == "resolved" for each in ordered)
    gravest = ordered[0]
    return IncidentEvent(
        incident_id=id, tenant=gravest.tenant, transition="digest", kind=gravest.kind,
        state="resolved" if over == len(ordered) else "open", rule="digest", rule_name="Digest",
        rule_revision=1, severity=gravest.severity, scope={}, at=now,
        began_at=min(each.began_at for each in ordered), currency="", amount="0", expected="0",
        rate_per_hour="0", expected_per_hour="0", of_which_provisional="0",
        top_contributor=TopContributor(),
        title=f"{len(ordered)} incidents, {over} of them over: {gravest.title}",
        summary="; ".join(lines) + ".", suggested_action=gravest.suggested_action, link=gravest.link,
        figures=[_figure("incidents", len(ordered)), _figure("over", over)],
        details={"incidents": [_line(each) for each in named], "more": max(rest, 0)},
    )  # fmt: skip


def _figure(label: str, number: int) -> Figure:
    return Figure(label=label, amount=str(number), unit="incidents", text=str(number))


def _line(event: IncidentEvent) -> dict[str, str]:
    names = "incident_id transition state kind severity title summary link".split()
    return {name: getattr(event, name) for name in names}


def _step(event: IncidentEvent) -> dict[str, Any]:
    return {
        "transition": event.details.get("newest", event.transition),
        "number": event.number,
        "at": event.at.isoformat(),
        "title": event.title,
    }


def _at(at: str, zone: ZoneInfo) -> str:
    return f"{datetime.fromisoformat(at).astimezone(zone):%Y-%m-%d %H:%M}"
