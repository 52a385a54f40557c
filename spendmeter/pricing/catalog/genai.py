"""genai-prices' data as tables of a price file: the shipped catalog, and whatever has been published since.

`python -m spendmeter.pricing.catalog.genai` writes public.jsonl from the installed package. What the source
says and we cannot express raises, with the model's name: half of a price list is no price list. Nothing that
prices imports genai-prices.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, MutableMapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.metadata import version
from itertools import product
from typing import Any

import msgspec
from genai_prices import data
from genai_prices import types as source
from msgspec.structs import replace
from pydantic import ValidationError

from spendmeter.contracts.catalog import ANY, Conditions, HoursWindow
from spendmeter.contracts.money import plain
from spendmeter.pricing.catalog import PUBLIC
from spendmeter.pricing.catalog.files import Header, ModelLine, Rates, write_jsonl
from spendmeter.pricing.catalog.genai_fields import name_unread
from spendmeter.pricing.conditions import CatalogError

RECORDED_AT = datetime(2026, 11, 23, tzinfo=UTC)
"""When the pinned version was taken over."""
UTC_CALENDAR = "utc"

_UNITS = {
    "input_mtok": "input_tokens",
    "cache_read_mtok": "cache_read_tokens",
    "cache_write_mtok": "cache_write_5m_tokens",
    "cache_write_1h_mtok": "cache_write_1h_tokens",
    "input_audio_mtok": "input_audio_tokens",
    "cache_audio_read_mtok": "cache_read_audio_tokens",
    "input_image_mtok": "input_image_tokens",
    "cache_image_read_mtok": "cache_read_image_tokens",
    "input_video_mtok": "input_video_tokens",
    "output_mtok": "output_tokens",
    "output_audio_mtok": "output_audio_tokens",
    "output_image_mtok": "output_image_tokens",
    "output_video_mtok": "output_video_tokens",
    "output_reasoning_mtok": "reasoning_tokens",
    "output_citation_mtok": "citation_tokens",
    "input_mchars": "characters",
    "web_searches_kcount": "searches",
    "storage_searches_kcount": "file_searches",
    "requests_kcount": "requests",
    "input_text_messages_kcount": "messages",
    "input_document_kpages": "pages",
    "input_annotated_document_kpages": "annotated_pages",
    "audio_hours": "audio_seconds",
    "input_audio_hours": "audio_seconds",
}
_PER = {"mtok": 1_000_000, "mchars": 1_000_000, "kcount": 1_000, "kpages": 1_000, "hours": 3_600}

# Groq bills whisper for at least ten seconds a request; genai-prices has the rule in its code.
_MINIMUM = dict.fromkeys([("groq", "whisper-large-v3"), ("groq", "whisper-large-v3-turbo")], "10")

PriceCell = tuple[Conditions, str, Decimal]
"""Under these conditions the source's price key costs that much."""


def lines(providers: list[source.Provider]) -> list[ModelLine | dict[str, Any]]:
    """All that the providers say: themselves, then their models, sorted. Raises CatalogError."""
    models = [
        _model(provider, model, taken) for provider, taken in _named(providers) for model in provider.models
    ]
    by_hour = any(rates.when.calendar for model in models for rates in model.rates)
    return [
        *([{"type": "calendar", "name": UTC_CALENDAR, "time_zone": "UTC"}] if by_hour else []),
        *sorted(map(_provider, providers), key=lambda line: str(line["provider"])),
        *sorted(models, key=lambda line: (line.provider, line.sku)),
    ]


def published(text: str, not_taken: MutableMapping[str, tuple[str, ...]]) -> list[source.Provider]:
    """What its data.json holds; `not_taken` is told, by model, the fields that nobody reads. Raises
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


def tables(providers: list[source.Provider]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Place, kind and table of all that the providers say. Raises CatalogError."""
    for line in lines(providers):
        table = dict(line) if isinstance(line, dict) else {"type": "model", **msgspec.to_builtins(line)}
        place = "/".join(table[name] for name in ("provider", "sku") if name in table)
        yield place or table["name"], table.pop("type"), table


