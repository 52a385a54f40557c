"""Re-rates as a terminal shows them: how far a job is, and what it changes."""

import time
from typing import Any

from cli._asking import ask
from cli._table import named, print_table
from cli._terminal import say

POLL_S = 0.5
PLAIN_LINE_S = 5.0
_COLUMNS = ("team", "model", "events", "before", "after", "difference", "")
_AMOUNTS = ("effective_before", "effective_after", "difference", "currency")
RUNNING = ("sent", "previewing", "applying")


def followed(job: Any, tenant: str) -> Any:
    """The job once it rests; meanwhile a bar on a terminal, elsewhere a line every few seconds."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    console, printed = Console(stderr=True), time.monotonic()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[events]}"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(job["state"], total=None, events="")
        while job["state"] in RUNNING:
            time.sleep(POLL_S)
            job = ask("GET", f"rerates/{job['rerate_id']}", tenant)
            if way := job["applied"] or job["preview"]:
                about, seen = way["about"], way["seen"]
                events = f"{seen:,}" if about is None else f"{seen:,} of {about:,}"
                bar.update(task, description=job["state"], total=about, completed=seen, events=events)
            if not console.is_terminal and time.monotonic() - printed > PLAIN_LINE_S:
                say(job["summary"], err=True)
                printed = time.monotonic()
    return job


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
