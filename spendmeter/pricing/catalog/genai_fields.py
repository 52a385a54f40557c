"""Fields of genai-prices' data.json that its own package does not read, so that none vanishes unseen."""

from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from genai_prices import types as source

from spendmeter.pricing.conditions import CatalogError

_SAYS_NO_PRICE = frozenset({"extractors", "collapse", "prices_checked", "price_discrepancies"})
"""How usage is read from answers, and how the list was made."""


def name_unread(
    raw: Any, providers: Sequence[source.Provider], not_taken: MutableMapping[str, tuple[str, ...]]
) -> None:
    """Put into `not_taken`, by provider or model, the fields that were not read. Raises CatalogError for one
    inside a price, a constraint or a match: without it what is read would mean something else."""
    for raw_provider, provider in zip(raw, providers, strict=True):
        _name(provider.id, _unread(raw_provider, provider, skip="models"), not_taken)
        for raw_model, model in zip(raw_provider.get("models") or (), provider.models, strict=True):
            _name(f"{provider.id}/{model.id}", _unread(raw_model, model), not_taken)


def _name(
    of: str, unread: Iterator[tuple[str, ...]], not_taken: MutableMapping[str, tuple[str, ...]]
) -> None:
    names: list[str] = []
    for path in unread:
        if len(path) > 1:
            raise CatalogError(f"{of}: {'.'.join(path[:-1])}: unknown field {path[-1]!r}")
        names += path
    if names:
        not_taken[of] = tuple(sorted(names))


def _unread(raw: Any, read: Any, skip: str = "") -> Iterator[tuple[str, ...]]:
    """Paths of what `raw` says and `read`, which was made of it, has no field for."""
    if isinstance(raw, list):
        for number, (each, one) in enumerate(zip(raw, read, strict=True)):
            yield from ((str(number), *path) for path in _unread(each, one))
    elif isinstance(raw, dict) and is_dataclass(read):
        known = {field.name.rstrip("_"): field.name for field in fields(read)}
        for key in raw.keys() - _SAYS_NO_PRICE - {skip}:
            if key not in known:
                yield (key,)
            else:
                yield from ((key, *path) for path in _unread(raw[key], getattr(read, known[key])))
    elif isinstance(raw, dict) and isinstance(read, source.ModelPrice):
        for key, price in raw.items():
            yield from ((key, *path) for path in _unread(price, getattr(read, key)))
