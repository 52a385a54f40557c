"""spendmeter invoice fetch, import, list and variance."""

from __future__ import annotations

import os
import re
import shlex
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from cli._asking import OfTenantOption, ask, read
from cli._imports import KEY
from cli._options import JsonOption, printed_as_json
from cli._rounded import rounded
from cli._running import fail, usage_error
from cli._table import print_table
from cli._terminal import say

NO_KEY = f"""{KEY} is not set: a bill goes in by a key that sends nothing else. Make one, and import again:
  export {KEY}=$(spendmeter keys create TENANT --scope import --name bills)"""
_FLAGS = {"from": "--since", "to": "--until", "provider": "--provider", "account": "--account"}
_FIGURES = ("billed", "booked", "variance", "unexplained")
app = typer.Typer(
    help="Hold what providers bill against what was booked. Nothing of it is booked.", no_args_is_help=True
)
ProviderOption = Annotated[
    str, typer.Option(help="Whose usage: openai, anthropic, bedrock, azure-openai, vertex, ...")
]
AccountOption = Annotated[str, typer.Option(help="Which of several organisations with it.")]


@app.command("import")
def import_(
    files: Annotated[
        list[Path], typer.Argument(help="Answers of the provider as they are, or FOCUS, or AWS' report.")
    ],
    provider: ProviderOption,
    account: AccountOption = "",
    tenant: Annotated[str, typer.Option(help="Whose; for an operator's key.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Import a provider's pages of costs, and of usage. Of each day the newest import counts; the same again
    changes nothing.

    \b
    Examples:
      spendmeter invoice import costs-*.json --provider openai
      spendmeter invoice import cost_report.json --provider anthropic
      spendmeter invoice import usage_report.json --provider anthropic
      spendmeter invoice import focus-2026-11-*.csv.gz --provider bedrock
      spendmeter invoice import cur2-2026-11-*.parquet --provider bedrock
    """
    if not os.environ.get(KEY):
        fail(NO_KEY)
    query = {"provider": provider, "account": account, "file": ", ".join(file.name for file in files)[:200]}
    with _joined(files) as file:
        done = ask("POST", "invoices", tenant, query, key=KEY, file=file, flags=_FLAGS)
    if printed_as_json(done, as_json):
        return
    sums = ", ".join(f"{each['amount']} {each['currency']}" for each in done["amounts"]) or "usage alone"
    span = f"{done['first_day']} to {done['last_day']}"
    say(f"import {done['import_id']}: {span}, {done['rows']:,} lines, {sums}")
    for note in done["notes"]:
        say(f"note: {note}")


@app.command("fetch")
def fetch(
    provider: Annotated[str, typer.Option(help="openai or anthropic.")],
    month: Annotated[str, typer.Option(help="2026-11, instead of --since and --until.")] = "",
    since: Annotated[str, typer.Option(help="A day of UTC. Default: 30 days before --until.")] = "",
    until: Annotated[str, typer.Option(help="Exclusive, a day of UTC. Default: today.")] = "",
    into: Annotated[
        Path, typer.Option(help="The folder of the files.", exists=True, file_okay=False)
    ] = Path(),
    url: Annotated[str, typer.Option(help="Of a proxy in front of the provider's API.")] = "",
) -> None:
    """Get a provider's reports of costs, with and without groups, and of usage, by its admin key in
    OPENAI_ADMIN_KEY or ANTHROPIC_ADMIN_API_KEY, as files for `import`. Run again it goes on where it broke
    off; a file that is whole is not asked for again.

    \b
    Examples:
      spendmeter invoice fetch --provider openai --month 2026-11
      spendmeter invoice import openai-*-2026-11-01-*.json --provider openai
    """
    from cli._vendor_reports import VENDORS, NoReport, fetched

    if provider not in VENDORS:
        usage_error(f"--provider: must be one of {', '.join(VENDORS)}: others send a table to import")
    days = _days(month, since, until, datetime.now(UTC).date())
    files: list[str] = []
    try:
        for file, pages in fetched(provider, days, into, url=url):
            say(f"{file}: " + (f"{pages:,} pages" if pages else "was there already"))
            files.append(str(file))
    except NoReport as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename or into} cannot be written: {error.strerror}")
    say(f"import them: spendmeter invoice import {shlex.join(files)} --provider {provider}")


def _days(month: str, since: str, until: str, today: date) -> tuple[date, date]:
    if month and (since or until):
        usage_error("--month stands instead of --since and --until")
    since, until = _month(month) if month else (since, until)
    try:
        end = min(date.fromisoformat(until), today) if until else today
        start = date.fromisoformat(since) if since else end - timedelta(days=30)
    except ValueError:
        usage_error("--since, --until: must be days such as 2026-11-01")
    if start >= end:
        usage_error("--since: must be before --until, and before today, which is not over")
    return start, end


@app.command("list")
def list_all(tenant: OfTenantOption = "", as_json: JsonOption = False) -> None:
    """Show what was imported, the newest first."""
    answer = read("invoices", tenant, {"limit": "200"})
    if printed_as_json(answer, as_json):
        return
    rows = [
        [
            each["imported_at"][:16], each["provider"], each["account"], each["first_day"], each["last_day"],
            f"{each['rows']:,}", "superseded" if each["superseded"] else "counts", each["file"],
        ]
        for each in answer["imports"]
    ]  # fmt: skip
    print_table(["imported", "provider", "account", "first day", "last day", "lines", "state", "file"], rows)


@app.command("variance")
def variance(
    provider: ProviderOption,
    month: Annotated[str, typer.Option(help="2026-11, instead of --since and --until.")] = "",
    since: Annotated[str, typer.Option(help="A day of UTC. Default: 30 days before --until.")] = "",
    until: Annotated[str, typer.Option(help="Exclusive, a day of UTC. Default: tomorrow.")] = "",
    account: AccountOption = "",
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show by how much bill and book differ, by model, and why: causes and what is unexplained sum to the
    difference. Exit code 1 where something is unexplained, or could not be compared.

    \b
    Examples:
      spendmeter invoice variance --provider openai --month 2026-11
      spendmeter invoice variance --provider anthropic --since 2026-11-01 --until 2026-11-08 --json
    """
    query = {"provider": provider, "from": since, "to": until, "account": account}
    if month:
        if since or until:
            usage_error("--month stands instead of --since and --until")
        query["from"], query["to"] = _month(month)
    found = read(
        "invoices/variance", tenant, {name: said for name, said in query.items() if said}, flags=_FLAGS
    )
    if not printed_as_json(found, as_json):
        _print(found)
    if Decimal(found["totals"]["unexplained"]) or found["not_compared"]:
        raise typer.Exit(1)


def _print(found: Any) -> None:
    span = f"{found['first_day']} to {found['until']} (exclusive)"
    say(f"{found['provider']}, {span}, in {found['currency'] or 'no currency'}")
    if not found["days_billed"]:
        say("no bill of these days was imported")
        return
    rows = [[each["model"] or "(in no group)", *_figures(each), _why(each)] for each in found["models"]]
    print_table(["model", *_FIGURES, "causes"], rows, figures=_FIGURES)
    whole = found["totals"]
    billed, booked, differ = (rounded(whole[name]) for name in ("billed", "booked", "variance"))
    say(f"in all billed {billed}, booked {booked}: {differ}")
    meanings = {each["cause"]: each["meaning"] for each in found["meanings"]}
    for cause, amount in whole["causes"].items():
        say(f"  {rounded(amount):>14} {cause}: {meanings[cause]}")
    say(f"  {rounded(whole['unexplained']):>14} unexplained")
    for note in dict.fromkeys(each["note"] for each in found["rows"] if each["note"]):
        say(f"note: {note}")
    if missing := found["days_without_bill"]:
        say(f"{len(missing):,} of these days have no bill, the first is {missing[0]}: not compared")
    for note in found["notes"]:
        say(f"note: {note}")


def _figures(each: Any) -> list[str]:
    return [rounded(each[name]) for name in _FIGURES]


def _why(each: Any) -> str:
    return ", ".join(f"{cause} {rounded(amount)}" for cause, amount in each["causes"].items())


def _month(text: str) -> tuple[str, str]:
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", text, re.ASCII):
        usage_error("--month: must be a month such as 2026-10")
    year, month = map(int, text.split("-"))
    return f"{text}-01", str(date(year + month // 12, month % 12 + 1, 1))


@contextmanager
def _joined(files: list[Path]) -> Iterator[IO[bytes]]:
    """One after the other. Ends the command where one cannot be read, or they are of several kinds."""
    if len({path.suffix for path in files}) > 1:
        usage_error("files of one kind at a time: .json, .csv, .parquet, or .gz")
    with tempfile.TemporaryFile() as whole:
        try:
            if len(files) > 1 and files[0].suffix != ".json":
                _zip(files, whole)
            else:
                for path in files:
                    whole.write((b"\n" if whole.tell() else b"") + path.read_bytes())
        except OSError as error:
            fail(f"{error.filename} cannot be read: {error.strerror}")
        whole.seek(0)
        yield whole


def _zip(files: list[Path], into: IO[bytes]) -> None:
    """Tables, in the order in which they are named; they are packed already, or small."""
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, path in enumerate(files):
            archive.writestr(zipfile.ZipInfo(f"{number:04}{path.suffix}"), path.read_bytes())
