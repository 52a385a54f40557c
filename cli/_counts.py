"""Where the events of the running system are."""

from collections.abc import Mapping
from typing import Any

from cli._http import NoAnswer, get_json

OUTCOMES = ("booked", "duplicate", "conflict", "rejected")


def ask(environment: Mapping[str, str], path: str, *, key: str) -> Any:
    """The running api's answer to GET. Raises NoAnswer."""
    if "SPENDMETER_API_URL" not in environment:
        raise NoAnswer("the system is still starting")
    return get_json(environment["SPENDMETER_API_URL"] + path, key)


def read_counts(environment: Mapping[str, str]) -> dict[str, Any]:
    """Events in, booked, in flight and the rest of the accounting, in total; `in` and `in_flight` are None
    while nobody measures the log's ends, and `in_flight_age_s` says for how long. `remarks`: the money under
    them, as the accounting says it; `proved_until`: up to when all is proved. NoAnswer as `ask`."""
    answer = ask(environment, "/v1/accounting", key=environment.get("SPENDMETER_ADMIN_KEY", ""))
    total = answer.get("total")
    if total is None:
        raise NoAnswer("the api's answer to /v1/accounting has no total")
    counts = {name: int(total.get(name, 0)) for name in (*OUTCOMES, "holes")}
    waiting = total.get("in_flight")
    came_in = None if waiting is None else sum(counts[name] for name in OUTCOMES) + waiting
    ages = {"in_flight": waiting, "in_flight_age_s": total.get("in_flight_age_s")}
    rest = {"remarks": answer.get("remarks", []), "proved_until": answer.get("proved_until")}
    return {"in": came_in, **counts, **ages, **rest}


def in_flight_text(counts: Mapping[str, Any]) -> str:
    """How much is in flight, in words: a figure that nobody measured just now is none."""
    if counts["in_flight"] is not None:
        return f"{counts['in_flight']:,}"
    age_s = counts["in_flight_age_s"]
    return "unknown (not measured yet)" if age_s is None else f"unknown (not measured for {age_s:.0f} s)"


def proved_text(until: str | None) -> str:
    """Up to when all of the book is proved, in words."""
    return f"proved up to {until[:19]}Z" if until else "nothing is proved yet"
