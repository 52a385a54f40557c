"""A usage event as the arguments of `send`, `price` and `replay` describe it."""

import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cli._running import usage_error
from spendmeter.contracts.events import EVENT_TYPE, Labels


def usage_event(
    model: str,
    *,
    id: str,
    source: str,
    usage: Iterable[str] = (),
    labels: Iterable[str] = (),
    at: str = "",
    tier: str = "",
    region: str = "",
) -> dict[str, Any]:
    """The event; without a time where `at` is ''. Ends the command, naming the argument that is wrong."""
    provider, sku = provider_and_sku(model)
    named = pairs(labels, "--label NAME=VALUE")
    if unknown := sorted(named.keys() - set(Labels.__struct_fields__)):
        known = ", ".join(Labels.__struct_fields__)
        usage_error(f"--label {unknown[0]}: there is no such label, there are {known}")
    data: dict[str, Any] = {"provider": provider.lower(), "sku": sku}
    data |= {"usage": pairs(usage, "UNIT=NUMBER, as in input_tokens=2000"), "labels": named}
    if tier or region:
        tier = tier.lower() or "standard"
        data["context"] = {"service_tier": tier, "region": region, "batch": tier == "batch"}
    event = {"specversion": "1.0", "type": EVENT_TYPE, "id": id, "source": source, "subject": source}
    return event | ({"time": _instant(at)} if at else {}) | {"data": data}


def event_in(file: Path, *, id: str, source: str) -> dict[str, Any]:
    """The event in a file of JSON (`-`: what is piped in), under another id or source where one is given.
    Ends the command where it is none."""
    try:
        event = json.loads(sys.stdin.read() if str(file) == "-" else file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        usage_error(f"--file {file}: {error}")
    if not isinstance(event, dict):
        usage_error(f"--file {file}: is not one event, but {type(event).__name__}")
    event |= {name: value for name, value in (("id", id), ("source", source)) if value}
    if missing := [name for name in ("id", "source") if not isinstance(event.get(name), str)]:
        usage_error(f"--file {file}: has no {missing[0]}: give --{missing[0]}")
    return event


def provider_and_sku(model: str) -> tuple[str, str]:
    """The parts of PROVIDER/SKU; ends the command where it is none."""
    provider, slash, sku = model.partition("/")
    if not (provider and slash and sku):
        usage_error(f"{model!r}: write PROVIDER/SKU, as in openai/gpt-4o")
    return provider, sku


def pairs(items: Iterable[str], form: str) -> dict[str, str]:
    """Arguments such as `NAME=VALUE`; ends the command where one has not that form, or a name is repeated."""
    found: dict[str, str] = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not (name and equals and value):
            usage_error(f"{item!r}: write {form}")
        if name in found:
            usage_error(f"{name} is given twice")
        found[name] = value
    return found


def _instant(text: str) -> str:
    """A date or a time in ISO format, in UTC where it names no zone."""
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        usage_error(f"--at {text!r}: write 2026-11-23 or 2026-11-23T10:00:00Z")
