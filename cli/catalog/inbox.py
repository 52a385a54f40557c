"""What is used and has no price, and the way from there to one."""

from shlex import quote
from typing import Annotated, Any

import typer

from cli._event import provider_and_sku
from cli._instants import instant
from cli._options import JsonOption, TenantOption, printed_as_json
from cli._running import usage_error
from cli._terminal import say
from cli.catalog._api import ask
from cli.catalog._print import print_review
from spendmeter.platform.spoken import duration


def inbox(
    accept: Annotated[str, typer.Option(help="Propose what is ready for this one: PROVIDER/SKU.")] = "",
    rate: Annotated[
        str, typer.Option(help="Propose an exchange rate that is missing: BASE/QUOTE=RATE.", metavar="RATE")
    ] = "",
    since: Annotated[
        str, typer.Option(help="From when the rate holds. Default: the day of the first usage without it.")
    ] = "",
    source: Annotated[str, typer.Option(help="Where the rate is written.")] = "",
    tenant: TenantOption = "",
    json: JsonOption = False,
) -> None:
    """Show what is used and has no price, what is at stake, and what to do about it; what has a price that
    does not say how it was served; and the fields that senders gave and that nobody knows.

    \b
    Examples:
      spendmeter catalog inbox
      spendmeter catalog inbox --accept openai/gpt-9-mini
      spendmeter catalog inbox --rate USD/EUR=0.92 --since 2026-11-01 --source "the ECB"
    """
    if accept:
        provider, sku = provider_and_sku(accept)
        print_review(ask("POST", "inbox", tenant, body={"provider": provider, "sku": sku}), json)
        return
    if rate:
        asked = _rate(rate) | {"source": source} | ({"effective_from": instant(since)} if since else {})
        print_review(ask("POST", "inbox/rates", tenant, body=asked), json)
        return
    answer = ask("GET", "inbox", tenant) | ask("GET", "inbox/dropped", tenant)
    if printed_as_json(answer, json):
        return
    for unit in answer["units"]:
        say(f"{unit['says']} (sent for {', '.join(unit['of'])} by {', '.join(unit['tenants'])})")
    waiting = [item for item in answer["items"] if item["state"] == "open"]
    for item in waiting:
        _print_open(item)
    if not waiting:
        say("everything that is used has a price")
    for item in answer["items"]:
        if item["state"] == "booked":
            _print_booked(item)
    for remark in answer["remarks"]:
        _print_remark(remark)
    if answer["dropped"]:
        _print_dropped(answer["dropped"])


def _rate(text: str) -> dict[str, str]:
    pair, equals, rate = text.partition("=")
    base, slash, quote = pair.partition("/")
    if not (base and slash and quote and equals and rate):
        usage_error(f"{text!r}: write BASE/QUOTE=RATE, as in USD/EUR=0.92")
    return {"base": base.upper(), "quote": quote.upper(), "rate": rate}


def _print_open(item: Any) -> None:
    used = ", ".join(f"{quantity} {unit}" for unit, quantity in item["usage"].items())
    say(f"{_name(item)}  first seen {duration(item['age_s'])} ago, {item['events']:,} events")
    if used:
        say(f"  used: {used}")
    for lack in item["lacks"]:
        say(f"  {lack['unit'] + ': ' if lack['kind'] == 'model' else ''}{lack['says']}")
    say(f"  at stake: {_stakes(item)}")
    for near in item["nearest"]:
        say(f"  near: {near['provider']}/{near['sku']} ({near['reason']})")
    for way in _ways(item):
        say(f"  next: {way}")


def _print_booked(item: Any) -> None:
    say(f"{_name(item)}  {item['kept']}")
    say(f"  in the book: {_stakes(item)}")


def _print_remark(remark: Any) -> None:
    money = ", ".join(f"{each['effective']} {each['currency']}" for each in remark["money"])
    say(f"{remark['provider'] or 'others'}  {remark['says']}")
    say(
        f"  in the book: {remark['events']:,} events, {money}, since {remark['since'][:10]}, "
        f"of {', '.join(remark['tenants'])}"
    )
    say(f"  {remark['kept'] or 'next: ' + remark['advice']}")


def _print_dropped(rows: Any) -> None:
    say("", "fields of events that nobody knows, and that were not kept:")
    for row in rows:
        key = f"{row['key_id']} ({row['key_name']})" if row["key_name"] else row["key_id"]
        whose = row["tenant"] or "an operator"
        say(f"  {row['name']}  {row['requests']:,} requests of key {key} of {whose}, last {row['last_at']}")


def _name(item: Any) -> str:
    return f"{item['provider']}/{item['sku']}"


def _stakes(item: Any) -> str:
    bounds = [f"{each['provisional']} {each['currency']} provisional" for each in item["at_stake"]]
    return ", ".join([*bounds, f"{item['unpriced_events']:,} events unpriced"])


def _ways(item: Any) -> list[str]:
    """What to type, or to do, about each thing that is missing."""
    ways = []
    if ready := item["proposal"]:
        ways.append(f"spendmeter catalog inbox --accept {quote(_name(item))}  ({ready['says']})")
    for lack in item["lacks"]:
        if lack["kind"] == "rate":
            pair = f"{lack['base']}/{lack['quote']}"
            ways.append(f"spendmeter catalog inbox --rate {pair}=RATE --since {item['since'][:10]}")
        elif lack["kind"] in ("unit", "dates") or not item["proposal"]:
            ways.append(lack["advice"])
    return list(dict.fromkeys(ways))
