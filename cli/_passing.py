"""What passes on `usage.rated`, as people and programs read it: one line each. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from spendmeter.contracts.rated import PassedHoles, Rated, RatedUsage, RejectedUsage, decode_rated
from spendmeter.contracts.series import Series

REJECTED = "rejected"
_NO_RECORD = "a record that this release cannot read"


def passing(record: bytes) -> dict[str, Any] | None:
    """What a record says; None = nothing of an event."""
    try:
        rated: Rated = decode_rated(record)
    except msgspec.MsgspecError:
        return {"status": _NO_RECORD}
    if isinstance(rated, PassedHoles):
        return None
    return _rejected(rated) if isinstance(rated, RejectedUsage) else _priced(rated)


def is_wanted(said: Mapping[str, Any], filters: Sequence[tuple[str, str]]) -> bool:
    """Whether it has all of these: values of one name are each good enough."""
    wanted: dict[str, set[str]] = {}
    for name, value in filters:
        wanted.setdefault(name, set()).add(value)
    labels = said.get("dimensions", {})
    return all(str(said.get(name) or labels.get(name, "")) in values for name, values in wanted.items())


def line_of(said: Mapping[str, Any]) -> str:
    """For people."""
    who = f"{said.get('source', '')}/{said.get('id', '')}"
    if "effective" not in said:
        return " ".join(
            filter(None, (said["status"], said.get("tenant"), who.strip("/"), said.get("reason")))
        )
    dimensions = dict(said["dimensions"])
    model = f"{dimensions.pop('provider', '')}/{dimensions.pop('sku', '')}"
    used = " ".join(f"{unit}={quantity}" for unit, quantity in said["usage"].items())
    labels = " ".join(f"{name}={value}" for name, value in dimensions.items() if name not in _NOT_SHOWN)
    parts = [f"{said['time'][11:19]} {said['status']}", said["tenant"], model]
    return "  ".join(filter(None, [*parts, f"{said['effective']} {said['currency']}", used, labels, who]))


_NOT_SHOWN = frozenset({"cost_class", "key_id"})


def _priced(rated: RatedUsage) -> dict[str, Any]:
    event = msgspec.json.decode(rated.event)
    series = msgspec.json.decode(rated.series, type=Series)
    return {
        "time": rated.time.isoformat(),
        "tenant": rated.tenant,
        "status": rated.status,
        "effective": rated.effective,
        "list": rated.list,
        "currency": rated.currency,
        "dimensions": series.named(),
        "usage": rated.usage,
        "source": event.get("source", ""),
        "id": event.get("id", ""),
        "run": event.get("data", {}).get("labels", {}).get("run", ""),
        "catalog_version": rated.catalog_version,
    }


def _rejected(rated: RejectedUsage) -> dict[str, Any]:
    said = {name: getattr(rated, name) for name in ("tenant", "key_id", "source", "id", "reason")}
    return {"status": REJECTED} | said
