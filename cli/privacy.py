"""spendmeter privacy show, erase, keep and pin."""

from __future__ import annotations

from typing import Annotated

import typer

from cli._asking import OfTenantOption, ask
from cli._running import fail, work_on_database
from cli._terminal import say

app = typer.Typer(
    help="What is kept of a tenant, where and for how long; forgetting a person.", no_args_is_help=True
)

PrivacyWhy = Annotated[str, typer.Option("--reason", help="For whoever asks later.")]


@app.command()
def show(tenant: OfTenantOption = "") -> None:
    """What is stored, where and for how long; what never is."""
    answer = ask("GET", "privacy", tenant)
    say(f"region: {answer['region'] or 'any'}")
    say(f"pseudonyms are kept for {answer['retention']['pseudonyms_months']} months")
    for month in answer["people"]:
        say(f"  {month['month'][:7]}: {month['people']} people")
    say("kept:")
    for kind in answer["kept"]:
        say(f"  {kind['what']}")
        say(f"      in {', '.join([*kind['topics'], *kind['tables']])}; {kind['how_long']}")
    say("never kept:")
    for kind in answer["never"]:
        say(f"  {kind}")
    for erasure in answer["erasures"]:
        number, at, many = erasure["number"], erasure["at"][:16], erasure["pseudonyms"]
        say(f"erasure {number}: {at}  {many} pseudonyms, {erasure['by']}: {erasure['reason']}")


@app.command()
def erase(
    user: Annotated[str, typer.Argument(help="As applications name the user: jo@example.com")],
    reason: PrivacyWhy,
    tenant: OfTenantOption = "",
) -> None:
    """Forget a person: their pseudonyms are nobody's from then on. No total changes.

    \b
    Example: spendmeter privacy erase jo@example.com --reason "asked for on 2026-11-20"
    """
    answer = ask("POST", "privacy/erasures", tenant, body={"user": user, "reason": reason})
    say(f"{answer['pseudonyms']} pseudonyms are nobody's now; ingest forgets within 10 s")


@app.command()
def keep(
    months: Annotated[int, typer.Argument(min=1, max=120, help="With the current one.")],
    reason: PrivacyWhy,
    tenant: OfTenantOption = "",
) -> None:
    """Keep pseudonyms for so many months; older ones are deleted within 6 hours."""
    ask("PUT", "privacy", tenant, body={"pseudonyms_months": months, "reason": reason})
    say(f"pseudonyms are kept for {months} months")


@app.command()
def pin(
    tenant: Annotated[str, typer.Argument(help="Whose usage is pinned.")],
    region: Annotated[str, typer.Argument(help="As SPENDMETER_REGION says it; '' = anywhere.")],
) -> None:
    """Let a tenant's usage go to the system of one region alone: ingest of any other refuses it within 10 s.
    Works on the database: DATABASE_URL, or the running system's.

    \b
    Example: spendmeter privacy pin acme eu
    """
    from spendmeter.platform import keys

    if not work_on_database(lambda connection: keys.pin_tenant(connection, tenant, region)):
        fail(f"no tenant {tenant!r}")
    say(f"{tenant} is pinned to {region}" if region else f"{tenant} is pinned no longer")
