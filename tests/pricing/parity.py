"""Our engine beside two other pricers: `make parity`.

Method: every model that genai-prices and the shipped catalog both price, over a grid: text alone, read from
and written to a cache, every other unit that the model prices, alone and all together; each context boundary
at -1, 0 and +1, cached and not; every way of serving that has prices of its own; a second before, at and
after every dated change; the hours of a day and the edges of every window. Each figure must equal that of
genai-prices to the last digit of money (where a quotient never ends, 12 places). Then litellm, over the part
of the grid that it can be asked: where it agrees with genai-prices, so must we. Where our figure is another
one because a correction says so (some line was decided by it, and without corrections we say what the oracle
says), the model is `corrected`, and the rule is named. Any other model that differs in some case must be on
the list in parity.toml: case, both figures, the vendor's rule and its date.

An entry of the last line is one model held against one oracle; `equal` says in every case of the grid.
"""

from __future__ import annotations

import json
import os
import sys
import tomllib
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

from genai_prices import Usage, data
from genai_prices import types as genai

from spendmeter.contracts.events import UsageEvent
from spendmeter.contracts.money import quantised
from spendmeter.pricing.catalog import load_snapshot
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.attribution import Attribution, shipped
from tests.pricing.entries import used

ALLOWED = Path(__file__).with_name("parity.toml")
ALLOWED_MAX = 40
NOW = datetime(2026, 11, 20, 10, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
GENAI, LITELLM = "genai-prices", "litellm"

# Our unit: the price that genai-prices has for it, and what of theirs, who count inclusively, it adds to.
_UNITS = {
    "input_tokens": ("input_mtok", "input_tokens"),
    "cache_read_tokens": ("cache_read_mtok", "cache_read_tokens input_tokens"),
    "cache_write_5m_tokens": ("cache_write_mtok", "cache_write_tokens input_tokens"),
    "cache_write_1h_tokens": (
        "cache_write_1h_mtok", "cache_write_1h_tokens cache_write_tokens input_tokens",
    ),
    "input_audio_tokens": ("input_audio_mtok", "input_audio_tokens input_tokens"),
    "cache_read_audio_tokens": (
        "cache_audio_read_mtok", "cache_audio_read_tokens input_audio_tokens cache_read_tokens input_tokens",
    ),
    "input_image_tokens": ("input_image_mtok", "input_image_tokens input_tokens"),
    "cache_read_image_tokens": (
        "cache_image_read_mtok", "cache_image_read_tokens input_image_tokens cache_read_tokens input_tokens",
    ),
    "input_video_tokens": ("input_video_mtok", "input_video_tokens input_tokens"),
    "output_tokens": ("output_mtok", "output_tokens"),
    "reasoning_tokens": ("output_reasoning_mtok", "output_reasoning_tokens output_tokens"),
    "citation_tokens": ("output_citation_mtok", "output_citation_tokens output_tokens"),
    "output_audio_tokens": ("output_audio_mtok", "output_audio_tokens output_tokens"),
    "output_image_tokens": ("output_image_mtok", "output_image_tokens output_tokens"),
    "output_video_tokens": ("output_video_mtok", "output_video_tokens output_tokens"),
    "characters": ("input_mchars", "input_characters"),
    "audio_seconds": ("audio_hours", "audio_seconds input_audio_seconds"),
    "searches": ("web_searches_kcount", "web_searches"),
    "file_searches": ("storage_searches_kcount", "storage_searches"),
    "messages": ("input_text_messages_kcount", "input_text_messages"),
    "pages": ("input_document_kpages", "input_document_pages"),
    "annotated_pages": ("input_annotated_document_kpages", "input_annotated_document_pages input_document_pages"),
}  # fmt: skip
_TEXT = {"input_tokens": 1_003, "output_tokens": 777}
_CACHED = _TEXT | {"cache_read_tokens": 30_011}
_WRITTEN = {"input_tokens": 3, "cache_write_5m_tokens": 12_304, "output_tokens": 550}
_WRITTEN_1H = _WRITTEN | {"cache_write_1h_tokens": 5}

# What genai-prices is told of a request, and what the event says of it.
_SERVED: dict[tuple[str, str], dict[str, Any]] = {
    ("processing", "batch"): {"batch": True},
    ("service_tier", "default"): {"service_tier": "default"},
    ("service_tier", "flex"): {"service_tier": "flex"},
    ("service_tier", "priority"): {"service_tier": "priority"},
    ("service_tier", "fast"): {"service_tier": "fast"},
    ("speed", "fast"): {"service_tier": "fast"},
    ("route", "mistral/eu"): {"region": "mistral/eu"},
    ("search_type", "web"): {},
    ("search_type", "fast"): {},  # a unit of ours
}
_PLAIN = ("", "")
_LITELLM_PREFIXES = {
    "openai": "", "anthropic": "", "aws": "", "azure": "azure/", "google": "gemini/",
    "mistral": "mistral/", "deepseek": "deepseek/", "x-ai": "xai/", "groq": "groq/", "perplexity": "perplexity/",
    "fireworks": "fireworks_ai/accounts/fireworks/models/", "together": "together_ai/", "novita": "novita/",
    "openrouter": "openrouter/", "moonshotai": "moonshot/", "cerebras": "cerebras/", "zai": "zai/",
    "minimax": "minimax/", "voyageai": "voyage/", "databricks": "databricks/", "cohere": "",
}  # fmt: skip
_LITELLM_UNITS = frozenset({*_CACHED, *_WRITTEN})
_LITELLM_TIERS = frozenset({_PLAIN, ("service_tier", "flex"), ("service_tier", "priority")})
_FLOAT_NOISE = Decimal("1e-12")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One question to all pricers; `usage` is ours (disjoint), `way` what genai-prices is told of serving."""

    provider: genai.Provider
    model: genai.ModelInfo
    usage: Mapping[str, int]
    way: tuple[str, str] = _PLAIN
    at: datetime = NOW

    def __str__(self) -> str:
        usage = ", ".join(f"{unit} {quantity}" for unit, quantity in self.usage.items())
        return f"{usage}{'; ' + ' '.join(self.way) if self.way[0] else ''}; {self.at.isoformat()}"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What we say of a case; what we say without corrections, and the rules that make the difference."""

    amount: Decimal
    uncorrected: Decimal
    rules: Collection[str] = ()


Corrected = tuple[str, Decimal, Decimal]
"""A case, our figure and the oracle's."""


@dataclass(kw_only=True)
class Report:
    """What was compared; `differs` has, by oracle and model, the first case that differs and both figures."""

    cases: Counter[str] = field(default_factory=Counter)
    entries: set[tuple[str, str]] = field(default_factory=set)
    differs: dict[tuple[str, str], tuple[str, Decimal, Decimal]] = field(default_factory=dict)
    corrected: dict[tuple[str, str], dict[str, Corrected]] = field(default_factory=dict)
    """By oracle and model: by rule, the first case that differs because a correction says so."""
    torn: set[str] = field(default_factory=set)
    """Models of which the two oracles say different things in some case."""

    def compare(self, oracle: str, case: Case, ours: Answer, theirs: Decimal, noise: Decimal) -> None:
        """Take down one answer of an oracle's."""
        key = oracle, f"{case.provider.id}/{case.model.id}"
        self.cases[oracle] += 1
        self.entries.add(key)
        if abs(ours.amount - theirs) <= noise:
            return
        if ours.rules and abs(ours.uncorrected - theirs) <= noise:
            for rule in ours.rules:
                self.corrected.setdefault(key, {}).setdefault(rule, (str(case), ours.amount, theirs))
        else:
            self.differs.setdefault(key, (str(case), ours.amount, theirs))

    def unexplained(self, allowed: Mapping[tuple[str, str], Mapping[str, str]]) -> list[str]:
        """What differs and is not on the list with these figures, and what is on the list and equal."""
        wrong = []
        for key, (case, ours, theirs) in self.differs.items():
            listed = allowed.get(key, {})
            if (listed.get("case"), listed.get("ours"), listed.get("theirs")) != (
                case,
                str(ours),
                str(theirs),
            ):
                wrong.append(f"{key[1]}: {case}: ours {ours}, {key[0]} {theirs}")
        wrong += [
            f"{key[1]}: on the list, and equal to {key[0]}" for key in allowed.keys() - self.differs.keys()
        ]
        return wrong


def compare(
    book: PriceBook,
    providers: Iterable[genai.Provider] = data.providers,
    corrections: Attribution | None = None,
) -> Report:
    """Hold the book against both oracles; `corrections` explain what differs from them, None = nothing."""
    report = Report()
    known = _litellm_costs()
    for provider in providers:
        for model in provider.models:
            if (provider.id, model.id.lower()) not in book.prices:
                continue  # genai-prices knows the name and no price: not free, but unknown
            name = f"{_LITELLM_PREFIXES.get(provider.id)}{model.id}"
            for case in grid(provider, model):
                theirs = genai_says(case)
                ours = ours_says(case, book, theirs, corrections)
                endless = quantised(theirs) if "audio_seconds" in case.usage else theirs
                report.compare(GENAI, case, ours, endless, Decimal(0))
                if name in known and (second := litellm_says(case, name, known[name])) is not None:
                    if abs(second - theirs) <= _FLOAT_NOISE:
                        report.compare(LITELLM, case, ours, second, _FLOAT_NOISE)
                    else:
                        report.torn.add(name)
    return report


def grid(provider: genai.Provider, model: genai.ModelInfo) -> Iterator[Case]:
    """Every question about one model."""
    ways = [_PLAIN, *dict.fromkeys(way for each in model.price_variants or () for way in each.when.items())]
    for way, usage, at in product(ways, _usages(model), _instants(model)):
        yield Case(provider=provider, model=model, usage=usage, way=way, at=at)


def _usages(model: genai.ModelInfo) -> Iterator[dict[str, int]]:
    yield _TEXT
    yield _CACHED
    yield _WRITTEN
    yield _WRITTEN_1H
    keys = {key for prices in _stated(model) for key, price in vars(prices).items() if price is not None}
    own = [unit for unit, (key, _) in _UNITS.items() if key in keys]
    others = {
        unit: 10_007 + 13 * number for number, unit in enumerate(own) if unit not in {*_CACHED, *_WRITTEN_1H}
    }
    for unit, quantity in others.items():
        yield _TEXT | {unit: quantity}
    if others:
        yield _CACHED | _WRITTEN_1H | others
    if "audio_seconds" in own:
        yield {"audio_seconds": 3}  # under the least that Groq bills
    starts = {
        tier.start
        for prices in _stated(model)
        for price in vars(prices).values()
        if isinstance(price, genai.TieredPrices)
        for tier in price.tiers
    }
    for start in sorted(starts):
        for tokens in (start - 1, start, start + 1):
            yield {"input_tokens": tokens, "output_tokens": 777}
            yield {"input_tokens": 5, "cache_read_tokens": tokens - 5, "output_tokens": 777}


def _stated(model: genai.ModelInfo) -> Iterator[genai.ModelPrice]:
    prices = model.prices
    yield from [prices] if isinstance(prices, genai.ModelPrice) else [each.prices for each in prices]
    yield from (variant.prices for variant in model.price_variants or ())


def _instants(model: genai.ModelInfo) -> list[datetime]:
    """Now, and around everything in time that this model's price depends on."""
    conditional = [] if isinstance(model.prices, genai.ModelPrice) else model.prices
    edges, hours = set(), set()
    for each in (*conditional, *(model.price_variants or ())):
        match each.constraint:
            case genai.StartDateConstraint(start_date=day):
                edges.add(datetime.combine(day, time(), UTC))
            case genai.TimeOfDateConstraint(start_time=start, end_time=end):
                hours |= {start, end, *(time(hour, 30, tzinfo=UTC) for hour in range(24))}
    days = {edge.date() for edge in edges} | {NOW.date()}
    edges |= {datetime.combine(day, clock).astimezone(UTC) for day in days for clock in hours}
    return sorted({NOW} | {edge + moved for edge in edges for moved in (-SECOND, 0 * SECOND, SECOND)})


def ours_says(case: Case, book: PriceBook, theirs: Decimal, corrections: Attribution | None) -> Answer:
    """The list cost in our engine and, where that is not theirs, what corrections make of it."""
    event = asked(case)
    amount = rate(event, book).list
    if amount == theirs or corrections is None:
        return Answer(amount=amount, uncorrected=amount)
    plain, rules = corrections.rules_for(event, book)
    return Answer(amount=amount, uncorrected=plain.list, rules=rules)


def asked(case: Case) -> UsageEvent:
    """The case as an event."""
    usage = dict(case.usage)
    if case.way == ("search_type", "fast") and "searches" in usage:
        usage["fast_searches"] = usage.pop("searches")
    context = _SERVED[case.way] if case.way[0] else {}
    return used(case.provider.id, case.model.id, usage, at=case.at, **context)


def inclusive(usage: Mapping[str, int]) -> Usage:
    """The same usage as genai-prices counts it: what is read from a cache is part of the input."""
    counts: Counter[str] = Counter()
    for unit, quantity in usage.items():
        for counted in _UNITS[unit][1].split():
            counts[counted] += quantity
    return Usage(**counts)


def genai_says(case: Case) -> Decimal:
    """The cost by genai-prices' own calc_price of the model."""
    name, value = case.way
    answer = case.model.calc_price(
        inclusive(case.usage),
        case.provider,
        genai_request_timestamp=case.at,
        price_context={name: value} if name else None,
    )
    return answer.total_price


def _litellm_costs() -> dict[str, dict[str, Any]]:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import litellm
    costs: dict[str, dict[str, Any]] = litellm.model_cost
    return costs


def litellm_says(case: Case, name: str, known: Mapping[str, Any]) -> Decimal | None:
    """The cost by litellm's cost_per_token; None = it has no dates, units or ways of serving to ask it so."""
    from litellm import cost_per_token

    usage = case.usage
    if case.at != NOW or case.way not in _LITELLM_TIERS or not usage.keys() <= _LITELLM_UNITS:
        return None
    read, written = usage.get("cache_read_tokens", 0), usage.get("cache_write_5m_tokens", 0)
    if known.get("mode") not in {"chat", "completion", "responses", "embedding"}:
        return None
    # A cached token without a price of its own costs nothing in litellm.
    if (read and "cache_read_input_token_cost" not in known) or (
        written and "cache_creation_input_token_cost" not in known
    ):
        return None
    prompt, completion = cost_per_token(
        model=name,
        prompt_tokens=usage["input_tokens"] + read + written,
        completion_tokens=usage["output_tokens"],
        cache_read_input_tokens=read,
        cache_creation_input_tokens=written,
        service_tier=case.way[1] or None,
    )
    return Decimal(repr(prompt)) + Decimal(repr(completion))


def allow_list() -> dict[tuple[str, str], dict[str, str]]:
    """The differences that somebody has looked into, by oracle and model."""
    listed = tomllib.loads(ALLOWED.read_text("utf-8")).get("difference", [])
    if len(listed) > ALLOWED_MAX:
        raise ValueError(f"{ALLOWED.name} may list {ALLOWED_MAX} differences, not {len(listed)}")
    for each in listed:
        if missing := {"oracle", "model", "case", "ours", "theirs", "rule", "date"} - each.keys():
            raise ValueError(f"{ALLOWED.name}: {each} lacks {sorted(missing)}")
    return {(each["oracle"], each["model"]): each for each in listed}


def print_corrected(report: Report) -> None:
    """Each rule that makes a difference, its models, and the first case of each oracle."""
    by_rule: dict[str, list[tuple[str, str]]] = {}
    for key, rules in report.corrected.items():
        for rule in rules:
            by_rule.setdefault(rule, []).append(key)
    for rule, keys in sorted(by_rule.items()):
        print(f"corrected by {rule}: {len(keys)} entries")
        for oracle in (GENAI, LITELLM):
            named = [name for its, name in keys if its == oracle]
            if named:
                case, ours, theirs = report.corrected[oracle, named[0]][rule]
                print(f"  {oracle}: {', '.join(named)}")
                print(f"    as in {named[0]}: {case}: ours {ours}, theirs {theirs}")


def main() -> int:
    report = compare(PriceBook(load_snapshot(), version=1), corrections=shipped())
    allowed = allow_list()
    unexplained = report.unexplained(allowed)
    print(__doc__)
    for oracle in (GENAI, LITELLM):
        models = sum(1 for entry in report.entries if entry[0] == oracle)
        print(f"{oracle}: {models} models, {report.cases[oracle]} cases")
    print(
        f"models of which the two oracles differ in some case, then held against {GENAI}: {len(report.torn)}"
    )
    print("  " + ", ".join(sorted(report.torn)))
    print_corrected(report)
    print(*unexplained, sep="\n")
    figures = {
        "entries": len(report.entries),
        "equal": len(report.entries - report.differs.keys() - report.corrected.keys()),
        "corrected": len(report.corrected.keys() - report.differs.keys()),
        "allowed": len(allowed.keys() & report.differs.keys()),
        "unexplained": len(unexplained),
    }
    print(json.dumps(figures))
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
