"""spendmeter replay."""

import asyncio
import csv
import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from cli._counts import OUTCOMES, in_flight_text
from cli._event import usage_event
from cli._http import Access, Refusal, access, client, post_events
from cli._options import LabelOption
from cli._running import fail
from cli._terminal import say
from spendmeter.contracts.event_reading import check_time
from spendmeter.contracts.events import EventError
from spendmeter.platform.settings import Settings

COLUMNS = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"]
SOURCE = "replay"
REQUEST_EVENTS = 500
REQUESTS_AT_ONCE = 4
BOOKED_S_MAX = 120.0
POLL_S = 0.2


class BadFile(Exception):
    """The file, or one row of it, is not what can be replayed."""


def command(
    file: Annotated[
        Path, typer.Argument(help=f"CSV with the columns {','.join(COLUMNS)}.", exists=True, dir_okay=False)
    ],
    model: Annotated[str, typer.Option(help="PROVIDER/SKU that the tokens are of.")],
    label: LabelOption = None,
    keep_time: Annotated[
        bool, typer.Option("--keep-time", help="Events happened when the file says, not now.")
    ] = False,
) -> None:
    """Send a trace of real traffic as fast as it goes, and wait until it is booked.

    Ids come from the file's content, the row and the options: replaying twice books once.

    \b
    Examples:
      spendmeter replay azure_llm_2023_conv.csv --model openai/gpt-4o --label team=search
      SPENDMETER_EVENT_AGE_MAX_DAYS=4000 spendmeter replay trace.csv --model openai/gpt-4o --keep-time
    """
    horizon = timedelta(days=Settings().event_age_max_days)
    template = usage_event(model, id="", source=SOURCE, labels=label or ())
    try:
        trace = Trace(file, template, keep_time=keep_time, horizon=horizon)
        asyncio.run(_replay(trace, access()))
    except (BadFile, Refusal) as error:
        fail(str(error))
    except httpx.HTTPError as error:
        fail(f"{error.request.url} stays away: {error}\nType the same again: nothing is booked twice.")


@dataclass(frozen=True, kw_only=True)
class SampleRow:
    """One call: `line` counts from 1, the heading included."""

    line: int
    time: str
    input_tokens: str
    output_tokens: str


class Trace:
    """A file as usage events. Reading it checks every row, before anything is sent. Raises BadFile."""

    def __init__(self, file: Path, template: dict[str, Any], *, keep_time: bool, horizon: timedelta) -> None:
        self._file, self._template, self._keep_time = file, template, keep_time
        with file.open("rb") as opened:
            content = hashlib.file_digest(opened, "sha256").hexdigest()
        options = json.dumps([template["data"], keep_time], sort_keys=True).encode()
        self._prefix = f"{content[:32]}-{hashlib.sha256(options).hexdigest()[:8]}"
        self.events_total = 0
        for row in self._rows():
            self.events_total += 1
            if keep_time:
                _check_time(file, row, horizon)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for row in self._rows():
            usage = {"input_tokens": int(row.input_tokens), "output_tokens": int(row.output_tokens)}
            event = self._template | {
                "id": f"{self._prefix}-{row.line}",
                "data": self._template["data"] | {"usage": usage},
            }
            if self._keep_time:
                event["time"] = row.time
            yield event

    def _rows(self) -> Iterator[SampleRow]:
        try:
            yield from self._read()
        except (UnicodeDecodeError, csv.Error) as error:
            raise BadFile(f"{self._file} is no CSV file: {error}") from None

    def _read(self) -> Iterator[SampleRow]:
        with self._file.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.reader(opened)
            if (heading := next(reader, [])) != COLUMNS:
                raise BadFile(f"{self._file} has the columns {heading}; replay reads {COLUMNS}")
            for cells in reader:
                if not cells:
                    continue  # a blank line, as at the end
                line = reader.line_num
                if len(cells) != len(COLUMNS) or not all(map(_is_count, cells[1:])):
                    raise BadFile(f"{self._file}, line {line}: {cells} is not a time and two counts")
                yield SampleRow(
                    line=line,
                    time=cells[0].strip().replace(" ", "T") + "Z",
                    input_tokens=cells[1],
                    output_tokens=cells[2],
                )


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _check_time(file: Path, row: SampleRow, horizon: timedelta) -> None:
    """Refuse a row that ingest would refuse, before the first is sent."""
    try:
        check_time(datetime.fromisoformat(row.time), datetime.now(UTC), horizon)
    except ValueError as error:
        reason = error.reason if isinstance(error, EventError) else "is no time"
        raise BadFile(
            f"{file}, line {row.line}: {row.time} with --keep-time: {reason}.\n"
            "Leave --keep-time out, or start Spendmeter and this command with a larger"
            " SPENDMETER_EVENT_AGE_MAX_DAYS."
        ) from None


async def _replay(trace: Trace, access: Access) -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("sending"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(),
    )
    began = time.monotonic()
    async with client(access) as http:
        before = await _accounting(http, access)
        with Progress(*columns) as progress:
            bar = progress.add_task("sending", total=trace.events_total, rate=0)
            events = iter(trace)
            batches = iter(lambda: list(islice(events, REQUEST_EVENTS)), [])
            sent = 0

            async def send_batches() -> None:
                nonlocal sent
                for batch in batches:
                    await post_events(http, access, batch)
                    sent += len(batch)
                    rate = sent / (time.monotonic() - began)
                    progress.update(bar, completed=sent, rate=rate)

            await asyncio.gather(*(send_batches() for _ in range(REQUESTS_AT_ONCE)))
        seconds = time.monotonic() - began
        say(f"accepted {sent:,} events in {seconds:.1f} s ({sent / seconds:,.0f}/s)")
        await _report(http, access, before, datetime.now(UTC))


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
