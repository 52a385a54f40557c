"""An export as a terminal fetches it: piece by piece into a file that is there only when it is whole."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import httpx

from cli._asking import CHANGES, READS
from cli._http import problem_text
from cli._running import environment_values, fail
from cli._table import print_table
from cli._terminal import say

FORMS = {".csv": "csv", ".parquet": "parquet"}
PIECE_TIMEOUT_S = 120.0
"""How long the api may take to begin, or be silent between two pieces."""
PLAIN_LINE_S = 5.0
_MIB = 1024 * 1024


def written(file: Path, export: str, query: Mapping[str, str], tenant: str) -> dict[str, Any]:
    """What came of the `export` of that name: bytes, and totals by currency. Ends the command where there is
    no file, or none to its end: what was there before stays."""
    url, key = environment_values("SPENDMETER_API_URL", CHANGES if tenant else READS)
    headers = {"Authorization": f"Bearer {key}"} | ({"X-Spendmeter-Tenant": tenant} if tenant else {})
    address = f"{url.rstrip('/')}/v1/exports/{export}"
    try:
        with httpx.stream(
            "GET", address, params=dict(query), headers=headers, timeout=PIECE_TIMEOUT_S
        ) as answer:
            if not answer.is_success:
                answer.read()
                fail(problem_text(answer))
            size = _kept(answer, file)
    except httpx.HTTPError as error:
        fail(f"{address} broke off: {error or type(error).__name__}: {file} is as it was")
    except OSError as error:
        fail(f"{error.filename or file} cannot be written: {error.strerror}")
    totals = json.loads(answer.headers["X-Export-Totals"])
    through = answer.headers.get("X-Complete-Through") or None
    return {"file": str(file), "bytes": size, "totals": totals, "complete_through": through}


def form_of(file: Path) -> str:
    """Which its name says. Ends the command where it says none."""
    if (form := FORMS.get(file.suffix.lower())) is None:
        fail(f"{file} names no form: end it in {' or '.join(FORMS)}")
    return form


def print_written(done: Mapping[str, Any], of: str) -> None:
    """What came, for people."""
    say(f"{done['file']}: {done['bytes']:,} bytes of {of}; its rows come to")
    columns = ("currency", "list", "contracted", "effective")
    rows = [[total[name] for name in columns] for total in done["totals"]]
    print_table(columns, rows, columns[1:])
    through = done["complete_through"]
    known = f"all that was accepted before {through} is in it"
    say(known if through else "nobody can say whether some of it is not booked yet: spendmeter status")


def _kept(answer: httpx.Response, file: Path) -> int:
    """Beside the file, then in its place."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as part:
            size = _copied(answer, part, file.name)
            part.flush()
            os.fsync(part.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)  # as any file that a command writes
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return size


def _copied(answer: httpx.Response, part: IO[bytes], name: str) -> int:
    """With what came so far shown: on a terminal as it goes, elsewhere every few seconds."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn

    console, printed, size = Console(stderr=True), time.monotonic(), 0
    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task(name, total=None)
        for piece in answer.iter_bytes():
            part.write(piece)
            size += len(piece)
            shown.update(task, description=f"{size / _MIB:,.1f} MiB")
            if not console.is_terminal and time.monotonic() - printed > PLAIN_LINE_S:
                say(f"{name}: {size / _MIB:,.1f} MiB so far", err=True)
                printed = time.monotonic()
    return size
