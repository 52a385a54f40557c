"""genai-prices' data as tables of a price file: the shipped catalog, and whatever has been published since.

`python -m spendmeter.pricing.catalog.genai` writes public.jsonl from the installed package. What the source
says and we cannot express raises, with the model's name: half of a price list is no price list. Nothing that
prices imports genai-prices.
"""

import re
from collections.abc import Iterator, MutableMapping
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import version
from typing import Any

import msgspec
from genai_prices import data
from genai_prices import types as source
from pydantic import ValidationError

from spendmeter.pricing.catalog import PUBLIC
from spendmeter.pricing.catalog.files import Header, ModelLine, PriceTable, write_jsonl
from spendmeter.pricing.catalog.genai_fields import name_unread
from spendmeter.pricing.catalog.genai_matches import exact_names, exceptions, globs
from spendmeter.pricing.catalog.genai_rates import UTC_CALENDAR, rates
from spendmeter.pricing.conditions import CatalogError

RECORDED_AT = datetime(2026, 11, 23, tzinfo=UTC)
"""When the pinned version was taken over."""

_decode = msgspec.json.Decoder(float_hook=Decimal).decode


def lines(providers: list[source.Provider]) -> list[ModelLine | dict[str, Any]]:
    """All that the providers say: themselves, then their models, sorted. Raises CatalogError."""
    models = []
    for provider in providers:
        owners = _owners(provider)
        models += [_model(provider, model, owners) for model in provider.models]
    by_hour = any(rates.when.calendar for model in models for rates in model.rates)
    return [
        *([{"type": "calendar", "name": UTC_CALENDAR, "time_zone": "UTC"}] if by_hour else []),
        *sorted(map(_provider, providers), key=lambda line: str(line["provider"])),
        *sorted(models, key=lambda line: (line.provider, line.sku)),
    ]


def published(text: str, not_taken: MutableMapping[str, tuple[str, ...]]) -> list[source.Provider]:
    """What its data.json holds; `not_taken` gets, by model, the fields that nobody reads. Raises
    CatalogError."""
    raw = _decode(text)
    try:
        # What the package's own updates are read with; the package is pinned, and has no other way in.
        providers = source._providers_from_raw(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise CatalogError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    name_unread(raw, providers, not_taken)
    return providers


def tables(providers: list[source.Provider]) -> Iterator[PriceTable]:
    """Place, kind and table of all that the providers say. Raises CatalogError."""
    for line in lines(providers):
        table = dict(line) if isinstance(line, dict) else {"type": "model", **msgspec.to_builtins(line)}
        place = "/".join(table[name] for name in ("provider", "sku") if name in table)
        yield place or table["name"], table.pop("type"), table


def header() -> Header:
    """Where and when the entries come from."""
    return Header(
        source=f"genai-prices {version('genai-prices')}", recorded_at=RECORDED_AT, by="public catalog"
    )


def _owners(provider: source.Provider) -> dict[str, str]:
    """Who owns which exact name: each model its own id, any other name the first model that lists it."""
    owners = {model.id.lower(): model.id for model in provider.models}
    for model in provider.models:
        for name in exact_names(model.match):
            owners.setdefault(name, model.id)
    return owners


def _provider(provider: source.Provider) -> dict[str, Any]:
    line: dict[str, Any] = {"type": "provider", "provider": provider.id}
    if provider.provider_match:
        line["match"] = list(globs(provider.provider_match))
    if provider.fallback_model_providers:
        line["resells"] = provider.fallback_model_providers
    return line


def _model(provider: source.Provider, model: source.ModelInfo, owners: dict[str, str]) -> ModelLine:
    sku = model.id.lower()
    try:
        names = sorted({*globs(model.match), *_arns(provider, model)})
        patterns = [name for name in names if re.search(r"[*#]", name)]
        others = [name for name in names if name not in (*patterns, sku)]
        return ModelLine(
            provider=provider.id,
            sku=sku,
            aliases=tuple(name for name in others if owners.get(name, model.id) == model.id),
            match=tuple(patterns),
            unless=tuple(sorted(exceptions(model.match))),
            retired=bool(model.deprecated),
            rates=tuple(rates(provider, model)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CatalogError(f"{provider.id}/{model.id}: there is no way to say {error}") from None


def _arns(provider: source.Provider, model: source.ModelInfo) -> Iterator[str]:
    """Bedrock also names a model by an ARN that ends in its id. The source knows those of profiles alone."""
    for glob in globs(model.match) if provider.id == "aws" else ():
        if re.match(r"(?!global\.)[a-z0-9-]+\.[a-z]", glob):
            yield f"arn:*:foundation-model/{glob}"


if __name__ == "__main__":
    write_jsonl(PUBLIC, header(), lines(data.providers))
