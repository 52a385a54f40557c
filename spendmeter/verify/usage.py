"""Reads a usage event as the design document states it: own decoding, own identity, own idea of sameness."""

import json
import marshal
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

LABELS = ("team", "project", "feature", "workflow", "workflow_version", "agent", "environment")
QUANTITY_LIMIT = 2**63
NORMAL_FORM_C_FROM = datetime(2026, 11, 25, 18, tzinfo=UTC)
"""Earlier labels stayed as they were sent."""
SUPERSEDES_FROM = datetime(2026, 11, 26, 4, tzinfo=UTC)
"""Earlier it was a field that nobody knew."""
OWN_FROM = datetime(2026, 11, 26, 7, tzinfo=UTC)
"""Earlier events have no dimensions of their tenant's own."""
HOW_IT_CAME_FROM = datetime(2026, 11, 26, 18, tzinfo=UTC)
"""Earlier, what is estimated or assumed were fields that nobody knew."""
FOLDED_LABELS_FROM = datetime(2026, 11, 26, 19, tzinfo=UTC)
"""Earlier a tenant's own dimensions alone were folded."""
FOLDED = "~other"
"""What stands for the values of a dimension that ingest says are folded."""
SENDERS_MAX = 1_000
"""Pairs of tenant and source whose part of an identity is remembered: most senders send many events."""
CHARGE = "spendmeter.charge.v1"
"""The type of what is no usage: a row of a bill, in `data.charge`, with amounts that have a sign."""
_SIGNED = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,24})?", re.ASCII)
_FIGURES = ("list", "contracted", "effective", "billed", "quantity")
_WRITTEN = re.compile(r"[0-9]{1,18}(\.[0-9]{1,12})?", re.ASCII)

UsageQuantity = int | Decimal


class Unreadable(ValueError):
    """The bytes are no usage event; the text says why."""


class EventReading(NamedTuple):
    """What one event says."""

    tenant: str
    source: str
    id: str
    provider: str
    sku: str
    time: datetime
    usage: dict[str, UsageQuantity]
    dimensions: tuple[str, ...]
    """In the order of the table `series`; then the tenant's own, as "name=value", in that of their names."""
    body: dict[str, Any]

    @property
    def plain_terms(self) -> bool:
        """Whether it was served on the terms that a table of plain list prices states."""
        context = self.body["data"].get("context")
        if not context:
            return True
        special = context.get("region") or context.get("batch")
        return context.get("service_tier", "standard") == "standard" and not special

    @property
    def reported(self) -> Mapping[str, str] | None:
        """What its sender, whose word counts, says that it cost: {amount, currency}."""
        cost: Mapping[str, str] | None = self.body["data"].get("reported_cost")
        return cost if self.body.get("trustreportedcost") else None

    @property
    def charge(self) -> Mapping[str, Any] | None:
        """What its bill says, where it is a row of one: {list, contracted, effective, currency, ...}."""
        if self.body.get("type") != CHARGE:
            return None
        charge: Mapping[str, Any] = self.body["data"]["charge"]
        return charge

    def __str__(self) -> str:
        return f"{self.tenant} {self.source}/{self.id}"


def decode(raw: bytes | str) -> Any:
    """JSON without floats: every number with a point is a Decimal. Raises Unreadable."""
    try:
        text = raw if isinstance(raw, str) else raw.decode("utf-8")
        if text.startswith(("{", "[")):
            value, end = _DECODER.raw_decode(text)
            if end == len(text):
                return value
        return _DECODER.decode(text)  # with blanks around it, or nothing that we want
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise Unreadable(f"is not JSON: {error}") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_no_constant)


