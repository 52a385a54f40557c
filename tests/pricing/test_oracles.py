"""Two other pricers' word: genai-prices, whose data the catalog has, and litellm, whose data is its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from genai_prices import data
from genai_prices.types import (
    ClauseAnd,
    ClauseContains,
    ClauseEndsWith,
    ClauseEquals,
    ClauseOr,
    ClauseStartsWith,
    MatchLogic,
)
from msgspec.structs import replace

from spendmeter.contracts.catalog import Model, Price
from spendmeter.contracts.entry_ids import identified
from spendmeter.contracts.money import plain
from spendmeter.pricing.catalog import load_public, load_snapshot
from spendmeter.pricing.names import model_names
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.attribution import shipped
from tests.pricing.parity import GENAI, LITELLM, allow_list, compare


def test_every_model_costs_what_both_oracles_say_or_is_on_the_list(book: PriceBook) -> None:
    report = compare(book, corrections=shipped())
    assert report.unexplained(allow_list()) == []
    assert report.cases[GENAI] > 30_000
    assert report.cases[LITELLM] > 600


def test_what_a_correction_changes_is_counted_as_corrected_by_its_rule_and_nothing_else_is() -> None:
    (anthropic,) = [provider for provider in data.providers if provider.id == "anthropic"]
    entries = load_snapshot("anthropic")
    report = compare(PriceBook(entries), [anthropic], corrections=shipped())
    assert report.differs == {}
    batch = report.corrected[GENAI, "anthropic/claude-opus-4-6"]["anthropic/batch-half"]
    # half of 1,003 x 5 + 777 x 25 a million, before the day on which the source wrote batches down
    assert (batch[0].partition(";")[0], plain(batch[1]), plain(batch[2])) == (
        "input_tokens 1003, output_tokens 777", "0.01222", "0.02444",
    )  # fmt: skip
    unexplained = compare(PriceBook(entries), [anthropic]).differs
    assert unexplained.keys() == report.corrected.keys(), "without the rules nothing explains it"


def test_one_wrong_price_is_found_by_both_oracles() -> None:
    (anthropic,) = [provider for provider in data.providers if provider.id == "anthropic"]
    entries = load_public("anthropic")
    wrong = [
        identified(replace(entry, price="3.01"))
        if isinstance(entry, Price)
        and (entry.sku, entry.unit, entry.price) == ("claude-sonnet-4-5", "input_tokens", "3")
        else entry
        for entry in entries
    ]
    report = compare(PriceBook(wrong), [anthropic])
    assert report.differs.keys() == {
        (GENAI, "anthropic/claude-sonnet-4-5"),
        (LITELLM, "anthropic/claude-sonnet-4-5"),
    }
    # 1,003 x 3.01 + 777 x 15 a million
    case, ours, theirs = report.differs[GENAI, "anthropic/claude-sonnet-4-5"]
    assert (case.partition(";")[0], str(ours), str(theirs)) == (
        "input_tokens 1003, output_tokens 777", "0.01467403", "0.014664",
    )  # fmt: skip
    assert len(report.unexplained({})) == 2
    listed = {
        key: {"case": case, "ours": str(ours), "theirs": str(theirs)}
        for key, (case, ours, theirs) in report.differs.items()
    }
    assert report.unexplained(listed) == []
    assert len(report.unexplained(listed | {(GENAI, "anthropic/claude-2"): {}})) == 1  # listed, and equal


def test_what_rates_imports_neither_oracle() -> None:
    source = (
        "import sys, services.rating.worker; sys.exit(bool({'genai_prices', 'litellm'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", source], check=False).returncode == 0


def test_every_name_means_the_model_that_genai_prices_says() -> None:
    models: dict[str, list[Model]] = {}
    for entry in load_public():
        if isinstance(entry, Model):
            models.setdefault(entry.provider, []).append(entry)
    unequal = []
    for provider in data.providers:
        names = model_names(models[provider.id])
        for model in provider.models:
            for name in {model.id, *_names(model.match)}:
                theirs = provider.find_model(name)
                claim = names.exactly(name.lower()) or names.like(name.lower())
                ours = claim and claim.owner
                # A model's own id means that model, which genai-prices does not always know.
                if ours != (theirs.id.lower() if theirs else None) and not (
                    theirs is None and name == model.id
                ):
                    unequal.append((provider.id, name, ours, theirs and theirs.id))
    assert unequal == []


def _names(clause: MatchLogic) -> Iterator[str]:
    match clause:
        case ClauseOr():
            for part in clause.or_:
                yield from _names(part)
        case ClauseAnd():
            for part in clause.and_:
                yield from _names(part)
        case ClauseEquals():
            yield clause.equals
        case ClauseStartsWith():
            yield from (clause.starts_with, f"{clause.starts_with}-20260101", f"{clause.starts_with}x")
        case ClauseContains():
            yield from (clause.contains, f"abc/{clause.contains}-v1:0")
        case ClauseEndsWith():
            yield from (clause.ends_with, f"arn:aws/{clause.ends_with}")