_decode = msgspec.json.Decoder(float_hook=Decimal).decode


def header() -> Header:
    """Where and when the entries come from."""
    return Header(
        source=f"genai-prices {version('genai-prices')}", recorded_at=RECORDED_AT, by="public catalog"
    )


def _named(providers: list[source.Provider]) -> Iterator[tuple[source.Provider, dict[str, str]]]:
    """Each provider with who owns which exact name: the first model that lists it, and each its own id."""
    for provider in providers:
        owners = {model.id.lower(): model.id for model in provider.models}
        for model in provider.models:
            for clause in _alternatives(model.match):
                if isinstance(clause, source.ClauseEquals):
                    owners.setdefault(clause.equals.lower(), model.id)
        yield provider, owners


def _provider(provider: source.Provider) -> dict[str, Any]:
    match = list(_globs(provider.provider_match)) if provider.provider_match else []
    said = {"match": match, "resells": provider.fallback_model_providers}
    return {"type": "provider", "provider": provider.id} | {
        name: value for name, value in said.items() if value
    }


def _model(provider: source.Provider, model: source.ModelInfo, owners: dict[str, str]) -> ModelLine:
    try:
        return _expressed(provider, model, owners)
    except (KeyError, TypeError, ValueError) as error:
        raise CatalogError(f"{provider.id}/{model.id}: there is no way to say {error}") from None


def _expressed(provider: source.Provider, model: source.ModelInfo, owners: dict[str, str]) -> ModelLine:
    globs = sorted({*_globs(model.match)} | set(_arns(provider, model)))
    exact = {name for name in globs if not re.search(r"[*#]", name)}
    return ModelLine(
        provider=provider.id,
        sku=model.id.lower(),
        aliases=tuple(
            name for name in sorted(exact - {model.id.lower()}) if owners.get(name, model.id) == model.id
        ),
        match=tuple(name for name in globs if name not in exact),
        unless=tuple(sorted(_exceptions(model.match))),
        retired=bool(model.deprecated),
        rates=tuple(_rates(provider, model)),
    )


def _arns(provider: source.Provider, model: source.ModelInfo) -> Iterator[str]:
    """Bedrock also names a model by an ARN that ends in its id. The source knows those of profiles alone."""
    for glob in _globs(model.match) if provider.id == "aws" else ():
        if re.match(r"(?!global\.)[a-z0-9-]+\.[a-z]", glob):
            yield f"arn:*:foundation-model/{glob}"


def _alternatives(clause: source.MatchLogic) -> Iterator[source.MatchLogic]:
    if isinstance(clause, source.ClauseOr):
        for part in clause.or_:
            yield from _alternatives(part)
    else:
        yield clause


def _globs(clause: source.MatchLogic) -> Iterator[str]:
    for part in _alternatives(clause):
        match part:
            case source.ClauseEquals():
                yield part.equals.lower()
            case source.ClauseStartsWith():
                yield f"{part.starts_with.lower()}*"
            case source.ClauseContains():
                yield f"*{part.contains.lower()}*"
            case source.ClauseEndsWith():
                yield f"*{part.ends_with.lower()}"
            case source.ClauseRegex():
                yield from _regex_globs(part.regex)
            case source.ClauseAnd():
                every = [glob for item in part.and_ if not _excludes(item) for glob in _globs(item)]
                yield "".join(every).replace("**", "*")
            case _:
                raise ValueError(f"the match {part}")


_NOT_TTS = "^(?!.*-[tT][tT][sS](?:$|-))"


def _excludes(clause: source.MatchLogic) -> bool:
    return isinstance(clause, source.ClauseRegex) and clause.regex == _NOT_TTS


