"""Re-rates as a terminal shows them: how far a job is, and what it changes."""

from typing import Any

from cli._following import until_it_rests
from cli._table import named, print_table
from cli._terminal import say

_COLUMNS = ("team", "model", "events", "before", "after", "difference", "")
_AMOUNTS = ("effective_before", "effective_after", "difference", "currency")
RUNNING = ("sent", "previewing", "applying")


def followed(job: Any, tenant: str) -> Any:
    """The job once it rests."""
    return until_it_rests(job, f"rerates/{job['rerate_id']}", tenant, running=RUNNING, shown=_shown)


def _shown(job: Any) -> dict[str, Any]:
    way = job["applied"] or job["preview"]
    if not way:
        return {"description": job["state"]}
    about, seen = way["about"], way["seen"]
    events = f"{seen:,}" if about is None else f"{seen:,} of {about:,}"
    return {"description": job["state"], "total": about, "completed": seen, "more": events}


def print_job(job: Any) -> None:
    """What it changes, or would, by team and model and by cause; what stays; and what comes next."""
    say(f"re-rate {job['rerate_id']} by catalog version {job['version']}: {job['summary']}")
    say(f"asked for by {job['author']}: {job['reason']}")
    way = job["applied"] or job["preview"]
    if way and way["differences"]:
        print_table(_COLUMNS, map(_difference, way["differences"]))
    for each in way["causes"] if way else ():
        amounts = f"{each['effective_before']} -> {each['effective_after']} {each['currency']}"
        say(f"because of {each['cause']}: {each['events']:,} events, {amounts} ({each['difference']})")
    for each in way["left"] if way else ():
        say(f"stays: {each['source']}/{each['id']}: {each['reason']}")
    if job["state"] == "previewed" and way and way["changed"]:
        say(f"next: spendmeter rerates apply {job['rerate_id']}")


def _difference(each: Any) -> list[str]:
    model = f"{each['provider']}/{each['sku']}"
    return [named(each["team"]), model, f"{each['events']:,}", *(each[name] for name in _AMOUNTS)]
