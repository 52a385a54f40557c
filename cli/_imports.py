"""Imports of bills as a terminal sends, follows and shows them."""

from __future__ import annotations

import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from cli._asking import ask
from cli._http import problem_of, problem_text, request
from cli._running import environment_values, fail
from cli._table import print_table
from cli._terminal import say

KEY = "SPENDMETER_IMPORT_KEY"
SEND_S_MAX = 120.0
POLL_S = 0.3
PLAIN_LINE_S = 5.0
BAD_SHOWN_MAX = 10
_AMOUNTS = ("rows", "billed", "list", "contracted", "effective")


@contextmanager
def packed(files: Sequence[Path]) -> Iterator[IO[bytes]]:
    """One file as it is, several in a zip. Ends the command where one cannot be read."""
    try:
        if len(files) == 1:
            with files[0].open("rb") as file:
                yield file
            return
        with tempfile.TemporaryFile() as whole:
            with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                for number, file_path in enumerate(files, 1):
                    archive.write(file_path, f"{number}-{file_path.name}")
            whole.seek(0)
            yield whole
    except OSError as error:
        fail(f"{error.filename or 'the file'} cannot be read: {error.strerror}")


def sent(file: IO[bytes], query: Mapping[str, Any], tenant: str) -> Any:
    """The import that has begun. Ends the command with what the api says where it has not."""
    url, key = environment_values("SPENDMETER_API_URL", KEY)
    answer = request(
        "POST",
        f"{url.rstrip('/')}/v1/imports/focus",
        key,
        tenant=tenant,
        timeout_s=SEND_S_MAX,
        params=dict(query),
        content=file,
    )
    if not answer.is_success:
        fail(problem_text(answer), problem_of(answer))
    return answer.json()


def followed(found: Any, tenant: str) -> Any:
    """The import once it rests; meanwhile a bar on a terminal, elsewhere a line every few seconds."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn

    console, printed = Console(stderr=True), time.monotonic()
    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading", total=None)
        while found["state"] == "running":
            time.sleep(POLL_S)
            found = ask("GET", f"imports/{found['import_id']}", tenant, key=KEY)
            bar.update(task, description=found["summary"])
            if not console.is_terminal and time.monotonic() - printed > PLAIN_LINE_S:
                say(found["summary"], err=True)
                printed = time.monotonic()
    return found


def print_import(found: Any) -> None:
    """What came of it: counts, sums by service, what was held back, bad rows by where they stand."""
    say(f"import {found['import_id']} {found['state']}: {found['summary']}")
    columns = ("service", "currency", *_AMOUNTS)
    if found["sums"]:
        print_table(columns, map(_row, found["sums"]))
    for each in found["held_back"]:
        amounts = f"{each['rows']:,} rows, {each['effective']} {each['currency']}"
        say(
            f"held back: {each['provider']} {each['service']}: {amounts}: it is metered here ({each['rule']})"
        )
    for each in found["notes"]:
        say(f"note: {each['note']} ({each['rows']:,} rows)")
    for each in found["bad_rows"][:BAD_SHOWN_MAX]:
        say(f"bad: {each['place']}: {each['field']} {each['reason']}".replace(":  ", ": "))
    if (more := found["bad"] - min(len(found["bad_rows"]), BAD_SHOWN_MAX)) > 0:
        say(f"bad: and {more:,} more")


def _row(sums: Any) -> list[str]:
    amounts = (sums[name] for name in _AMOUNTS[1:])
    return [sums["service_category"], sums["currency"], f"{sums['rows']:,}", *amounts]
