"""spendmeter price."""

from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Annotated, Any

import msgspec
import typer

from cli import _prices
from cli._event import usage_event
from cli._options import JsonOption, ModelArgument, RegionOption, TierOption, UsageArgument
from cli._running import NO_PRICE, usage_error
from cli._terminal import say, say_as_json
from spendmeter.contracts.event_reading import read_event
from spendmeter.contracts.events import EventError, UsageEvent, encode_event, event_time
from spendmeter.contracts.foreign_units import explain_foreign_unit
from spendmeter.contracts.gate import check_counted_once
from spendmeter.contracts.money import plain
from spendmeter.contracts.rated import Line
from spendmeter.pricing.engine import Rating
from spendmeter.pricing.explain import ExplainedLine, explain, naming, text

NEAR_MAX = 3


def command(
    model: ModelArgument,
    usage: UsageArgument,
    at: Annotated[
        str, typer.Option(help="When it was used: 2025-06-01 or 2025-06-01T10:00:00Z. Default: now.")
    ] = "",
    tier: TierOption = "",
    region: RegionOption = "",
    tenant: Annotated[
        str, typer.Option(help="Whose contracts, own prices and currency count; of the running system.")
    ] = "",
    shipped: Annotated[
        bool, typer.Option("--shipped", help="The catalog of this release, also when a system runs.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Explain what usage costs, line by line. By the running system's catalog, or, when none runs, by that of
    this release; the answer says which. Exit code 3: for some of it there is no price.

    \b
    Examples:
      spendmeter price openai/gpt-4o input_tokens=2000 cache_read_tokens=8000 output_tokens=1000
      spendmeter price openai/o3 input_tokens=1000000 --at 2025-06-01
      spendmeter price openai/gpt-5.4 input_tokens=5000 output_tokens=900 --tier batch --json
      spendmeter price aws/aurora-standard io_requests=2500000
      spendmeter price openai/gpt-4o input_tokens=2000 --tenant acme
    """
    if tenant and shipped:
        usage_error("--tenant is of the running system, and --shipped asks none")
    event = _read(
        usage_event(model, id="price", source="cli", usage=usage, at=at, tier=tier, region=region), tenant
    )
    prices = _find_prices(event, tenant, shipped=shipped)
    book, asked = prices.book, event.data.provider
    plan = book.plan(tenant, event.data)
    for unit in event.data.usage:
        if unit not in book.parents:
            foreign = explain_foreign_unit(unit, event.data.usage)
            usage_error(foreign or f"the catalog has no unit {unit!r}{_near(unit, book.parents)}")
    rating, lines = explain(event, book)
    hint = "" if plan.sku else _near_models(book, plan.provider, asked, event.data.sku)
    names = list(naming(tenant, event.data, book))
    code = NO_PRICE if rating.status in ("provisional", "unpriced") else 0
    if not json:
        _print(event, rating, lines, [f"prices: {prices.name}", *([hint] if hint else names)])
        raise typer.Exit(code)
    said = {
        "prices": prices.name,
        "model": f"{plan.provider or asked}/{plan.sku or event.data.sku}",
        "at": event_time(event).isoformat(),
        "tier": _tier(event),
        "region": region,
        "total": plain(rating.effective),
        "list": plain(rating.list),
        "currency": rating.currency,
        "status": rating.status,
        "hint": hint,
        "naming": names,
        "lines": [_line_json(*both, event) for both in zip(rating.lines, lines, strict=True)],
    }
    say_as_json(said)
    raise typer.Exit(code)


def _find_prices(event: UsageEvent, tenant: str, *, shipped: bool) -> _prices.Prices:
    """The running system's, or as much of this release's as the event needs."""
    asked = event.data.provider
    prices = (None if shipped else _prices.running(tenant)) or _prices.shipped(asked)
    if tenant and not prices.book.version:
        usage_error("--tenant is of the running system, and none runs here: make up")
    if prices.book.version:
        return prices
    plan = prices.book.plan(tenant, event.data)
    others = set(prices.book.sellers(plan.provider)) - {asked}
    # By another name, or one whose prices it resells, or passes on.
    if others and (plan.sku is None or prices.book.passes_on(asked, event.data.sku)):
        prices = _prices.shipped(asked, *others)
        plan = prices.book.plan(tenant, event.data)
    if plan.sku is None:
        return _prices.shipped()  # anybody's prices may bound what nobody knows
    return prices


def _read(event: dict[str, Any], tenant: str) -> UsageEvent:
    """As ingest would read it; ends the command, naming the quantity, where that refuses it."""
    try:
        read = read_event(encode_event({"time": datetime.now(UTC), "tenant": tenant} | event))
        for unit in read.data.usage:
            check_counted_once(unit, read.data.usage)
    except EventError as error:
        usage_error(str(error).removeprefix("data.usage."))
    return read


def _near_models(book: Any, provider: str | None, asked_provider: str, sku: str) -> str:
    """What an unknown model may be meant to be."""
    if provider is None:
        return f"the catalog has no provider {asked_provider!r}{_near(asked_provider, book.providers)}"
    names = {s for p, s in book.prices if p == provider}
    return f"the catalog has no model {sku!r}{_near(sku.lower(), names)}"


def _near(word: str, words: Any) -> str:
    near = get_close_matches(word, sorted(words), n=NEAR_MAX)
    return f": did you mean {' or '.join(near)}?" if near else ""


def _tier(event: UsageEvent) -> str:
    return "batch" if event.data.context.batch else event.data.context.service_tier


def _print(event: UsageEvent, rating: Rating, lines: tuple[ExplainedLine, ...], notes: list[str]) -> None:
    data = event.data
    total = f"{plain(rating.effective)} {rating.currency}"
    place = f", region {data.context.region}" if data.context.region else ""
    say(
        f"{data.provider}/{data.sku} at {event_time(event):%Y-%m-%d %H:%M:%S} UTC, tier {_tier(event)}{place}"
    )
    for note in notes:
        say(note)
    rows = [_sum(line, event, rating.currency) for line in rating.lines]
    a, b, c, _ = (max(map(len, column)) for column in zip(*rows, strict=True))
    say()
    for quantity, unit, price, amount in rows:
        say(f"  {quantity:>{a}} {unit:<{b}}  x  {price:<{c}}  =  {amount}")
    least = "at least " if rating.status == "unpriced" else ""
    say(f"  {'total':>{a + b + c + 6}}  =  {least}{total}, {rating.status}")
    for line in lines:
        say()
        say(*text(line))


def _sum(line: Line, event: UsageEvent, currency: str) -> tuple[str, str, str, str]:
    """A line's arithmetic: quantity, unit, price, amount."""
    quantity = event.data.usage.get(line.unit) if line.quantity is None else line.quantity
    price = "unknown" if line.price is None else line.price
    if line.per != 1:
        price += f" / {line.per:,}"
    amount = "unknown" if line.amount is None else f"{line.amount} {line.currency or currency}"
    return f"{quantity:,}", line.unit, price, amount


def _line_json(line: Line, explained: ExplainedLine, event: UsageEvent) -> dict[str, Any]:
    words = msgspec.to_builtins(explained)
    said: dict[str, Any] = words | msgspec.to_builtins(line) | {"remarks": words["remarks"]}
    said.setdefault("quantity", msgspec.to_builtins(event.data.usage.get(line.unit)))
    return said