def read(raw: bytes | str | None) -> EventReading:
    """The event in `raw`. Raises Unreadable."""
    body = decode(raw or b"")
    try:
        data = body["data"]
        labels = _told_labels(body)
        usage, sold = quantities(data["usage"]), data.get("cost_class", "model")
        provider, sku = data["provider"], data["sku"]
        names = (body["tenant"], body["source"], body["id"], provider, sku)
        for name in names:
            if not (name and name.isascii()):
                _check_name(name)
        if body.get("type") == CHARGE:
            _check_charge(body)
        event = EventReading(
            *names,
            datetime.fromisoformat(body["time"]).astimezone(UTC),
            usage,
            (sold, provider, sku, *labels, body.get("keyid", ""), *_own_told(body)),
            body,
        )
    except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        raise Unreadable(f"is no usage event: {type(error).__name__} {error}") from None
    if not usage and event.charge is None:
        raise Unreadable("names no usage")
    return event


def _check_charge(body: Mapping[str, Any]) -> None:
    """Raises ValueError for a row of a bill that is none."""
    charge = body["data"]["charge"]
    if body["data"]["usage"] or not re.fullmatch("[A-Z]{3}", charge["currency"], re.ASCII):
        raise ValueError("a charge in a currency, and no usage")
    for name in ("list", "contracted", "effective"):
        if not _SIGNED.fullmatch(charge[name]):
            raise ValueError(f"{name} is no amount")


def _labels(body: Mapping[str, Any]) -> dict[str, str]:
    """The labels, in Unicode's normal form C for what was received since that is the rule."""
    labels: dict[str, str] = body["data"].get("labels") or {}
    if "own" in labels or "folded" in labels:
        labels = {name: label for name, label in labels.items() if name not in ("own", "folded")}
    for label in labels.values():
        if not label.isascii():
            break
    else:
        return labels  # as nearly all are: they have but one form
    if _before(body, NORMAL_FORM_C_FROM):
        return labels
    return {name: unicodedata.normalize("NFC", label) for name, label in labels.items()}


def _told_labels(body: Mapping[str, Any]) -> list[str]:
    """What the series says of the labels that everybody has."""
    labels = _labels(body)
    told = [labels.get(name, "") for name in LABELS]
    folded = (body["data"].get("labels") or {}).get("folded")
    if not folded or _before(body, FOLDED_LABELS_FROM):
        return told
    return [FOLDED if name in folded else value for name, value in zip(LABELS, told, strict=True)]


def _before(body: Mapping[str, Any], rule: datetime) -> bool:
    """Whether it was received before a rule's first instant."""
    received = body.get("receivedat")
    return received is not None and datetime.fromisoformat(received) < rule


def _own(body: Mapping[str, Any]) -> dict[str, str]:
    """What it says of its tenant's own dimensions, by name."""
    own: dict[str, str] | None = (body["data"].get("labels") or {}).get("own")
    if not own or _before(body, OWN_FROM):
        return {}
    return {name: unicodedata.normalize("NFC", own[name]) for name in sorted(own) if own[name]}


def _own_told(body: Mapping[str, Any]) -> list[str]:
    own = _own(body)
    folded = body["data"]["labels"].get("folded") or () if own else ()
    return [f"{name}={FOLDED if name in folded else value}" for name, value in own.items()]


def stated_labels(body: Mapping[str, Any]) -> dict[str, str]:
    """All that an event on the topic says of whose it is, as a sender says it: own dimensions are labels."""
    return _labels(body) | _own(body)


def quantities(usage: Mapping[str, object]) -> dict[str, UsageQuantity]:
    """Each one checked. Raises ValueError."""
    return {
        unit: value if type(value) is int and 0 <= value < QUANTITY_LIMIT else quantity(value)
        for unit, value in usage.items()
    }


def quantity(value: object) -> UsageQuantity:
    """A quantity of at least 0 and below 2^63. Raises ValueError."""
    if type(value) is int and 0 <= value < QUANTITY_LIMIT:
        return value
    if isinstance(value, str) and _WRITTEN.fullmatch(value):
        value = Decimal(value)
    if not isinstance(value, Decimal) or not 0 <= value < QUANTITY_LIMIT:
        raise ValueError(f"{value!r:.40} is no quantity")
    return value


def identity(tenant: str, source: str, id: str) -> bytes:
    """BLAKE2b-128 over the three, each preceded by its length in UTF-8 as four bytes."""
    return blake2b(_sender(tenant, source) + _prefixed(id), digest_size=16).digest()


