"""spendmeter replay."""

import asyncio
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from cli._counts import OUTCOMES, in_flight_text
from cli._event import pairs, usage_event
from cli._http import Access, Refusal, access, client, post_events
from cli._mapped_rows import FIELDS, LABEL, mapped_rows
from cli._options import LabelOption
from cli._running import fail, usage_error
from cli._terminal import say
from cli._trace import TOO_OLD, Summary, Trace, due_batches, refuse_bad
from cli._trace_rows import BadTrace, trace_rows
from spendmeter.platform.settings import Settings

TraceEvent = dict[str, Any]
SOURCE = "replay"
REQUEST_EVENTS = 500
REQUESTS_AT_ONCE = 4
BOOKED_S_MAX = 120.0
POLL_S = 0.2
TICK_S = 0.1
"""Events that are due within so long go in one request."""
SHOWN = 3
"""Rows that a dry run prints as events."""
_UNIT = re.compile(r"[a-z][a-z0-9_]*")
_NO_MODEL = "none/none"


def command(
    file: Annotated[
        Path, typer.Argument(help="A trace, or with --map any CSV or JSONL.", exists=True, dir_okay=False)
    ],
    model: Annotated[str, typer.Option(help="PROVIDER/SKU that the tokens are of.")] = "",
    label: LabelOption = None,
    map: Annotated[
        list[str] | None,
        typer.Option(
            help="FIELD=COLUMN: what a column means. A field is a unit, time, id, model, provider, sku, tier,"
            " region, latency_ms, status, cost, currency, or label.NAME. Repeatable.",
            metavar="FIELD=COLUMN",
        ),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(min=0.001, help="1: as fast as it was; 10: ten times. Default: as fast as it goes."),
    ] = None,
    keep_time: Annotated[
        bool, typer.Option("--keep-time", help="Events happened when the file says, not now.")
    ] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Send the good rows, whatever the others are.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be sent, and send nothing.")
    ] = False,
) -> None:
    """Send recorded calls, and wait until they are booked.

    Reads Azure's traces (TIMESTAMP, ContextTokens, GeneratedTokens), Mooncake's (blocks of a prompt that were
    seen before are cache_read_tokens), and with --map any CSV or JSONL; there a dot leads into an object.
    Every row is checked before the first is sent. Ids come from the file's content, the row and the options,
    or from a column: replaying twice books once.

    \b
    Examples:
      spendmeter replay azure_llm_2023_conv.csv --model openai/gpt-4o --label team=search
      spendmeter replay mooncake_conversation.jsonl --model anthropic/claude-sonnet-4-5 --speed 1
      spendmeter replay calls.jsonl --map model=model --map input_tokens=usage.in --map time=at --dry-run
      SPENDMETER_EVENT_AGE_MAX_DAYS=4000 spendmeter replay trace.csv --model openai/gpt-4o --keep-time
    """
    columns = _columns(map or ())
    if not model and not columns.keys() & {"model", "sku"}:
        usage_error("--model PROVIDER/SKU, or --map model=COLUMN: nothing says what the tokens are of")
    template = usage_event(model or _NO_MODEL, id="", source=SOURCE, labels=label or ())
    if not model:
        del template["data"]["provider"], template["data"]["sku"]
    rows = partial(mapped_rows, file, columns) if columns else partial(trace_rows, file)
    horizon = timedelta(days=Settings().event_age_max_days)
    try:
        trace = Trace(file, rows, template, keep_time=keep_time, horizon=horizon)
        found = trace.summary(datetime.now(UTC), SHOWN)
        if dry_run:
            _show(file, found)
            return
        _check(file, found, timed=bool(speed), skip_bad=skip_bad)
        asyncio.run(_replay(trace, found.events, access(), speed=speed, skip_bad=skip_bad))
    except BadTrace as error:
        fail(_with_hint(str(error)))
    except Refusal as error:
        fail(str(error))
    except httpx.HTTPError as error:
        fail(f"{error.request.url} stays away: {error}\nType the same again: nothing is booked twice.")


def _columns(items: list[str] | tuple[()]) -> dict[str, str]:
    """Field to column; ends the command where a field is none."""
    columns = pairs(items, "--map FIELD=COLUMN, as in --map input_tokens=prompt_tokens")
    for name in columns:
        if name not in FIELDS and not name.startswith(LABEL) and not _UNIT.fullmatch(name):
            usage_error(f"--map {name}: is neither {', '.join(FIELDS)}, {LABEL}NAME nor a unit")
    return columns


