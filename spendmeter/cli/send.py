"""spendmeter send."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer

if TYPE_CHECKING:
    import httpx

    from spendmeter.cli._client import Access

RECEIPT_S_MAX = 30.0
POLL_S = 0.1


def command(
    model: Annotated[str, typer.Argument(help="PROVIDER/SKU, as in openai/gpt-4o.", metavar="MODEL")],
    usage: Annotated[
        list[str], typer.Argument(help="Quantities: UNIT=NUMBER. Cached tokens are no input tokens.")
    ],
    label: Annotated[list[str] | None, typer.Option(help="NAME=VALUE: team=search. Repeatable.")] = None,
    id: Annotated[str, typer.Option(help="The event's id; the same id again is booked once.")] = "",
    source: Annotated[str, typer.Option(help="Who sends.")] = "cli",
    at: Annotated[str, typer.Option("--time", help="When it was used, as 2026-11-23T10:00:00Z.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the receipt as JSON.")] = False,
) -> None:
    """Send one event and follow it to its receipt: received, priced line by line, booked.

    \b
    Examples:
      spendmeter send openai/gpt-4o input_tokens=1200 output_tokens=80
      spendmeter send anthropic/claude-sonnet-4-5 input_tokens=5 cache_read_tokens=128955 --label team=search
      spendmeter send aws/aurora-standard io_requests=2500000 --id bill-2026-11-23 --json
    """
    import httpx

    from spendmeter.cli._client import Refusal, access, pairs, usage_event
    from spendmeter.cli._running import fail

    event = usage_event(model, label or [], id=id or f"cli-{uuid4()}", source=source)
    event["data"]["usage"] = pairs(usage)
    if at:
        event["time"] = at
    try:
        receipt = asyncio.run(_send(access(), event))
    except Refusal as refusal:
        fail(str(refusal))
    except httpx.HTTPError as error:
        fail(f"{error.request.url} does not answer: {error}")
    if receipt is None:
        fail(f"accepted, but not in the book after {RECEIPT_S_MAX:g} s. See: spendmeter status")
    if as_json:
        typer.echo(json.dumps(receipt, indent=2))
    else:
        _print(receipt)


async def _send(access: Access, event: dict[str, Any]) -> dict[str, Any] | None:
    """Post the event; its receipt once that shows it, or None when there is none in time.

    A receipt that was there before (the id was sent earlier) grows by a copy: duplicate or conflict.
    """
    from spendmeter.cli._client import http, post_events

    async with http(access) as client:
        earlier = receipt = await _receipt(client, access, event)
        await post_events(client, access, [event])
        deadline = time.monotonic() + RECEIPT_S_MAX
        while receipt == earlier and time.monotonic() < deadline:
            await asyncio.sleep(POLL_S)
            receipt = await _receipt(client, access, event)
    return receipt


async def _receipt(client: httpx.AsyncClient, access: Access, event: dict[str, Any]) -> dict[str, Any] | None:
    from spendmeter.cli._client import Refusal, explained

    named = {"source": event["source"], "id": event["id"]}
    answer = await client.get(f"{access.api_url}/v1/events", params=named)
    if answer.status_code == 404 or answer.is_server_error:
        return None  # still on its way
    if answer.is_client_error:
        raise Refusal(explained(answer))
    receipt: dict[str, Any] = answer.json()
    return receipt


def _print(receipt: dict[str, Any]) -> None:
    typer.echo(f"{receipt['status']}: {receipt['source']}/{receipt['id']}")
    for entry in receipt["entries"]:
        typer.echo(f"  at {receipt['time']}, recorded {entry['recorded_at']}")
        for line in entry["lines"]:
            why = f" ({line['reason']})" if line["reason"] else ""
            for arithmetic in line["arithmetic"] or [f"{line['unit']}: {line['status']}"]:
                typer.echo(f"    {arithmetic}{why}")
        typer.echo(
            f"  {entry['status']}: {entry['effective']} {entry['currency']}"
            f" (catalog version {entry['catalog_version']})"
        )
    for copy in receipt["copies"]:
        typer.echo(f"  {copy['outcome']}: {copy['reason']} ({copy['recorded_at']})")
