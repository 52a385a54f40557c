"""spendmeter rerates: jobs that price booked events anew."""

from typing import Annotated, Any

import typer

from cli._asking import OfTenantOption, ask
from cli._correcting import YesOption, confirm
from cli._instants import minute
from cli._options import JsonOption, printed_as_json
from cli._rerates import followed, print_job
from cli._terminal import say

app = typer.Typer(help="Re-rates: list them, see one, apply or cancel it. `spendmeter rerate` asks for one.")
JobArgument = Annotated[str, typer.Argument(help="The job's id.")]


@app.callback(invoke_without_command=True)
def list_jobs(
    context: typer.Context,
    state: Annotated[str, typer.Option(help="previewed, applying, applied, cancelled ...")] = "",
    tenant: OfTenantOption = "",
    json: JsonOption = False,
) -> None:
    """List jobs, the newest first.

    \b
    Examples:
      spendmeter rerates
      spendmeter rerates show 0b6c3f0e-5d3f-4c0e-9f5e-2f1d1c5f8a11
    """
    if context.invoked_subcommand:
        return
    answer = ask("GET", "rerates", tenant, {"state": state} if state else {})
    if printed_as_json(answer, json):
        return
    for job in answer["rerates"]:
        at = minute(job["requested_at"])
        say(f"{at}  {job['rerate_id']}  {job['state']}  {job['summary']}  {job['reason']}")
    if not answer["rerates"]:
        say("none was asked for")


@app.command("show")
def show(id: JobArgument, tenant: OfTenantOption = "", json: JsonOption = False) -> None:
    """Show what a job changes, or would, by team and model.

    \b
    Examples:
      spendmeter rerates show 0b6c3f0e-5d3f-4c0e-9f5e-2f1d1c5f8a11
    """
    _print(ask("GET", f"rerates/{id}", tenant), json)


@app.command("apply")
def apply(
    id: JobArgument, yes: YesOption = False, tenant: OfTenantOption = "", json: JsonOption = False
) -> None:
    """Book the difference that a job has shown, and stay until that is done.

    \b
    Examples:
      spendmeter rerates apply 0b6c3f0e-5d3f-4c0e-9f5e-2f1d1c5f8a11
    """
    job = ask("GET", f"rerates/{id}", tenant)
    confirm(f"{job['summary']}. Book this difference?", yes)
    _print(followed(ask("POST", f"rerates/{id}/apply", tenant), tenant), json)


@app.command("cancel")
def cancel(id: JobArgument, tenant: OfTenantOption = "", json: JsonOption = False) -> None:
    """End a job where it stands; what it has changed by then stays.

    \b
    Examples:
      spendmeter rerates cancel 0b6c3f0e-5d3f-4c0e-9f5e-2f1d1c5f8a11
    """
    _print(ask("POST", f"rerates/{id}/cancel", tenant), json)


def _print(job: Any, json: bool) -> None:
    if not printed_as_json(job, json):
        print_job(job)
