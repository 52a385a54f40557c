"""spendmeter assets add, list, show, assign, change, retire, import, hours and activity."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from cli._asking import OfTenantOption, answered, ask, read
from cli._asset_report import print_asset, print_report
from cli._assets import BadAssetFile, read_assets, share
from cli._correcting import ReasonOption
from cli._filters import filters
from cli._http import problem_of
from cli._options import JsonOption, LabelOption, printed_as_json
from cli._running import usage_error
from cli._terminal import say

app = typer.Typer(
    help="What is no call: hardware, seats, people's time, commitments. They accrue by the hour and are "
    "booked like usage. It goes as SPENDMETER_ADMIN_KEY.",
    no_args_is_help=True,
)
IdArgument = Annotated[str, typer.Argument(help="Your own name for it: laptop-0042", metavar="ID")]
FromOption = Annotated[
    str, typer.Option("--from", help="From when on: a day, or an instant. Default: the next hour.")
]
AssignedOption = Annotated[
    list[str] | None,
    typer.Option(help="NAME=VALUE:SEATS, as in team=search:4. Repeatable.", metavar="SHARE"),
]
KINDS = "hardware, licence, labour or commitment"
REFUSALS_SHOWN_MAX = 20
LATER = (429, 503)
"""A long file uses up its tenant's share of the database now and then."""
TRIES_MAX, WAIT_S_MAX = 10, 10.0


