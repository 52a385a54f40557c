"""spendmeter catalog: the prices in force, their history, proposals, the inbox of what has no price, and what
other sources say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

NAMES_SHOWN = 20
DAY_DIGITS = len("20261101")
TIMEOUT_S = 120.0
"""A large file is read, compiled and priced against a month of events before the answer."""

app = typer.Typer(
    help="Prices: look them up, propose, approve. Needs SPENDMETER_API_URL and SPENDMETER_ADMIN_KEY (an "
    "operator's key, or a tenant's with the scope admin), or the running system's.",
    no_args_is_help=True,
)

Json = Annotated[bool, typer.Option("--json", help="Print the api's answer as JSON.")]
Tenant = Annotated[
    str, typer.Option(help="For an operator's key: the tenant to act for. Default: everybody's catalog.")
]
Model = Annotated[str, typer.Argument(help="PROVIDER/SKU, as in openai/gpt-4o.", metavar="MODEL")]
File = Annotated[Path, typer.Argument(help="A price file.", exists=True, dir_okay=False)]
Note = Annotated[str, typer.Option(help="Why; it stays in the history.")]
Withdraw = Annotated[
    list[str] | None, typer.Option(help="Id of an entry that no longer holds. Repeatable.", metavar="ID")
]
Replace = Annotated[
    bool, typer.Option("--replace", help="Withdraw whatever else is in force about what the file states.")
]
Id = Annotated[int, typer.Argument(help="The proposal's number.")]


@app.command("list")
def list_models(
    search: Annotated[str, typer.Argument(help="A part of a name or an alias.")] = "",
    provider: Annotated[str, typer.Option(help="Only this provider's.")] = "",
    at: Annotated[
        str, typer.Option(help="The instant to look at, as 2026-11-01T00:00:00Z. Default: now.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=200)] = 20,
    tenant: Tenant = "",
    json: Json = False,
) -> None:
    """List models and what they cost.

    \b
    Examples:
      spendmeter catalog list sonnet
      spendmeter catalog list --provider openai --at 2025-06-01T00:00:00Z
    """
    asked = {"q": search, "provider": provider, "limit": str(limit)} | ({"at": _instant(at)} if at else {})
    answer = _ask("GET", "models", tenant, asked)
    if _shown(answer, json):
        return
    if not answer["models"]:
        typer.echo("nothing in the catalog has such a name")
    for model in answer["models"]:
        typer.echo(f"{model['provider']}/{model['sku']}{'  (retired)' if model['retired'] else ''}")
        for price in sorted(model["prices"], key=_order):
            typer.echo(f"  {_said(price)}")
    if answer["next_cursor"]:
        typer.echo(f"... and more: search for a longer part of the name, or --limit above {limit}")


@app.command()
def show(model: Model, tenant: Tenant = "", json: Json = False) -> None:
    """Show a model: its names and what prices it now.

    \b
    Examples:
      spendmeter catalog show anthropic/claude-sonnet-4-5
    """
    answer = _model(model, tenant)
    if _shown(answer, json):
        return
    for meant in answer["naming"]:
        typer.echo(meant)
    typer.echo(f"{answer['provider']}/{answer['sku']}")
    if answer["aliases"]:
        typer.echo(f"also: {', '.join(answer['aliases'])}")
    for price in sorted(answer["prices"], key=_order):
        typer.echo(f"  {price['entry']['id']}  {_said(price)}")


@app.command()
def history(model: Model, tenant: Tenant = "", json: Json = False) -> None:
    """Show everything ever recorded of a model: stated and withdrawn, when, by whom, why.

    \b
    Examples:
      spendmeter catalog history openai/o3
    """
    answer = _model(model, tenant)
    if _shown(answer, json):
        return
    for row in answer["history"]:
        why = row["entry"].get("note", "")
        typer.echo(f"{row['entry']['id']}  {_said(row)}")
        typer.echo(
            f"  stated {_when(row['recorded_at'])} in {row['version']} by {row['recorded_by']}"
            f"{why and ': ' + why}"
        )
        if row["withdrawn_version"]:
            why = row["withdrawn_why"]
            typer.echo(
                f"  withdrawn {_when(row['withdrawn_at'])} in {row['withdrawn_version']} by "
                f"{row['withdrawn_by']}{why and ': ' + why}"
            )


@app.command()
def propose(
    file: File,
    note: Note = "",
    withdraw: Withdraw = None,
    replace: Replace = False,
    tenant: Tenant = "",
    json: Json = False,
) -> None:
    """Propose the prices of a file. Nothing is in force before it is approved.

    \b
    Examples:
      spendmeter catalog propose prices.toml --note "price list of November"
      spendmeter catalog propose contract.csv --tenant acme
      spendmeter catalog propose fixed.toml --withdraw 3q5hz7m2kdw4e
    """
    _review(_propose(file, note, withdraw, replace, tenant), json)


@app.command("import")
def import_file(file: File, note: Note = "", tenant: Tenant = "", json: Json = False) -> None:
    """Propose a whole source: earlier prices of its models that it does not repeat are withdrawn.

    \b
    Examples:
      spendmeter catalog import model_prices_and_context_window.json --note "LiteLLM of today"
    """
    _review(_propose(file, note, None, True, tenant), json)


@app.command()
def lint(
    file: File, withdraw: Withdraw = None, replace: Replace = False, tenant: Tenant = "", json: Json = False
) -> None:
    """Say what looks wrong in a file, and propose nothing. Exit code 1 where anything does.

    \b
    Examples:
      spendmeter catalog lint prices.toml
    """
    findings = _propose(file, "", withdraw, replace, tenant, dry_run=True)["review"]["findings"]
    if not _shown(findings, json):
        _print_findings(findings)
    if findings:
        raise typer.Exit(1)


@app.command()
def diff(
    what: Annotated[str, typer.Argument(help="A proposal's number, or a file that is not proposed yet.")],
    withdraw: Withdraw = None,
    replace: Replace = False,
    tenant: Tenant = "",
    json: Json = False,
) -> None:
    """Show what a proposal or a file would change, what looks wrong, and the money of the last 30 days.

    \b
    Examples:
      spendmeter catalog diff 12
      spendmeter catalog diff prices.toml --replace
    """
    if what.isdecimal():
        _review(_ask("GET", f"proposals/{what}", tenant), json)
        return
    if not Path(what).is_file():
        raise typer.BadParameter(f"{what!r} is neither a proposal's number nor a file")
    _review(_propose(Path(what), "", withdraw, replace, tenant, dry_run=True), json)


@app.command()
def approve(
    id: Id,
    confirm: Annotated[bool, typer.Option("--confirm", help="What lint asks to confirm is meant.")] = False,
    reason: Annotated[str, typer.Option(help="What to remember of the decision.")] = "",
    tenant: Tenant = "",
    json: Json = False,
) -> None:
    """Bring a proposal into force: everything is priced by it within 2 seconds.

    \b
    Examples:
      spendmeter catalog approve 12
      spendmeter catalog approve 13 --confirm --reason "the vendor's price did fall by 80 %"
    """
    answer = _ask("POST", f"proposals/{id}/approve", tenant, body={"confirm": confirm, "reason": reason})
    if not _shown(answer, json):
        typer.echo(f"proposal {id} is in force as version {answer['version']}")


@app.command()
def reject(
    id: Id,
    reason: Annotated[str, typer.Option(help="Why not.", prompt="Why not")],
    tenant: Tenant = "",
    json: Json = False,
) -> None:
    """Turn a proposal down.

    \b
    Examples:
      spendmeter catalog reject 12 --reason "prices of another region"
    """
    answer = _ask("POST", f"proposals/{id}/reject", tenant, body={"reason": reason})
    if not _shown(answer, json):
        typer.echo(f"proposal {id} is rejected")


@app.command()
def proposals(
    state: Annotated[str, typer.Option(help="open, approved or rejected.")] = "", tenant: Tenant = "",
    json: Json = False,
) -> None:  # fmt: skip
    """List what was proposed, newest first.

    \b
    Examples:
      spendmeter catalog proposals --state open
    """
    answer = _ask("GET", "proposals", tenant, {"state": state} if state else {})
    if _shown(answer, json):
        return
    for each in answer["proposals"]:
        decided = f" by {each['decided_by']}" if each["decided_by"] else ""
        typer.echo(
            f"{each['id']:>5}  {each['state']}{decided}  {_when(each['proposed_at'])} by "
            f"{each['proposed_by']}  {each['name']}  {each['note']}"
        )


@app.command()
def inbox(
    accept: Annotated[str, typer.Option(help="Propose the ready price of this one: PROVIDER/SKU.")] = "",
    tenant: Tenant = "",
    json: Json = False,
) -> None:
    """Show what is used and has no price, what is at stake, and a price to begin with.

    \b
    Examples:
      spendmeter catalog inbox
      spendmeter catalog inbox --accept openai/gpt-9-mini
    """
    if accept:
        provider, sku = _split(accept)
        _review(_ask("POST", "inbox", tenant, body={"provider": provider, "sku": sku}), json)
        return
    answer = _ask("GET", "inbox", tenant)
    if _shown(answer, json):
        return
    for item in answer["items"]:
        stakes = ", ".join(f"{each['provisional']} {each['currency']}" for each in item["at_stake"])
        used = ", ".join(f"{quantity} {unit}" for unit, quantity in item["usage"].items())
        name = f"{item['provider']}/{item['sku']}"
        typer.echo(f"{name}  first seen {item['age_s']:,} s ago, {item['events']:,} events")
        typer.echo(f"  {used and f'used: {used}; '}without a price: {', '.join(item['units'])}")
        typer.echo(f"  at stake: {stakes} provisional, {item['unpriced_events']:,} events unpriced")
        for near in item["nearest"]:
            typer.echo(f"  near: {near['provider']}/{near['sku']} ({near['reason']})")
        way = f"spendmeter catalog inbox --accept {name}" if item["proposal"] else "write a price file"
        typer.echo(f"  next: {way}")
    if not answer["items"]:
        typer.echo("everything that is used has a price")


@app.command()
def changes(
    since: Annotated[str, typer.Argument(help="A version, a day, or an instant as 2026-11-01T00:00:00Z.")],
    until: Annotated[str, typer.Argument(help="The same. Default: now.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="How many to print.")] = 200,
    tenant: Tenant = "",
    json: Json = False,
) -> None:
    """Report what changed between two publications or instants.

    \b
    Examples:
      spendmeter catalog changes 1
      spendmeter catalog changes 2026-10-01 2026-11-01
    """
    asked = {"from": _version(since)} | ({"to": _version(until)} if until else {})
    answer = _ask("GET", "changes", tenant, asked)
    if not _shown(answer, json):
        answer["changes"] = answer["changes"][:limit]
        typer.echo(f"after version {answer['since']}, up to {answer['until']}:")
        _print_changes(answer)


@app.command()
def terms(tenant: Tenant = "", json: Json = False) -> None:
    """Show what is agreed with tenants: currency, time zone, contracts, bounds for what is unknown.

    \b
    Examples:
      spendmeter catalog terms
      spendmeter catalog terms --tenant acme
    """
    from json import dumps

    answer = _ask("GET", "terms", tenant)
    if _shown(answer, json):
        return
    about = ("type", "id", "version", "source", "recorded_at", "by", "note", "revision")
    for each in answer["terms"]:
        typer.echo(f"entry {each['id']}, version {each['version']}, says {each['source']}")
        typer.echo(f"  {dumps({name: value for name, value in each.items() if name not in about})}")
    if not answer["terms"]:
        typer.echo("none: US dollars, UTC, no contracts")


@app.command()
def consensus(
    files: Annotated[
        list[Path], typer.Argument(help="Other sources' price files.", exists=True, dir_okay=False)
    ],
    tenant: Tenant = "",
    json: Json = False,
) -> None:
    """Report where other sources state other prices than the catalog. Exit code 1 where any does.

    \b
    Examples:
      spendmeter catalog consensus model_prices_and_context_window.json genai-prices.json
    """
    reports = {
        str(file): _ask("POST", "consensus", tenant, {"name": file.name}, content=_bytes(file))
        for file in files
    }
    if not _shown(reports, json):
        for name, report in reports.items():
            _print_consensus(name, report)
    if any(report["disagreements_total"] for report in reports.values()):
        raise typer.Exit(1)


def _print_consensus(name: str, report: Any) -> None:
    """Where one source differs."""
    typer.echo(f"{name} and catalog version {report['version']}: {report['models']:,} models in both")
    for each in report["disagreements"]:
        conditions = f" ({each['conditions']})" if each["conditions"] else ""
        what = f"{each['provider']}/{each['sku']} {each['unit']}{conditions}"
        here = f"{each['ours']} {each['our_currency']}" if each["ours"] else "no price"
        per = f" per {each['per']:,}" if each["per"] > 1 else ""
        typer.echo(f"  {what}: here {here}, there {each['theirs']} {each['currency']}{per}")
    if more := report["disagreements_total"] - len(report["disagreements"]):
        typer.echo(f"  ... and {more:,} more")
    if not report["disagreements"]:
        typer.echo("  they agree")
    if alone := report["only_theirs"]:
        names = ", ".join(alone[:NAMES_SHOWN])
        typer.echo(f"  {len(alone):,} there alone: {names}{' ...' if len(alone) > NAMES_SHOWN else ''}")


def _bytes(file: Path) -> bytes:
    """The file; ends the command where the api would refuse its size."""
    from spendmeter.cli._running import fail
    from spendmeter.pricing.catalog.read import FILE_BYTES_MAX

    if (size := file.stat().st_size) > FILE_BYTES_MAX:
        fail(f"{file} has {size:,} bytes, and a price file has at most {FILE_BYTES_MAX:,}")
    return file.read_bytes()


def _propose(
    file: Path, note: str, withdraw: list[str] | None, replace: bool, tenant: str, *, dry_run: bool = False
) -> Any:
    asked = {
        "name": file.name, "note": note, "withdraw": withdraw or [], "replace": str(replace).lower(),
        "dry_run": str(dry_run).lower(),
    }  # fmt: skip
    return _ask("POST", "proposals", tenant, asked, content=_bytes(file))


def _ask(
    method: str, path: str, tenant: str, query: Any = None, *, body: Any = None, content: bytes | None = None
) -> Any:
    """The api's answer; ends the command with what it says when it refuses."""
    import httpx

    from spendmeter.cli._client import explained, settled
    from spendmeter.cli._running import fail

    url, key = settled("SPENDMETER_API_URL", "SPENDMETER_ADMIN_KEY")
    headers = {"Authorization": f"Bearer {key}"} | ({"X-Spendmeter-Tenant": tenant} if tenant else {})
    try:
        answer = httpx.request(
            method, f"{url.rstrip('/')}/v1/catalog/{path}", params=query, json=body, content=content,
            headers=headers, timeout=TIMEOUT_S,
        )  # fmt: skip
    except httpx.HTTPError as error:
        fail(f"the api does not answer: {error or type(error).__name__}")
    if answer.is_error:
        said = explained(answer)
        findings = answer.json().get("findings", []) if answer.status_code == 409 else []
        fail("\n".join([said, *map(_finding, findings)]))
    return answer.json()