def _exceptions(clause: source.MatchLogic) -> set[str]:
    """Globs of what an `and` excludes; the one such expression in use means: no part named tts."""
    for part in _alternatives(clause):
        if isinstance(part, source.ClauseAnd) and any(map(_excludes, part.and_)):
            return {"*-tts", "*-tts-*"}
    return set()


def _regex_globs(regex: str) -> Iterator[str]:
    """The globs that mean the same as `regex`, which may have literals, digits, [ab] and (...)? alone."""
    if not regex.startswith("^"):
        raise ValueError(f"the regular expression {regex}")
    body, closed = (regex[1:-1], True) if regex.endswith("$") else (regex[1:], False)
    body = re.sub(r"\\d\{(\d)\}", lambda found: "#" * int(found[1]), body).replace(r"\d", "#")
    choices = [
        ([part[1:-2], ""] if part.endswith(")?") else list(part[1:-1]) if part.startswith("[") else [part])
        for part in re.findall(r"\([^()]+\)\?|\[[^]]+\]|(?:\\.|[^\\(\[])+", body)
    ]
    for parts in product(*choices):
        name = "".join(parts) + ("" if closed else "*")
        name = re.sub(r"\\([.\[\]])", r"\1", name)
        if re.search(r"[\\()?+|^$]", name):
            raise ValueError(f"the regular expression {regex}")
        yield name.lower()


def _rates(provider: source.Provider, model: source.ModelInfo) -> Iterator[Rates]:
    groups: dict[tuple[Conditions, int, bool], dict[str, str]] = defaultdict(dict)
    for when, key, price in _merged([*_standard(model), *_variants(model), *_free(model)]):
        if key == "web_searches_kcount" and when.tiers == (_FAST_SEARCH,):
            when, unit = replace(when, tiers=()), "fast_searches"
        else:
            unit = _UNITS[key]
        when = ANY if when == ANY else when  # the value that files leave out
        group = groups[when, _PER[key.rpartition("_")[2]], key == "requests_kcount"]
        if group.setdefault(unit, plain(price)) != plain(price):
            raise ValueError(f"two prices for {unit}")
    minimum = _MINIMUM.get((provider.id, model.id), "0")
    for (when, per, per_event), prices in groups.items():
        yield Rates(when=when, per=per, per_event=per_event, minimum=minimum, prices=prices)


def _merged(cells: list[PriceCell]) -> Iterator[PriceCell]:
    """The cells by date, where a price goes on unchanged as one: the source repeats all at every change."""
    lines: dict[tuple[Conditions, str], list[PriceCell]] = {}
    for cell in cells:
        lines.setdefault((_effective(cell[0], None, None), cell[1]), []).append(cell)
    merged: list[PriceCell] = []
    for line in lines.values():
        line.sort(key=lambda cell: cell[0].effective_from or datetime.min.replace(tzinfo=UTC))
        joined = line[:1]
        for when, key, price in line[1:]:
            before, _, was = joined[-1]
            if price == was and before.effective_to == when.effective_from:
                joined[-1] = replace(before, effective_to=when.effective_to), key, price
            else:
                joined.append((when, key, price))
        merged += joined
    yield from merged


def _free(model: source.ModelInfo) -> Iterator[PriceCell]:
    """An explicit zero where the vendor says so; a model without prices is otherwise unknown, not free."""
    said_free = model.id.endswith(":free") or (model.price_comments or "").find("Free of charge") >= 0
    if said_free and not any(True for _ in _standard(model)):
        yield ANY, "input_mtok", Decimal(0)
        yield ANY, "output_mtok", Decimal(0)


