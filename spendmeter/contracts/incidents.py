"""What happened to an incident, on `alerts.events` and in every notification."""

from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct

IncidentKind = Literal[
    "budget",
    "anomaly",
    "unbooked",
    "forecast",
    "burn",
    "shift",
    "loop",
    "first",
    "drift",
    "silence",
    "unreserved",
]
"""budget: spend passed a threshold; forecast: it is expected to; burn: it goes so fast that the budget runs
out early. anomaly: a burst; shift: a lasting rise or a slow one; loop: one run or key that goes round and
round; first: a model, provider or key never seen, or one that wakes; drift: the same work became dearer.
unbooked: events of a key that were accepted and not booked; silence: something that should be heard of is
not. The amounts of these two are no money. unreserved: a key spends past what it reserved of hard budgets."""
IncidentSeverity = Literal["info", "warning", "critical"]
"""critical: somebody is to act now; warning: today; info: to know."""
IncidentState = Literal["open", "acknowledged", "resolved"]
Transition = Literal["opened", "updated", "grew", "repeated", "acknowledged", "resolved", "digest"]
"""grew: money that was not told yet, enough to be news, or another incident of the same cause, which is in
`details.parts`; repeated: it was over and began again. `updated` goes to the topic alone, and to channels
that show an incident in one place. digest: several incidents in one message, which are in
`details.incidents`; it has its own id and no amounts, and never comes to the topic."""
EVENTS = "events"
"""What an incident says in place of a currency where its amounts are numbers of events."""


class TopContributor(Struct, frozen=True, kw_only=True):
    """The series with the largest part of the amount; `share` of 1 as a decimal string."""

    dimensions: dict[str, str] = {}
    amount: str = "0"
    share: str = "0"


class Figure(Struct, frozen=True, kw_only=True):
    """One figure of an incident: exact in `amount` (a plain decimal string, in `unit`), rounded in `text`."""

    label: str
    amount: str
    unit: str
    """A currency, a currency per hour ("USD/h"), per "day" or "call", or "events"."""
    text: str


class IncidentEvent(Struct, frozen=True, kw_only=True):
    """One transition of one incident; amounts are plain decimal strings in `currency`.

    `amount` is the money since `began_at` (a budget's: since its period began; an anomaly's: until it was
    last over its expectation), `expected` what it is compared with (the budget's amount; what an anomaly's
    scope would have spent meanwhile). `peak_per_hour` is the highest rate seen; it stays. Of kind `unbooked`
    `currency` is "events": `amount` is how many were not booked in five minutes, `expected` from how many on
    that is told, `top_contributor` the outcome and the fault that most of them have.
    """

    type: Literal["spendmeter.incident.v1"] = "spendmeter.incident.v1"
    incident_id: str
    tenant: str
    transition: Transition
    state: IncidentState
    kind: IncidentKind
    rule: str
    """The budget's id, or the name of the anomaly rule."""
    rule_name: str
    rule_revision: int
    severity: IncidentSeverity = "warning"
    number: int = 0
    """Of the message, from 0; one that says more has a higher one."""
    repeats: int = 0
    """How often it was over and began again."""
    threshold_percent: str | None = None
    """Of a budget: the threshold that was crossed; of a burn: how many times its pace, in percent."""
    scope: dict[str, str]
    """Dimension to value; empty = the whole tenant."""
    at: datetime
    began_at: datetime
    currency: str
    amount: str
    expected: str
    rate_per_hour: str
    peak_per_hour: str = "0"
    expected_per_hour: str
    of_which_provisional: str
    top_contributor: TopContributor
    title: str = ""
    """The news in one line; its amounts are rounded."""
    figures: list[Figure] = []
    """What the incident says in numbers, each with its label, the most telling first."""
    key_names: dict[str, str] = {}
    """The names of the keys that the incident speaks of, by their ids."""
    link: str = ""
    """Where the portal shows the spend; '' = the installation has not said where its portal is."""
    summary: str
    suggested_action: str
    details: dict[str, Any] = {}
    """What its kind knows beyond the figures; amounts are plain decimal strings."""
    resolution: str = ""
    """Why it is over; '' = it is not."""


decode_incident = msgspec.json.Decoder(IncidentEvent).decode
encode_incident = msgspec.json.Encoder().encode
