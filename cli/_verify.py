"""What `spendmeter verify` shows: how far it has come, and the verdict."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from spendmeter.contracts.visible import visible
from spendmeter.platform.spoken import duration
from spendmeter.verify.lines import STATUSES
from spendmeter.verify.progress import Progress
from spendmeter.verify.report import Report
from spendmeter.verify.verdict import sentences

REFRESH_S = 0.25
PLAIN_LINE_S = 5.0
"""How often a line is written where there is no terminal."""
_STYLES = {"clean": "bold green", "wrong": "bold red", "incomplete": "bold yellow"}


def line(progress: Progress, now: float) -> str:
    """One line: what is being done, and while records are read, how many of how many, and what remains. `now`
    on the monotonic clock."""
    seconds = max(now - progress.began, 0.001)
    if not progress.total:
        lines = f", {progress.done:,} lines" if progress.done else ""
        return f"{progress.stage}{lines} ({duration(seconds)})"
    rate = progress.done / seconds
    remaining = duration((progress.total - progress.done) / rate) if rate else "unknown"
    return (
        f"{progress.stage}: {progress.done:,} of {progress.total:,} records, {rate:,.0f}/s, "
        f"remaining: {remaining}"
    )


@asynccontextmanager
async def shown(progress: Progress, console: Console) -> AsyncIterator[None]:
    """Show the progress while the body runs: on a terminal one line that moves, elsewhere a dated line every
    few seconds."""
    showing = asyncio.create_task(
        _move(progress, console) if console.is_terminal else _log(progress, console)
    )
    try:
        yield
    finally:
        showing.cancel()
        with suppress(asyncio.CancelledError):
            await showing


async def _move(progress: Progress, console: Console) -> None:
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            live.update(Text(line(progress, time.monotonic())), refresh=True)
            await asyncio.sleep(REFRESH_S)


async def _log(progress: Progress, console: Console) -> None:
    while True:
        await asyncio.sleep(PLAIN_LINE_S)
        text = line(progress, time.monotonic())
        console.print(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {text}", soft_wrap=True)


def show(report: Report, console: Console) -> None:
    """The verdict in sentences, then what was there, then each rule."""
    answer = report.as_json()

    def say(text: str, style: str | None = None) -> None:
        console.print(visible(text), style=style, markup=False, soft_wrap=True)

    for number, sentence in enumerate(sentences(report)):
        say(sentence, None if number else _STYLES[answer["verdict"]])
    say("")
    facts = Table.grid("", "", padding=(0, 2))
    for row in _figures(report):
        facts.add_row(*row)
    console.print(facts)
    say("")
    console.print(_rules(answer["invariants"]))
    _name_findings(answer["invariants"], say)


def _figures(report: Report) -> Iterator[tuple[str, str]]:
    """What was there, as (name, value) for people."""
    facts = report.facts
    outcomes: dict[str, int] = facts["outcomes"]
    yield "records read", f"{facts['records']:,}"
    statuses = ", ".join(f"{outcomes[name]:,} {name}" for name in STATUSES if outcomes[name])
    yield "booked", f"{facts['entries']:,}{f' ({statuses})' if statuses else ''}"
    for name in ("duplicate", "conflict", "rejected"):
        yield name, f"{outcomes[name]:,}"
    if facts["submissions"] is not None:
        yield "submissions", f"{facts['submissions']:,}"
        yield "copies beyond the log", f"{facts['copies_beyond_the_log']:,}"
    if through := facts.get("closed_through"):
        yield "days closed", f"through {through}"
    for each in facts.get("put_backs", ()):
        yield "book put back", f"{each['began_at'][:16]}Z by {each['by']}: {each['reason']}"
    amounts = [f"{Decimal(amount).normalize():,f} {currency}" for currency, amount in facts["list"].items()]
    yield "list amounts", ", ".join(amounts) or "none"
    rate = facts["records"] / max(facts["seconds"], 0.001)
    yield "took", f"{duration(facts['seconds'])}, {rate:,.0f} records/s"


def _rules(invariants: dict[str, Any]) -> Table:
    table = Table("", "what must hold", "checked", "wrong", "not checked", box=None, pad_edge=False)
    for name, line in invariants.items():
        unchecked = sum(line["unchecked"].values())
        style = "red" if line["found"] else "yellow" if unchecked else None
        counts = (f"{count:,}" for count in (line["checked"], line["found"], unchecked))
        table.add_row(name, line["about"], *counts, style=style)
    return table


def _name_findings(invariants: dict[str, Any], say: Callable[[str, str], None]) -> None:
    for name, line in invariants.items():
        for finding in line["named"]:
            say(f"{name} {finding['row']}: {finding['what']}", "red")
        if (more := line["found"] - len(line["named"])) > 0:
            say(f"{name} and {more:,} more", "red")
        for why, count in line["unchecked"].items():
            say(f"{name} not checked: {count:,} {why}", "yellow")