def _standard(model: source.ModelInfo) -> Iterator[PriceCell]:
    """The last conditional price that is active wins; hours win over dates."""
    if isinstance(model.prices, source.ModelPrice):
        yield from _cells(ANY, model.prices)
        return
    windows: dict[str, tuple[list[HoursWindow], source.ModelPrice]] = {}
    until: date | None = None
    for conditional in reversed(model.prices):
        constraint = conditional.constraint
        if isinstance(constraint, source.TimeOfDateConstraint):
            same, _ = windows.setdefault(repr(conditional.prices), ([], conditional.prices))
            same.append(HoursWindow(start=_clock(constraint.start_time), end=_clock(constraint.end_time)))
            continue
        since = constraint.start_date if constraint else None
        if until is None or since is None or since < until:
            yield from _cells(_effective(ANY, since, until), conditional.prices)
            until = since
    for hours, prices in windows.values():
        hours.sort(key=lambda window: window.start)
        yield from _cells(replace(ANY, calendar=UTC_CALENDAR, windows=tuple(hours)), prices)


_FAST_SEARCH = "fast search"
_WHEN = {
    ("processing", "batch"): Conditions(batch=True),
    ("service_tier", "flex"): Conditions(tiers=("flex",)),
    ("service_tier", "priority"): Conditions(tiers=("priority",)),
    ("service_tier", "fast"): Conditions(tiers=("fast",)),
    ("speed", "fast"): Conditions(tiers=("fast",)),
    ("route", "mistral/eu"): Conditions(regions=("eu", "mistral/eu")),
    ("search_type", "fast"): Conditions(tiers=(_FAST_SEARCH,)),
    ("service_tier", "default"): ANY,
    ("search_type", "web"): ANY,
}


def _variants(model: source.ModelInfo) -> Iterator[PriceCell]:
    """Per price, the first variant that is active wins."""
    until: dict[tuple[tuple[str, str], str], date | None] = {}
    for variant in model.price_variants or ():
        ((name, value),) = variant.when.items()
        when = _WHEN[name, value]
        constraint = variant.constraint
        if isinstance(constraint, source.TimeOfDateConstraint):
            raise TypeError("hours of a variant")
        since = constraint.start_date if constraint else None
        for key, price in vars(variant.prices).items():
            before = until.get(((name, value), key), date.max)
            if before is None or (since is not None and since >= before):
                continue
            until[(name, value), key] = since
            end = None if before == date.max else before
            yield from _cells(_effective(when, since, end), source.ModelPrice(**{key: price}))


def _effective(when: Conditions, since: date | None, until: date | None) -> Conditions:
    def midnight(day: date | None) -> datetime | None:
        return None if day is None else datetime.combine(day, time(), UTC)

    return replace(when, effective_from=midnight(since), effective_to=midnight(until))


def _clock(moment: time) -> str:
    moved = datetime.combine(date(2000, 1, 1), moment).astimezone(UTC) if moment.tzinfo else moment
    if moved.second or moved.microsecond:
        raise ValueError(f"a window to the second, {moment}")
    return f"{moved:%H:%M}"


def _cells(when: Conditions, prices: source.ModelPrice) -> Iterable[PriceCell]:
    """One cell a price and, where it depends on the context length, a bracket."""
    for key, price in vars(prices).items():
        if isinstance(price, Decimal):
            yield when, key, price
        elif price is not None:
            steps = [(None, price.base), *((tier.start, tier.price) for tier in price.tiers)]
            ends: list[int | None] = [tier.start for tier in price.tiers]
            for (above, amount), end in zip(steps, [*ends, None], strict=True):
                yield _bracket(when, above, end), key, amount


def _bracket(when: Conditions, above: int | None, end: int | None) -> Conditions:
    """More than `above` and up to `end` tokens. The source writes 200,000 and up as > 199,999."""
    if above is not None:
        from_here = above % 1000 == 999
        when = replace(when, context_min=above + from_here, context_min_inclusive=from_here)
    if end is not None:
        below = end % 1000 == 999
        when = replace(when, context_max=end + below, context_max_inclusive=not below)
    return when


if __name__ == "__main__":
    write_jsonl(PUBLIC, header(), lines(data.providers))