def _model(model: str, tenant: str) -> Any:
    provider, sku = _split(model)
    return _ask("GET", "model", tenant, {"provider": provider, "sku": sku})


def _split(model: str) -> tuple[str, str]:
    provider, slash, sku = model.partition("/")
    if not (provider and slash and sku):
        raise typer.BadParameter(f"{model!r}: write PROVIDER/SKU, as in openai/gpt-4o")
    return provider, sku


def _shown(answer: Any, json: bool) -> bool:
    if json:
        from json import dumps

        typer.echo(dumps(answer, indent=2))
    return json


def _order(row: Any) -> tuple[str, int, str]:
    """By unit, what holds always before what holds under conditions."""
    return row["entry"]["unit"], len(row["conditions"]), row["conditions"]


def _instant(text: str) -> str:
    """A day begins at midnight of UTC, as prices do; anything else is the api's to read."""
    from datetime import date

    try:
        return f"{date.fromisoformat(text).isoformat()}T00:00:00Z"
    except ValueError:
        return text


def _version(text: str) -> str:
    return text if text.isdecimal() and len(text) < DAY_DIGITS else _instant(text)


def _said(row: Any) -> str:
    """What a recorded entry says, in a line."""
    entry = row["entry"]
    return f"{row['says'] or entry['type'].split('.')[-2]}, says {entry['source']}"


