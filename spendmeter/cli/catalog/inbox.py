"""What is used and has no price, and the way from there to one."""

from __future__ import annotations

from typing import Annotated

import typer

from spendmeter.cli.catalog._api import ask, provider_and_sku
from spendmeter.cli.catalog._options import Json, Tenant
from spendmeter.cli.catalog._print import print_review, shown


def inbox(
    accept: Annotated[str, typer.Option(help="Propose the ready price of this one: PROVIDER/SKU.")] = "",
    tenant: Tenant = "",
    json: Json = False,
) -> None:
    """Show what is used and has no price, what is at stake, and a price to begin with; and the fields that
    senders gave and that nobody knows.

    \b
    Examples:
      spendmeter catalog inbox
      spendmeter catalog inbox --accept openai/gpt-9-mini
    """
    if accept:
        provider, sku = provider_and_sku(accept)
        print_review(ask("POST", "inbox", tenant, body={"provider": provider, "sku": sku}), json)
        return
    answer = ask("GET", "inbox", tenant) | ask("GET", "inbox/dropped", tenant)
    if shown(answer, json):
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
    if answer["dropped"]:
        typer.echo("\nfields of events that nobody knows, and that were not kept:")
    for row in answer["dropped"]:
        key = f"{row['key_id']} ({row['key_name']})" if row["key_name"] else row["key_id"]
        whose = row["tenant"] or "an operator"
        typer.echo(
            f"  {row['name']}  {row['requests']:,} requests of key {key} of {whose}, last {row['last_at']}"
        )
