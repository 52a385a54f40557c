"""spendmeter rerate."""

from collections.abc import Iterable
from typing import Annotated, Any
from uuid import uuid4

import typer

from cli._asking import OfTenantOption, ask
from cli._correcting import ReasonOption, YesOption, confirm
from cli._event import provider_and_sku
from cli._instants import instant
from cli._options import JsonOption, printed_as_json
from cli._rerates import followed, print_job
from cli._running import usage_error


def command(
    reason: ReasonOption,
    provider: Annotated[list[str] | None, typer.Option(help="Only its events. Repeatable.")] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="Only this one's: PROVIDER/SKU. Repeatable.", metavar="MODEL")
    ] = None,
    since: Annotated[str, typer.Option(help="From this day or instant of use on.")] = "",
    until: Annotated[str, typer.Option(help="Before this day or instant of use.")] = "",
    status: Annotated[
        list[str] | None,
        typer.Option(help="Only events that are so now: provisional, unpriced, priced ... Repeatable."),
    ] = None,
    publication: Annotated[
        int | None, typer.Option(help="Only what this publication of the catalog changed.")
    ] = None,
    missing_rate: Annotated[
        str, typer.Option(help="Only what lacks an exchange rate of this currency.", metavar="CURRENCY")
    ] = "",
    version: Annotated[int | None, typer.Option(help="Of the catalog. Default: the newest.")] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Book it, after the dry run and a question.")
    ] = False,
    yes: YesOption = False,
    wait: Annotated[bool, typer.Option(help="Stay until it is done.")] = True,
    tenant: OfTenantOption = "",
    as_json: JsonOption = False,
) -> None:
    """Price booked events anew, as the catalog prices them now. First a dry run: what would change, by team
    and model. With --apply the difference is booked; both entries of each event stay.

    \b
    Examples:
      spendmeter rerate --publication 14 --reason "stated per 1 instead of per million"
      spendmeter rerate --model openai/gpt-9 --status provisional --reason "has a price by now" --apply
      spendmeter rerate --missing-rate EUR --reason "the rate of October came late" --apply --yes
    """
    body: dict[str, Any] = {"reason": reason, "rerate_id": str(uuid4()), "statuses": status or []}
    body |= _models(provider or [], model or [])
    more = {"publication": publication, "version": version, "missing_rate_of": missing_rate.upper()}
    more |= {"since": instant(since), "until": instant(until)}
    job = ask("POST", "rerates", tenant, body=body | {name: value for name, value in more.items() if value})
    job = followed(job, tenant) if wait or apply else job
    if apply and job["state"] == "previewed":
        if not as_json:
            print_job(job)
        confirm("Book this difference?", yes)
        job = ask("POST", f"rerates/{job['rerate_id']}/apply", tenant)
        job = followed(job, tenant) if wait else job
    if not printed_as_json(job, as_json):
        print_job(job)
    if job["state"] == "refused":
        raise typer.Exit(1)


def _models(providers: list[str], models: Iterable[str]) -> dict[str, list[str]]:
    named = list(map(provider_and_sku, models))
    if len({provider for provider, _ in named} | set(providers)) > 1 and named:
        usage_error("--model: a job is about models of one provider; ask for one job each")
    return {"providers": list(dict.fromkeys([*providers, *(each for each, _ in named)]))} | (
        {"skus": [sku for _, sku in named]} if named else {}
    )
