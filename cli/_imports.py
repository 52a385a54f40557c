"""Imports of bills as a terminal sends, follows and shows them."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from cli._asking import ask
from cli._following import until_it_rests
from cli._running import fail
from cli._table import print_table
from cli._terminal import say

KEY = "SPENDMETER_IMPORT_KEY"
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
    return ask("POST", "imports/focus", tenant, query, key=KEY, file=file)


def followed(found: Any, tenant: str) -> Any:
    """The import once it rests."""
    path = f"imports/{found['import_id']}"
    return until_it_rests(found, path, tenant, running=("running",), shown=_shown, key=KEY)


def _shown(found: Any) -> dict[str, Any]:
    return {"description": found["summary"]}


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