@app.command("add")
def add(
    id: IdArgument,
    kind: Annotated[str, typer.Argument(help=KINDS)],
    name: Annotated[str, typer.Argument(help="What people call it.")],
    starts: Annotated[str, typer.Option(help="When it was bought, or begins: a day.")],
    accrue_from: Annotated[str, typer.Option(help="What came before is not booked. Default: --starts.")] = "",
    months: Annotated[str, typer.Option(help="Its life.")] = "",
    ends: Annotated[str, typer.Option(help="Or the first day without it.")] = "",
    cost: Annotated[str, typer.Option(help="Of hardware or a commitment.")] = "",
    salvage: Annotated[str, typer.Option(help="What hardware will be worth in the end.")] = "",
    seats: Annotated[str, typer.Option(help="Of a licence.")] = "",
    seat_price: Annotated[str, typer.Option(help="Of a licence: of a seat in a month.")] = "",
    rate: Annotated[str, typer.Option(help="Of labour: of an hour.")] = "",
    weekly_hours: Annotated[str, typer.Option(help="Of labour; without it, timesheets alone.")] = "",
    capacity: Annotated[str, typer.Option(help="Of a commitment: units of throughput.")] = "",
    currency: Annotated[str, typer.Option(help="Default: the tenant's.")] = "",
    provider: Annotated[str, typer.Option(help="Who made or sold it. Default: own.")] = "",
    sku: Annotated[str, typer.Option(help="What it is. Default: its name.")] = "",
    cost_class: Annotated[str, typer.Option("--class", help="Default: by its kind.")] = "",
    label: LabelOption = None,
    assigned: AssignedOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check it, and register nothing.")] = False,
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Register one. The same again changes nothing.

    \b
    Examples:
      spendmeter assets add laptop-0042 hardware "ThinkPad P1" --starts 2026-11-01 --cost 2400 --months 36 \\
        --label team=search
      spendmeter assets add copilot licence "Copilot" --starts 2026-11-01 --seats 10 --seat-price 30 \\
        --assigned team=search:4 --assigned team=core:3
      spendmeter assets add reviewers labour "Reviewers" --starts 2026-11-01 --rate 80.50 --weekly-hours 20
      spendmeter assets add ptu commitment "PTU" --starts 2026-11-01 --cost 12000 --months 12 --capacity 100
    """
    body: dict[str, Any] = {"id": id, "kind": kind, "name": name, "starts_on": starts}
    body |= _stated(
        accrue_from=accrue_from,
        months=months,
        ends_on=ends,
        cost=cost,
        salvage=salvage,
        seats=seats,
        price_per_seat_month=seat_price,
        rate_per_hour=rate,
        hours_per_week=weekly_hours,
        capacity=capacity,
        currency=currency,
        provider=provider,
        sku=sku,
        cost_class=cost_class,
    )
    body |= _whose(label, assigned)
    answer = ask("POST", "assets", tenant, {"dry_run": "true"} if dry_run else None, body=body, flags=_FLAGS)
    if not printed_as_json(answer, as_json):
        print_asset(answer)


@app.command("list")
def list_all(
    kind: Annotated[str, typer.Option(help=KINDS)] = "",
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show every asset, and what it has come to."""
    query = {"limit": "200"} | ({"kind": kind} if kind else {})
    answer = read("assets", tenant, query)
    found = answer["assets"]
    while answer["next_cursor"]:
        answer = read("assets", tenant, query | {"cursor": answer["next_cursor"]})
        found += answer["assets"]
    if printed_as_json(answer | {"assets": found}, as_json):
        return
    for each in found:
        print_asset(each)
    if not found:
        say("no assets")
    elif not answer["accruing"]:
        say("nothing accrues: the api that answered has no key to send with (SPENDMETER_ACCRUAL_KEY)")


@app.command("show")
def show(id: IdArgument, tenant: OfTenantOption = "", as_json: JsonOption = False) -> None:
    """Show one: whose it was, what the book says, and all that was ever said of it."""
    answer = read(f"assets/{id}", tenant)
    if not printed_as_json(answer, as_json):
        print_report(answer)


@app.command("assign")
def assign(
    id: IdArgument,
    reason: ReasonOption,
    label: LabelOption = None,
    assigned: AssignedOption = None,
    since: FromOption = "",
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Say whose it is from now on, in place of what was said before; from an earlier day on, what was booked
    is amended.

    \b
    Examples:
      spendmeter assets assign laptop-0042 --label team=core --reason "Ann moved"
      spendmeter assets assign copilot --assigned team=core:6 --from 2026-11-15 --reason "was forgotten"
    """
    change = _whose(label, assigned)
    if not change:
        usage_error("say whose it is: --label NAME=VALUE, or --assigned NAME=VALUE:SEATS")
    _changed(id, change, reason, since, tenant, as_json)


@app.command("change")
def change(
    id: IdArgument,
    reason: ReasonOption,
    cost: Annotated[str, typer.Option(help="What is left is spread over what is left of its life.")] = "",
    months: Annotated[str, typer.Option(help="Its life.")] = "",
    seats: Annotated[str, typer.Option(help="Of a licence.")] = "",
    seat_price: Annotated[str, typer.Option(help="Of a licence.")] = "",
    rate: Annotated[str, typer.Option(help="Of labour.")] = "",
    weekly_hours: Annotated[str, typer.Option(help="Of labour.")] = "",
    since: FromOption = "",
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Say what it costs, or how much of it there is.

    \b
    Example: spendmeter assets change copilot --seats 12 --reason "two more"
    """
    said = _stated(
        cost=cost,
        months=months,
        seats=seats,
        price_per_seat_month=seat_price,
        rate_per_hour=rate,
        hours_per_week=weekly_hours,
    )
    _changed(id, said, reason, since, tenant, as_json)


@app.command("retire")
def retire(
    id: IdArgument,
    reason: ReasonOption,
    proceeds: Annotated[str, typer.Option(help="Of what was bought: what it was sold for.")] = "",
    since: FromOption = "",
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """End it. Of what was bought, the rest less the proceeds is written off in that hour.

    \b
    Example: spendmeter assets retire laptop-0042 --proceeds 500 --reason sold
    """
    _changed(id, {"retired": True} | _stated(proceeds=proceeds), reason, since, tenant, as_json)


@app.command("import")
def import_file(
    file: Annotated[
        Path, typer.Argument(help="CSV; its first line names the columns.", exists=True, dir_okay=False)
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check every row, and register nothing.")
    ] = False,
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Register what a spreadsheet lists: a row that is there already changes nothing, a bad one is named by
    its line, and the rest goes in.

    Columns are the fields of POST /v1/assets, `label.team` and the like, and `assigned`, as in
    team=search:4|team=core:3.

    \b
    Examples:
      spendmeter assets import laptops.csv --dry-run
      spendmeter assets import laptops.csv --tenant acme
    """
    done, refused = {"registered": 0, "known": 0}, list[dict[str, Any]]()
    with file.open(encoding="utf-8-sig", newline="") as lines:
        try:
            for line, row in read_assets(lines):
                why = row if isinstance(row, str) else _registered(row, dry_run, tenant, done)
                if why:
                    refused.append({"line": line, "reason": why})
        except (BadAssetFile, UnicodeDecodeError) as error:
            usage_error(f"{file.name}: {error}")
    if not printed_as_json({**done, "dry_run": dry_run, "refused": refused}, as_json):
        for each in refused[:REFUSALS_SHOWN_MAX]:
            say(f"line {each['line']}: {each['reason']}")
        if (more := len(refused) - REFUSALS_SHOWN_MAX) > 0:
            say(f"and {more:,} more")
        verb = "would be registered" if dry_run else "registered"
        say(f"{done['registered']:,} {verb}, {done['known']:,} there already, {len(refused):,} refused")
    if refused:
        raise typer.Exit(1)


@app.command("hours")
def hours(
    id: IdArgument,
    entry: Annotated[str, typer.Argument(help="Your own name for it: the same again changes nothing.")],
    day: Annotated[str, typer.Argument(help="2026-11-20")],
    worked: Annotated[str, typer.Argument(help="7.5", metavar="HOURS")],
    label: LabelOption = None,
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Write hours of work down for a day, at the day's rate; with other hours, the entry is amended.

    \b
    Example: spendmeter assets hours reviewers week-47-mon 2026-11-20 7.5 --label team=legal
    """
    body = {"id": entry, "day": day, "hours": worked, "labels": dict(filters(label or ()))}
    answer = ask("POST", f"assets/{id}/timesheets", tenant, body=body)
    if not printed_as_json(answer, as_json):
        amount = f"{answer['amount']} {answer['currency']}"
        say(
            f"{answer['id']}: {answer['hours']} h on {answer['day']}, {amount}, revision {answer['revision']}"
        )


@app.command("activity")
def activity(
    id: IdArgument,
    day: Annotated[str, typer.Argument(help="2026-11-25")],
    active: Annotated[int, typer.Argument(help="So many seats were used.")],
    tenant: OfTenantOption = "",
) -> None:
    """Say how many seats of a licence were used on a day. It moves no money.

    \b
    Example: spendmeter assets activity copilot 2026-11-25 6
    """
    ask("POST", f"assets/{id}/activity", tenant, body=[{"day": day, "active": active}])
    say(f"{id}: {active:,} seats used on {day}")


_FLAGS = {
    "id": "ID",
    "kind": "KIND",
    "name": "NAME",
    "starts_on": "--starts",
    "ends_on": "--ends",
    "accrue_from": "--accrue-from",
    "price_per_seat_month": "--seat-price",
    "rate_per_hour": "--rate",
    "hours_per_week": "--weekly-hours",
    "cost_class": "--class",
    "effective_from": "--from",
    "labels": "--label",
    **{
        name: f"--{name}"
        for name in (
            "cost",
            "months",
            "salvage",
            "seats",
            "capacity",
            "currency",
            "provider",
            "sku",
            "assigned",
            "proceeds",
        )
    },
}


def _stated(**fields: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}


def _whose(labels: Iterable[str] | None, shares: Iterable[str] | None) -> dict[str, Any]:
    found: dict[str, Any] = {"labels": dict(filters(labels))} if labels else {}
    try:
        return found | ({"assigned": [share(each) for each in shares]} if shares else {})
    except ValueError as error:
        usage_error(f"--assigned: {error}")


def _registered(row: dict[str, Any], dry_run: bool, tenant: str, done: dict[str, int]) -> str:
    """Register it and count it, or say why not."""
    query = {"dry_run": "true"} if dry_run else None
    answer = answered("POST", "assets", tenant, query, body=row)
    for _ in range(TRIES_MAX):
        if answer.status_code not in LATER:
            break
        time.sleep(min(float(answer.headers.get("Retry-After", 1)), WAIT_S_MAX))
        answer = answered("POST", "assets", tenant, query, body=row)
    if not answer.is_success:
        return _why(answer)
    known = answer.status_code == httpx.codes.OK and "Location" in answer.headers
    done["known" if known else "registered"] += 1
    return ""


def _why(answer: httpx.Response) -> str:
    problem = problem_of(answer)
    errors = [f"{each['field']}: {each['reason']}" for each in problem.get("errors", ()) if each.get("field")]
    return "; ".join(errors) or str(problem.get("detail", answer.status_code))


def _changed(id: str, change: dict[str, Any], reason: str, since: str, tenant: str, as_json: bool) -> None:
    body = change | {"reason": reason} | _stated(effective_from=since)
    answer = ask("PATCH", f"assets/{id}", tenant, body=body, flags=_FLAGS)
    if printed_as_json(answer, as_json):
        return
    said = answer["revisions"][-1]
    amended = "; what was booked of hours before is amended" if said["back_dated"] else ""
    say(f"{id}: revision {said['revision']}, in force from {said['effective_from']}{amended}")
