"""Re-rates as a terminal shows them: how far a job is, and what it changes."""

import sys
import time
from typing import Any

import typer

from cli._correcting import ask

POLL_S = 0.5
PLAIN_LINE_S = 5.0
PLAIN_WIDTH = 200
"""Of a table that goes into a file: nothing of it is cut."""
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
        TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(job["state"], total=1)
        while job["state"] in RUNNING:
            time.sleep(POLL_S)
            job = ask("GET", f"rerates/{job['rerate_id']}", tenant)
            if way := job["applied"] or job["preview"]:
                bar.update(task, description=job["state"], total=max(way["about"], 1), completed=way["seen"])
            if not console.is_terminal and time.monotonic() - printed > PLAIN_LINE_S:
                typer.echo(job["summary"], err=True)
                printed = time.monotonic()
    return job


def print_job(job: Any) -> None:
    """What it changes, or would, by team and model and by cause; what stays; and what comes next."""
    from rich.console import Console
    from rich.table import Table

    typer.echo(f"re-rate {job['rerate_id']} by catalog version {job['version']}: {job['summary']}")
    typer.echo(f"asked for by {job['author']}: {job['reason']}")
    way = job["applied"] or job["preview"]
    if way and way["differences"]:
        table = Table(
            "team", "model", "events", "before", "after", "difference", "", box=None, pad_edge=False
        )
        for each in way["differences"]:
            of = each["team"] or "(none)", f"{each['provider']}/{each['sku']}", f"{each['events']:,}"
            table.add_row(*of, *(each[name] for name in _AMOUNTS))
        width = None if sys.stdout.isatty() else PLAIN_WIDTH
        Console(markup=False, highlight=False, width=width).print(table)
    for each in way["causes"] if way else ():
        amounts = f"{each['effective_before']} -> {each['effective_after']} {each['currency']}"
        typer.echo(f"because of {each['cause']}: {each['events']:,} events, {amounts} ({each['difference']})")
    for each in way["left"] if way else ():
        typer.echo(f"stays: {each['source']}/{each['id']}: {each['reason']}")
    if job["state"] == "previewed" and way and way["changed"]:
        typer.echo(f"next: spendmeter rerates apply {job['rerate_id']}")
