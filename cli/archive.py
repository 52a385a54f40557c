"""spendmeter archive list, month and attach."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from cli._options import JsonOption, printed_as_json
from cli._running import fail, home, usage_error
from cli._terminal import say
from deploy.local.state import read_state

app = typer.Typer(
    help="Months of the book that are over and closed, put away as Parquet and taken back. Needs the "
    "database's owner.",
    no_args_is_help=True,
)
_STATEMENT_S_MAX = 4 * 3600
Done = TypeVar("Done")
MonthArgument = Annotated[str, typer.Argument(help="YYYY-MM, by the day (UTC) of recording.")]
FolderOption = Annotated[Path, typer.Option(help="Where the files lie, each with its manifest.")]
DatabaseOption = Annotated[str | None, typer.Option(help="The owner's URL; else the running system's.")]


@app.command("list")
def list_all(database: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """Show which months are part of the book, and which are archived.

    \b
    Examples:
      spendmeter archive list
    """
    from spendmeter.book.archive import read_months

    months = _as_owner(database, read_months)
    rows = [
        {
            "month": f"{each.month:%Y-%m}",
            "attached": each.attached,
            "entries": each.entries,
            "file": each.file,
            "sha256": each.sha256,
        }
        for each in months
    ]
    if printed_as_json({"months": rows}, as_json):
        return
    for row in rows:
        archived = f"archived: {row['entries']:,} entries in {row['file']}" if row["file"] else ""
        say(f"{row['month']}  {'in the book' if row['attached'] else archived}")


@app.command("month")
def put_away(
    month: MonthArgument,
    folder: FolderOption,
    drop: Annotated[bool, typer.Option("--drop", help="Its table too: the file alone has it then.")] = False,
    database: DatabaseOption = None,
) -> None:
    """Write a month into a file, read it back, and take it out of the book.

    Totals, statements and projections stay. Until it is attached again nothing of it is listed, priced anew
    or corrected, a receipt says where it is, and `spendmeter verify` wants `--archive FOLDER`. Months go in
    their order.

    \b
    Examples:
      spendmeter archive month 2025-10 --folder /archive
      spendmeter archive month 2025-10 --folder /archive --drop
    """
    from spendmeter.book.archive import archive

    first, today = _month(month), datetime.now(UTC).date()
    done = _as_owner(database, lambda owner: archive(owner, first, folder, today, drop=drop))
    say(f"{done.entries:,} entries of {month} are in {folder / done.file}, sha256 {done.sha256}")


@app.command("attach")
def take_back(month: MonthArgument, folder: FolderOption, database: DatabaseOption = None) -> None:
    """Make an archived month part of the book again, from its table or its file. The newest goes first.

    \b
    Examples:
      spendmeter archive attach 2025-10 --folder /archive
    """
    from spendmeter.book.archive import attach

    first = _month(month)
    done = _as_owner(database, lambda owner: attach(owner, first, folder))
    say(f"{done.entries:,} entries of {month} are part of the book again")


def _month(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m").date()  # noqa: DTZ007 - a month, of no zone
    except ValueError:
        usage_error(f"{text!r} is no month: write 2025-10")


def _as_owner(database: str | None, act: Callable[[Any], Awaitable[Done]]) -> Done:
    import asyncpg

    from spendmeter.book.archive import Refused
    from spendmeter.book.archive_file import BadArchive

    state = read_state(home())
    known = state.environment if state is not None and state.running else os.environ
    url = database or known.get("DATABASE_URL")
    if not url:
        fail("nothing runs here: name --database URL, of the database's owner")

    async def acted() -> Done:
        owner = await asyncpg.connect(url, command_timeout=_STATEMENT_S_MAX)
        try:
            return await act(owner)
        finally:
            await owner.close()

    try:
        return asyncio.run(acted())
    except (Refused, BadArchive, OSError, asyncpg.PostgresError) as trouble:
        fail(str(trouble))
