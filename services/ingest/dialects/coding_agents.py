"""What coding agents (Claude Code, Codex, Gemini CLI) say of a call and of whose it is, alike in all signals.

Each tells of the same calls by several signals, so one of them is priced (`TenantMaps.signal_of`) and the
others are repeats. A call has one identity, whichever it comes by: `claude_identity`, `moment_identity`.
Which attributes these tools send is documented by their makers (docs/coding-agents.md). Pure.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from services.ingest.dialects.call_ids import call_identity
from services.ingest.dialects.otlp_items import Attributes
from services.ingest.dialects.translated import SaidEvent, short_id, usage_event
from spendmeter.contracts.dialect_parts import DialectError, UsedQuantity
from spendmeter.contracts.dialects import Normalised, disjoint
from spendmeter.contracts.label_maps import AGENT_TOOLS, can_be_label
from spendmeter.contracts.money import divided, plain
from spendmeter.contracts.otel_names import OTEL

CLAUDE, CODEX, GEMINI = AGENT_TOOLS
COWORK = "claude-cowork"
"""Claude Code inside the desktop application: told apart by its label alone."""
OTLP = "otlp"
"""The source of everything that has no identity of its vendor's: a Collector may rename the service."""
DIGITS_MAX = 19
WHOLE_MAX = 10**18
REPORTED_USD_MAX = 10**9
"""Of one call: no price list says more, and a number that is written short may be endless in full."""
UNKNOWN = "unknown"
"""The model of a call that names none: seen, and priced as unknown things are."""
_AMOUNT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,18})?([eE][-+]?[0-9]{1,2})?")
"""Of money in a text: Decimal itself takes more than that."""
LONG_CONTEXT = "[1m]"
"""What Claude Code puts behind a model's name where it has opened its window: no other model, nor price."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NS_MAX = 2**63
"""What exporters can count of: JSON has larger numbers, of which none is a time."""

_STATED = {
    "team": ("cost.team", "team", "team.id"),
    "project": ("cost.project",),
    "feature": ("cost.feature",),
    "workflow": ("cost.workflow", "workflow.name"),
    "workflow_version": ("cost.workflow_version",),
    "run": ("session.id", "conversation.id"),
    "environment": ("deployment.environment.name", "deployment.environment", "env"),
    "user": ("user.email", "enduser.id", "user.account_uuid", "user.account_id", "user.id"),
}
"""A label, and the attributes that state it, of the call itself or of its process: the first one present
counts. A user leaves the door as a pseudonym, so the attribute that all tools have of a person goes first."""
REQUEST_IDS = ("request_id", "gen_ai.response.id")
"""By logs, and by spans of earlier releases."""
_CLAUDE_COUNTS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_tokens": "cache_read_input_tokens",
    "cache_creation_tokens": "cache_creation_input_tokens",
}
"""An attribute, and what the Messages API calls the same count: input without what is cached."""
_CODEX_COUNTS = (
    "input_token_count",
    "output_token_count",
    "cached_token_count",
    "cache_write_token_count",
    "reasoning_token_count",
)
_GEMINI_COUNTS = {
    "input_token_count": "prompt_token_count",
    "output_token_count": "candidates_token_count",
    "cached_content_token_count": "cached_content_token_count",
    "thoughts_token_count": "thoughts_token_count",
    "tool_token_count": "tool_use_prompt_token_count",
}
"""An attribute, and what Gemini calls the same count: thoughts lie beside the answer."""
_OF_A_MOMENT = {CODEX: ("model", *_CODEX_COUNTS), GEMINI: ("model", "prompt_id", *_GEMINI_COUNTS)}
"""What a call says that states no id."""
ATTRIBUTES = frozenset(
    [
        *(name for names in _STATED.values() for name in names),
        *_CLAUDE_COUNTS,
        *_CODEX_COUNTS,
        *_GEMINI_COUNTS,
        *REQUEST_IDS,
        *"event.name event.kind event.timestamp event.sequence service.name".split(),
        *"client_request_id prompt_id model speed service_tier".split(),
        *"cost_usd cost_usd_micros duration_ms error.message".split(),
    ]
)
"""All that is ever looked at, beside what a tenant's maps name."""