@lru_cache(maxsize=SENDERS_MAX)
def _sender(tenant: str, source: str) -> bytes:
    return _prefixed(tenant) + _prefixed(source)


def superseded(event: EventReading) -> bytes | None:
    """The identity of the submission whose place the event says to take; None = of none."""
    named = event.body.get("supersedes")
    if not named or _before(event.body, SUPERSEDES_FROM):
        return None
    return identity(event.tenant, event.body.get("supersedessource") or event.source, named)


def _prefixed(text: str) -> bytes:
    raw = text.encode()
    return len(raw).to_bytes(4, "big") + raw


def content_digest(event: EventReading) -> bytes:
    """Equal for two copies that say the same: without times, key, trace, user label and unknown fields."""
    body, data = event.body, event.body["data"]
    labels, context = _labels(body), data.get("context") or {}
    performance, outcome = data.get("performance") or {}, data.get("outcome")
    content = {
        "event": [body.get("type"), body.get("subject"), event.tenant, event.source, event.id],
        "sold": [data.get("cost_class", "model"), event.provider, event.sku],
        "tier": context.get("service_tier", "standard"),
        "served": [context.get("region", ""), context.get("batch", False)],
        "usage": _quantities(event.usage),
        "labels": {name: labels.get(name, "") for name in (*LABELS, "run")},
        "performance": [performance.get("latency_ms"), performance.get("status", "")],
        "outcome": outcome and [outcome.get("name"), outcome.get("count", 1), _amount(outcome.get("value"))],
        "cost": [body.get("trustreportedcost", False), _amount(data.get("reported_cost"))],
        "own": _own(body),
    }
    if body.get("supersedes") and not _before(body, SUPERSEDES_FROM):
        content["supersedes"] = [body.get("supersedessource") or event.source, body["supersedes"]]
    content |= _how_it_came(body)
    if event.charge is not None:
        content["charge"] = {
            name: _plain(Decimal(said)) if name in _FIGURES and said else said
            for name, said in event.charge.items()
            if said not in ("", {}, False)
        }
    whole = json.dumps(content, sort_keys=True).encode("utf-8", "surrogatepass")
    return blake2b(whole, digest_size=8).digest()


def _how_it_came(body: Mapping[str, Any]) -> dict[str, Any]:
    """What of it is estimated or assumed, and how spend of its kind arrives, where it says so."""
    data = body["data"]
    if _before(body, HOW_IT_CAME_FROM):
        return {}
    said = {
        "estimated": sorted(data.get("estimated") or ()),
        "normalised": data.get("normalised", "stated"),
        "cadence": data.get("cadence", "live"),
    }
    return {} if said == {"estimated": [], "normalised": "stated", "cadence": "live"} else {"came": said}


def metered_digest(
    provider: str, sku: str, usage: Mapping[str, UsageQuantity], labels: Mapping[str, str]
) -> bytes:
    """Equal for a submission and its event: what was used and whose it is (the user label, which ingest
    replaces, left out)."""
    said = [
        (name, label if label.isascii() else unicodedata.normalize("NFC", label))
        for name, label in labels.items()
        if label and name != "user"
    ]
    used = [(unit, value if type(value) is int else _shortest(value)) for unit, value in usage.items()]
    # Format 0: equal values have equal bytes, each with its length, and nothing is faster to make.
    whole = marshal.dumps((provider, sku, sorted(used), sorted(said)), 0)
    return blake2b(whole, digest_size=8).digest()


def _shortest(value: UsageQuantity) -> int | str:
    """One form for each quantity, however it was written."""
    whole = int(value)
    return whole if whole == value else _plain(value)


def _quantities(usage: Mapping[str, UsageQuantity]) -> dict[str, str]:
    return {unit: str(value) if type(value) is int else _plain(value) for unit, value in usage.items()}


def _plain(value: UsageQuantity) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _amount(value: Mapping[str, str] | None) -> list[str] | None:
    return None if value is None else [_plain(Decimal(value["amount"])), value["currency"]]


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name:
        raise ValueError("a name is missing")
    name.encode()  # a lone surrogate is no text