def _when(instant: str) -> str:
    return f"{instant[:16].replace('T', ' ')}Z"


def _review(proposal: Any, json: bool) -> None:
    """Print a proposal's diff, findings and money."""
    if _shown(proposal, json):
        return
    review = proposal["review"]
    _print_changes(review)
    _print_findings(review["findings"])
    if money := review["impact"]:
        known = "an unknown number" if money["events"] is None else f"{money['events']:,}"
        typer.echo(
            f"since {_when(money['since'])}: {money['repriced']:,} of {known} events priced by both books, "
            "the newest first"
        )
        for each in money["amounts"]:
            typer.echo(f"  {each['before']} -> {each['after']} {each['currency']} ({each['difference']})")
        if money["statuses_before"] != money["statuses_after"]:
            typer.echo(
                f"  by status: {_counts(money['statuses_before'])} -> {_counts(money['statuses_after'])}"
            )
    if proposal["id"] is not None and proposal["state"] == "open":
        typer.echo(f"proposal {proposal['id']} is open. Next: spendmeter catalog approve {proposal['id']}")


def _counts(statuses: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {status}" for status, count in sorted(statuses.items())) or "none"


def _finding(finding: Any) -> str:
    return f"  {finding['severity']}: {finding['message']}"


def _print_findings(findings: Any) -> None:
    for finding in findings:
        typer.echo(_finding(finding))
    if not findings:
        typer.echo("nothing looks wrong")


def _print_changes(report: Any) -> None:
    from decimal import Decimal

    from spendmeter.contracts.money import plain

    for change in report["changes"]:
        what = f"{change['provider']}/{change['sku']} {change['unit']}"
        ratio = f" (x {plain(Decimal(change['ratio']))})" if change.get("ratio") else ""
        amounts = f"{_amount(change, 'before')} -> {_amount(change, 'after')}"
        typer.echo(f"  {change['change']}: {what}: {amounts}{ratio}")
        if change["conditions"]:
            typer.echo(f"    {change['conditions']}")
    if more := report["changes_total"] - len(report["changes"]):
        typer.echo(f"  ... and {more:,} more")
    if not report["changes"]:
        typer.echo("no price changes")


def _amount(change: Any, side: str) -> str:
    entry = change.get(side)
    if entry is None:
        return "none"
    if "factor" in entry:
        return f"times {entry['factor']}"
    return f"{entry['price']} {entry.get('currency', 'USD')} per {entry.get('per', 1):,}"
