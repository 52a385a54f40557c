"""What several commands need to know of the running system."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, NoReturn

import typer

from deploy.local.home import Home
from deploy.local.state import SystemState, read_state
from spendmeter.platform import settings

ANSWER_SECONDS_MAX = 5.0
NO_PRICE = 3
"""Exit code of what prices: for some of it there is none, so it is bounded, or counted."""


class NoAnswer(Exception):
    """The api cannot be asked; the text says why."""


def fail(text: str, problem: Mapping[str, Any] | None = None) -> NoReturn:
    """Says what went wrong and ends the command with exit code 1. Where it was asked for JSON, whoever reads
    its output gets `problem`, or the text as one."""
    if not _told_as_json(problem or {"detail": text}):
        typer.echo(text, err=True)
    raise typer.Exit(1)


def misused(text: str) -> NoReturn:
    """Says which argument is wrong, ends the command with exit code 2; as JSON where that was asked for."""
    if _told_as_json({"title": "Usage", "detail": text}):
        raise typer.Exit(2)
    raise typer.BadParameter(text)


_AS_JSON: ContextVar[bool] = ContextVar("as_json", default=False)


def as_json(wanted: bool) -> bool:
    """The callback of an option --json: with it, what goes wrong is told as JSON too."""
    _AS_JSON.set(wanted)
    return wanted


def _told_as_json(problem: Mapping[str, Any]) -> bool:
    if _AS_JSON.get():
        typer.echo(json.dumps(problem, indent=2))
    return _AS_JSON.get()


def home() -> Home:
    return Home(settings.home())


def running_state() -> SystemState:
    """The state of the running system; ends the command, saying what to type, when there is none."""
    state = read_state(home())
    if state is None or not state.running:
        fail(f"Spendmeter is not running (home: {home().root}).\nStart it: make up, or spendmeter up")
    return state


def ask(environment: Mapping[str, str], path: str, *, key: str) -> Any:
    """The api's answer to GET; NoAnswer when there is none."""
    if "SPENDMETER_API_URL" not in environment:
        raise NoAnswer("the system is still starting")
    return get(environment["SPENDMETER_API_URL"] + path, {"Authorization": f"Bearer {key}"})


def get(url: str, headers: Mapping[str, str] | None = None) -> Any:
    """The JSON behind one of our own addresses; NoAnswer, with the reason, when it is not answered 200."""
    request = urllib.request.Request(url, headers=dict(headers or {}))  # noqa: S310 - http, from the supervisor
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS_MAX) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as refusal:
        with refusal:
            raise NoAnswer(f"{url} answered {refusal.code}") from refusal
    except (OSError, ValueError) as trouble:
        raise NoAnswer(f"{url} does not answer: {trouble}") from trouble


def read_counts(environment: Mapping[str, str]) -> dict[str, Any]:
    """Events in, booked, in flight and the rest of the accounting, in total; `in` and `in_flight` are None
    while nobody measures the log's ends, and `in_flight_age_s` says for how long. NoAnswer as `ask`."""
    total = ask(environment, "/v1/accounting", key=environment.get("SPENDMETER_ADMIN_KEY", "")).get("total")
    if total is None:
        raise NoAnswer("the api's answer to /v1/accounting has no total")
    counts = {
        name: int(total.get(name, 0)) for name in ("booked", "duplicate", "conflict", "rejected", "holes")
    }
    waiting = total.get("in_flight")
    passed = sum(counts[name] for name in ("booked", "duplicate", "conflict", "rejected"))
    return {
        "in": None if waiting is None else passed + waiting,
        **counts,
        "in_flight": waiting,
        "in_flight_age_s": total.get("in_flight_age_s"),
    }


def flying(counts: Mapping[str, Any]) -> str:
    """How much is in flight, in words: a figure that nobody measured just now is none."""
    if counts["in_flight"] is not None:
        return f"{counts['in_flight']:,}"
    age_s = counts["in_flight_age_s"]
    return "unknown (not measured yet)" if age_s is None else f"unknown (not measured for {age_s:.0f} s)"
