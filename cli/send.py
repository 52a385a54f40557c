"""spendmeter send."""

import asyncio
import time
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import httpx
import typer

from cli._event import event_in, usage_event
from cli._http import Access, Refusal, access, client, post_events
from cli._options import JsonOption, LabelOption, ModelArgument, RegionOption, TierOption
from cli._outcome import exit_code, hints, outcome_of, print_receipt
from cli._running import fail, usage_error
from cli._terminal import as_text, say_as_json

RECEIPT_S_MAX = 30.0
POLL_S = 0.1
_FLAGS = {
    "id": "--id",
    "source": "--source",
    "supersedes": "--supersedes",
    "supersedessource": "--supersedes-source",
    "time": "--at",
    "data.provider": "MODEL",
    "data.sku": "MODEL",
    "data.context.service_tier": "--tier",
    "data.context.region": "--region",
}
"""Which argument a field of the event was written in."""


def command(
    model: ModelArgument = "",
    usage: Annotated[
        list[str] | None, typer.Argument(help="Quantities: UNIT=NUMBER. Cached tokens are no input tokens.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="Send the event in this file (JSON) instead.", exists=True, allow_dash=True),
    ] = None,
    label: LabelOption = None,
    id: Annotated[str, typer.Option(help="The event's id; the same id again is booked once.")] = "",
    source: Annotated[str, typer.Option(help="Who sends. Default: cli, or as in the file.")] = "",
    supersedes: Annotated[
        str,
        typer.Option(help="Id of a submission that was not booked, or retracted: this one is instead of it."),
    ] = "",
    supersedes_source: Annotated[str, typer.Option(help="The source of that one, where it is another.")] = "",
    at: Annotated[
        str,
        typer.Option(
            "--at", "--time", help="When it was used: 2026-11-23 or 2026-11-23T10:00:00Z. Default: now."
        ),
    ] = "",
    tier: TierOption = "",
    region: RegionOption = "",
    as_json: JsonOption = False,
) -> None:
    """Send one event and follow it to its receipt: received, priced line by line, booked.

    \b
    Exit codes:
      0  booked (now, or earlier with the same content) and priced
      3  booked, and for some of it there is no price: bounded, or counted
      1  not booked: refused, rejected, or another event has this id; or the outcome is unknown
      2  an argument is wrong, and nothing was sent

    \b
    Examples:
      spendmeter send openai/gpt-4o input_tokens=1200 output_tokens=80
      spendmeter send anthropic/claude-sonnet-4-5 input_tokens=5 cache_read_tokens=128955 --label team=search
      spendmeter send openai/gpt-5.4 input_tokens=5000 output_tokens=900 --tier batch --region eu
      spendmeter send aws/aurora-standard io_requests=2500000 --id bill-2026-11-23 --json
      spendmeter send --file fixed.json --id req/82-fixed --supersedes req/82
    """
    if file is not None:
        if model or label or at or tier or region:
            usage_error(
                "--file: what the event says is in the file; --id, --source and --supersedes may be added"
            )
        event = event_in(file, id=id, source=source)
    elif not usage:
        usage_error("write what was used: MODEL UNIT=NUMBER, as in openai/gpt-4o input_tokens=1200")
    else:
        event = usage_event(
            model, id=id or f"cli-{uuid4()}", source=source or "cli", usage=usage, labels=label or (), at=at,
            tier=tier, region=region,
        )  # fmt: skip
    named = {"supersedes": supersedes, "supersedessource": supersedes_source}
    event |= {name: value for name, value in named.items() if value}
    try:
        earlier, receipt = asyncio.run(_send(access(), event))
    except Refusal as refusal:
        fail(_refusal_text(refusal), refusal.problem | {"errors": list(map(_with_flag, refusal.errors))})
    except httpx.HTTPError as error:
        fail(f"{error.request.url} does not answer: {error}")
    if receipt is None:
        fail(f"accepted, but not in the book after {RECEIPT_S_MAX:g} s. See: spendmeter status")
    outcome = outcome_of(earlier, receipt)
    if as_json:
        say_as_json({"outcome": outcome, "hints": hints(receipt)} | receipt)
    else:
        print_receipt(outcome, receipt)
    raise typer.Exit(exit_code(outcome, receipt))


def _refusal_text(refusal: Refusal) -> str:
    """The refusal in the words of this command line."""
    if not refusal.errors:
        return str(refusal)
    errors = [_with_flag(error) for error in refusal.errors]
    return as_text(f"refused: {error['flag']}: {error['reason']}" for error in errors)


def _with_flag(error: dict[str, Any]) -> dict[str, Any]:
    field = error["field"]
    kind, _, name = field.rpartition(".")
    if field.startswith("data.usage."):
        return error | {"flag": field.removeprefix("data.usage.")}
    return error | {"flag": f"--label {name}" if kind == "data.labels" else _FLAGS.get(field, field)}


async def _send(access: Access, event: dict[str, Any]) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Post the event; the receipt that its id had before, and its receipt once that shows it (None where
    there is none in time).

    A receipt that was there before grows by a copy: duplicate or conflict.
    """
    async with client(access) as http:
        earlier = receipt = await _receipt(http, access, event)
        await post_events(http, access, [event])
        deadline = time.monotonic() + RECEIPT_S_MAX
        while receipt == earlier and time.monotonic() < deadline:
            await asyncio.sleep(POLL_S)
            receipt = await _receipt(http, access, event)
    return earlier, None if receipt == earlier else receipt


async def _receipt(http: httpx.AsyncClient, access: Access, event: dict[str, Any]) -> dict[str, Any] | None:
    named = {"source": event["source"], "id": event["id"]}
    answer = await http.get(f"{access.api_url}/v1/events", params=named)
    if answer.status_code == 404 or answer.is_server_error:
        return None  # still on its way
    if answer.is_client_error:
        raise Refusal(answer)
    receipt: dict[str, Any] = answer.json()
    return receipt
