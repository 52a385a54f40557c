"""The HTTP client of the commands that send usage: where to, with which key, and again when it fails."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import typer

from cli._running import fail, running_state
from spendmeter.contracts.events import EVENT_TYPE, Labels

TIMEOUT_S = 20.0
RETRY_S_MAX = 120.0
RETRY_WAIT_S_MAX = 2.0
ERRORS_SHOWN_MAX = 5


@dataclass(frozen=True, kw_only=True)
class Access:
    """The system to talk to: base URLs without a slash at the end, and a key that may ingest and read."""

    ingest_url: str
    api_url: str
    key: str = field(repr=False)


class Refusal(Exception):
    """An answer that sending again cannot change; the text is for people."""

    def __init__(self, text: str, problem: dict[str, Any]) -> None:
        super().__init__(text)
        self.problem = problem

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The bad events, each with its index, field and reason; none where something else is wrong."""
        errors = self.problem.get("errors", [])
        return [error for error in errors if isinstance(error, dict) and error.get("index") is not None]


def access() -> Access:
    """From SPENDMETER_INGEST_URL, SPENDMETER_API_URL and SPENDMETER_API_KEY, else from the running system.
    Ends the command when neither says it."""
    ingest, api, key = settled("SPENDMETER_INGEST_URL", "SPENDMETER_API_URL", "SPENDMETER_API_KEY")
    return Access(ingest_url=ingest.rstrip("/"), api_url=api.rstrip("/"), key=key)


def settled(*names: str) -> list[str]:
    """Each name's value from the environment, else from the running system's state. Ends the command when
    neither has it."""
    missing = [name for name in names if not os.environ.get(name)]
    known: Mapping[str, str] = running_state().environment if missing else {}
    if unknown := [name for name in missing if name not in known]:
        fail(f"Spendmeter is still starting: {', '.join(unknown)} not known yet. See: spendmeter status")
    return [os.environ.get(name) or known[name] for name in names]


def http(access: Access) -> httpx.AsyncClient:
    """A client that authenticates; use as a context manager."""
    return httpx.AsyncClient(timeout=TIMEOUT_S, headers={"Authorization": f"Bearer {access.key}"})


async def post_events(client: httpx.AsyncClient, access: Access, events: Sequence[dict[str, Any]]) -> None:
    """Return when ingest has accepted them all. Sends again, with the same ids, while ingest is away or
    busy. Raises Refusal, or httpx.HTTPError when it stays away for RETRY_S_MAX."""
    import stamina

    stamina.instrumentation.set_on_retry_hooks([])  # a terminal is no place for its log lines
    async for attempt in stamina.retry_context(
        on=_worth_another, attempts=None, timeout=RETRY_S_MAX, wait_max=RETRY_WAIT_S_MAX
    ):
        with attempt:
            answer = await client.post(f"{access.ingest_url}/api/v1/events", json=events)
            if answer.is_client_error:
                raise refused(answer)
            answer.raise_for_status()


def _worth_another(error: Exception) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.is_server_error
    return isinstance(error, httpx.TransportError)


def refused(answer: httpx.Response) -> Refusal:
    """The answer as the refusal that it is."""
    try:
        problem = answer.json()
    except ValueError:
        problem = None
    known = isinstance(problem, dict)
    return Refusal(explained(answer), problem if known else {"status": answer.status_code})


def explained(answer: httpx.Response) -> str:
    """A problem+json answer in words."""
    try:
        problem = answer.json()
        lines = [f"{answer.status_code} {problem['title']}: {problem['detail']}"]
        errors = [
            error for error in problem.get("errors", []) if "index" in error
        ]  # else the detail has them
        lines += [
            f"  event {error['index']}: {error['field']} {error['reason']}"
            for error in errors[:ERRORS_SHOWN_MAX]
        ]
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} from {answer.request.url}"
    if len(errors) > ERRORS_SHOWN_MAX:
        lines.append(f"  and {len(errors) - ERRORS_SHOWN_MAX} more")
    return "\n".join(lines)


def usage_event(model: str, labels: Iterable[str], *, id: str, source: str) -> dict[str, Any]:
    """A usage event from what the arguments say, without its usage. Raises typer.BadParameter."""
    named = pairs(labels, "--label NAME=VALUE")
    if unknown := sorted(named.keys() - set(Labels.__struct_fields__)):
        known = ", ".join(Labels.__struct_fields__)
        raise typer.BadParameter(f"--label {unknown[0]}: there is no such label, there are {known}")
    provider, slash, sku = model.partition("/")
    if not (provider and slash and sku):
        raise typer.BadParameter(f"{model!r}: write PROVIDER/SKU, as in openai/gpt-4o")
    return {
        "specversion": "1.0",
        "type": EVENT_TYPE,
        "id": id,
        "source": source,
        "subject": source,
        "data": {"provider": provider.lower(), "sku": sku, "usage": {}, "labels": named},
    }


def instant(text: str, flag: str) -> str:
    """A date or a time in ISO format, in UTC where it names no zone. Raises typer.BadParameter."""
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{flag} {text!r}: write 2026-11-23 or 2026-11-23T10:00:00Z") from None


def pairs(items: Iterable[str], form: str = "NAME=VALUE") -> dict[str, str]:
    """Arguments such as `NAME=VALUE`. Raises typer.BadParameter."""
    found: dict[str, str] = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not (name and equals and value):
            raise typer.BadParameter(f"{item!r}: write {form}")
        if name in found:
            raise typer.BadParameter(f"{name} is given twice")
        found[name] = value
    return found