class UnreadableCall(ValueError):
    """An attribute that should say how much was used and does not: `field` is its name, `reason` the rule."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field} {reason}")
        self.field = field
        self.reason = reason


def claude_call(call: Attributes, labels: Mapping[str, str], time_ns: int, status: str) -> SaidEvent | None:
    """The event of one request of Claude Code's; None = it says nothing of usage. Raises UnreadableCall."""
    counts = {ours: whole(call, name) for name, ours in _CLAUDE_COUNTS.items()}
    if counts["input_tokens"] is None and counts["output_tokens"] is None:
        return None
    quantities, normalised = _disjoint("anthropic", counts)
    source, call_id = claude_identity(call, time_ns)
    model = text(call, "model").removesuffix(LONG_CONTEXT) or UNKNOWN
    return usage_event(
        id=call_id,
        source=source,
        provider=_claude_seller(model),
        sku=model,
        usage=quantities,
        time=happened(call, time_ns),
        context={"service_tier": "fast"} if call.get("speed") == "fast" else None,
        labels=labels,
        performance={"latency_ms": duration_ms(call), "status": status},
        reported_cost=_claude_cost(call),
        # How long what it wrote to a cache will live, five minutes or an hour, it does not say.
        normalised="assumed" if counts["cache_creation_input_tokens"] else normalised,
    )


def codex_call(call: Attributes, labels: Mapping[str, str], time_ns: int, ordinal: int) -> SaidEvent | None:
    """The event of one response of Codex'; None = it says nothing of usage. `ordinal`: which it is of those
    that say the same of the same moment, from 1. Raises UnreadableCall."""
    counts = {name: whole(call, name) for name in _CODEX_COUNTS}
    if counts["input_token_count"] is None and counts["output_token_count"] is None:
        return None
    inside = {"cached_tokens": "cached_token_count", "cache_write_tokens": "cache_write_token_count"}
    said = {
        "input_tokens": counts["input_token_count"],
        "input_tokens_details": {name: counts[theirs] for name, theirs in inside.items()},
        "output_tokens": counts["output_token_count"],
        "output_tokens_details": {"reasoning_tokens": counts["reasoning_token_count"]},
    }
    tier = text(call, "service_tier")
    return _call_of_a_moment(
        CODEX,
        call,
        labels,
        time_ns,
        ordinal,
        used=_disjoint("openai", said),
        provider="openai",
        context={"service_tier": tier} if tier else None,
    )


def gemini_call(call: Attributes, labels: Mapping[str, str], time_ns: int, ordinal: int) -> SaidEvent | None:
    """The same of a response of Gemini CLI's."""
    counts = {ours: whole(call, name) for name, ours in _GEMINI_COUNTS.items()}
    if counts["prompt_token_count"] is None and counts["candidates_token_count"] is None:
        return None
    used = _disjoint("gemini", counts)
    return _call_of_a_moment(GEMINI, call, labels, time_ns, ordinal, used=used, provider="google")


def _call_of_a_moment(
    tool: str,
    call: Attributes,
    labels: Mapping[str, str],
    time_ns: int,
    ordinal: int,
    *,
    used: tuple[dict[str, UsedQuantity], Normalised],
    provider: str,
    context: Mapping[str, Any] | None = None,
) -> SaidEvent:
    quantities, normalised = used
    return usage_event(
        id=moment_identity(tool, call, time_ns) + (f"#{ordinal}" if ordinal > 1 else ""),
        source=OTLP,
        provider=provider,
        sku=text(call, "model") or UNKNOWN,
        usage=quantities,
        time=happened(call, time_ns),
        context=context,
        labels=labels,
        performance={"latency_ms": duration_ms(call), "status": "ok"},
        normalised=normalised,
    )


def claude_identity(call: Attributes, time_ns: int) -> tuple[str, str]:
    """The source and the id of a request of Claude Code's: its request id, at whatever door and by whatever
    signal it comes; else the client's, else session, sequence and moment, for a session that is resumed may
    count from the start again."""
    request = first_text(REQUEST_IDS, call)
    if vendors := call_identity("anthropic", request):
        return vendors
    if known := request or text(call, "client_request_id"):
        return OTLP, short_id(f"{CLAUDE}:{known}")
    session, sequence = text(call, "session.id"), text(call, "event.sequence")
    return OTLP, short_id(f"{CLAUDE}:{session}:{sequence}:{_moment(call, time_ns)}")