def _check(file: Path, found: Summary, *, timed: bool, skip_bad: bool) -> None:
    """Whether all of it can be sent. Raises BadTrace."""
    if not skip_bad:
        refuse_bad(file, found)
    if not found.events:
        raise BadTrace(f"{file} holds no calls")
    if timed and found.untimed:
        raise BadTrace(f"{file}: nothing says when {found.untimed:,} of its rows were: --map time=COLUMN")


def _with_hint(text: str) -> str:
    if TOO_OLD not in text:
        return text
    return (
        f"{text}\nLeave --keep-time out, or start Spendmeter and this command with a larger"
        " SPENDMETER_EVENT_AGE_MAX_DAYS."
    )


def _show(file: Path, found: Summary) -> None:
    """What would be sent; ends the command with 1 where rows are bad."""
    for event in found.first:
        say(json.dumps(event, default=str))
    used = ", ".join(f"{unit} {quantity:,f}" for unit, quantity in found.usage.items())
    say(f"{found.events:,} events of {len(found.models):,} models: {used or 'nothing'}")
    for model, count in found.models.most_common(5):
        say(f"  {model} {count:,}")
    if found.begin and found.end:
        say(f"from {found.begin.isoformat()} to {found.end.isoformat()}")
    say("nothing was sent")
    try:
        refuse_bad(file, found)
    except BadTrace as error:
        fail(f"{found.bad_count:,} rows are bad\n{error}")


async def _replay(trace: Trace, total: int, access: Access, *, speed: float | None, skip_bad: bool) -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("sending"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(),
    )
    began = time.monotonic()
    events = trace.events(datetime.now(UTC), skip_bad=skip_bad)
    batches = due_batches(events, speed, TICK_S, REQUEST_EVENTS) if speed else _at_once(events)
    async with client(access) as http:
        before = await _accounting(http, access)
        with Progress(*columns) as progress:
            bar = progress.add_task("sending", total=total, rate=0)
            sent = 0

            async def send_batches() -> None:
                nonlocal sent
                for due_s, batch in batches:
                    if (early_s := began + due_s - time.monotonic()) > 0:
                        await asyncio.sleep(early_s)
                    await post_events(http, access, batch)
                    sent += len(batch)
                    rate = sent / (time.monotonic() - began)
                    progress.update(bar, completed=sent, rate=rate)

            await asyncio.gather(*(send_batches() for _ in range(REQUESTS_AT_ONCE)))
        seconds = time.monotonic() - began
        say(f"accepted {sent:,} events in {seconds:.1f} s ({sent / seconds:,.0f}/s)")
        await _report(http, access, before, datetime.now(UTC))


def _at_once(events: Iterator[tuple[float, TraceEvent]]) -> Iterator[tuple[float, list[TraceEvent]]]:
    """Full batches, due now."""
    while batch := [event for _, event in islice(events, REQUEST_EVENTS)]:
        yield 0.0, batch


async def _report(
    http: httpx.AsyncClient, access: Access, before: dict[str, Any] | None, sent_at: datetime
) -> None:
    """Wait until what was sent is booked, and say what became of it."""
    deadline = time.monotonic() + BOOKED_S_MAX
    while (now := await _accounting(http, access)) is not None and time.monotonic() < deadline:
        through = now["complete_through"]
        # The log's end is looked at once a second: "0 in flight" may be older than what was just sent.
        if through is not None and datetime.fromisoformat(through) >= sent_at:
            break
        await asyncio.sleep(POLL_S)

    if before is None or now is None:
        say("the api does not answer, so what was booked is not known here")
        return
    grown = (f"{name} {now['total'][name] - before['total'][name]:,}" for name in OUTCOMES)
    say(
        f"since then, with whatever others sent for this tenant: {', '.join(grown)}; "
        f"in flight {in_flight_text(now['total'])}"
    )


async def _accounting(http: httpx.AsyncClient, access: Access) -> dict[str, Any] | None:
    try:
        answer = await http.get(f"{access.api_url}/v1/accounting")
    except httpx.TransportError:
        return None
    found: dict[str, Any] | None = answer.json() if answer.is_success else None
    return found