def moment_identity(tool: str, call: Attributes, time_ns: int) -> str:
    """The id of a call that states none: its conversation, its moment, and what it says."""
    said = [text(call, name) for name in _OF_A_MOMENT[tool]]
    digest = blake2b("\0".join(said).encode(), digest_size=8).hexdigest()
    conversation = first_text(("conversation.id", "session.id"), call)
    return short_id(f"{tool}:{conversation}:{_moment(call, time_ns)}:{digest}")


def agent_of(resource: Attributes) -> str:
    """The coding agent that a process is, by the name of its service; '' = none."""
    service = text(resource, "service.name")
    return next((tool for tool, names in OTEL.agents.items() if service in names.services), "")


def agent_labels(tool: str, item: Attributes, resource: Attributes) -> dict[str, str]:
    """Whose spend it is, as far as the tool says."""
    labels = {"agent": tool}
    for label, names in _STATED.items():
        if found := first_text(names, item, resource):
            labels[label] = found.lower() if label == "user" else found
    # the money of an exporter's event is worth more than a strange label
    return {label: value for label, value in labels.items() if can_be_label(value)}


def whole(attributes: Attributes, name: str) -> int | None:
    """A count, which these tools send as a number or as digits; None = not stated. Raises UnreadableCall."""
    value = attributes.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, str) and len(value) <= DIGITS_MAX and value.isascii() and value.isdecimal():
        return int(value)
    if isinstance(value, Decimal) and value.is_finite() and abs(value) < WHOLE_MAX and value == int(value):
        value = int(value)
    if type(value) is not int or value < 0:
        raise UnreadableCall(name, "must be a whole number of at least 0")
    return value


def text(attributes: Attributes, name: str) -> str:
    """An attribute as a text; '' = not stated, or none that can be written as one."""
    value = attributes.get(name)
    if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
        return str(value)
    return ""


def first_text(names: Iterable[str], *of: Attributes) -> str:
    """The first of these attributes that any of them states."""
    return next(filter(None, (text(attributes, name) for name in names for attributes in of)), "")


def happened(attributes: Attributes, time_ns: int) -> datetime | None:
    """When it did: as the event says, else as its record does; None = neither does."""
    try:
        said = datetime.fromisoformat(text(attributes, "event.timestamp"))
    except ValueError:
        said = EPOCH
    if said.tzinfo is not None and said > EPOCH:
        return said
    return EPOCH + timedelta(microseconds=time_ns // 1000) if 0 < time_ns < NS_MAX else None


def duration_ms(attributes: Attributes) -> int | None:
    """How long a call took; None = it does not say so in a way that can be read."""
    try:
        return whole(attributes, "duration_ms")
    except UnreadableCall:
        return None


def _disjoint(dialect: str, said: Mapping[str, Any]) -> tuple[dict[str, UsedQuantity], Normalised]:
    try:
        return disjoint(dialect, said)
    except DialectError:
        raise UnreadableCall("usage", "has parts that exceed their total") from None


def _claude_cost(call: Attributes) -> dict[str, str] | None:
    """What Claude Code holds it to have cost, by its list of prices: compared with what we make of it."""
    for name, per_usd in (("cost_usd", 1), ("cost_usd_micros", 1_000_000)):
        value = call.get(name)
        if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
            continue
        if isinstance(value, str) and not _AMOUNT.fullmatch(value):
            continue
        amount = Decimal(value)
        if amount.is_finite() and 0 <= amount < REPORTED_USD_MAX:
            return {"amount": plain(divided(amount, Decimal(per_usd))), "currency": "USD"}
    return None


def _claude_seller(model: str) -> str:
    """Through whom Claude Code asked, by how its model is written."""
    if "anthropic." in model or model.startswith("arn:aws"):
        return "aws"
    return "vertex_ai" if "@" in model else "anthropic"


def _moment(attributes: Attributes, time_ns: int) -> str:
    return text(attributes, "event.timestamp") or str(time_ns)
