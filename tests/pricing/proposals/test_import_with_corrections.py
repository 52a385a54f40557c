"""A new release of the public catalog, imported where corrections lie over the old one."""

from __future__ import annotations

from dataclasses import dataclass

from spendmeter.contracts.catalog import CatalogEntry, Conditions, Price, Withdrawal
from spendmeter.contracts.entry_ids import identified
from spendmeter.contracts.money import plain
from spendmeter.pricing.catalog.corrections import read_corrections
from spendmeter.pricing.catalog.overlay import PublicEntries, lay_over
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.proposals.additions import additions
from spendmeter.pricing.proposals.corrections import ShippedRules, corrected
from spendmeter.pricing.review.finding import LintFinding
from spendmeter.pricing.visibility import EVERYBODY
from tests.pricing.entries import NOON, RECORDED, model, price, rated
from tests.pricing.proposals.snapshots import snapshot

SAID = """
vendor = "openai"
recorded_at = 2026-11-26T00:00:00Z
[[correction]]
name = "four"
rule = "Model m costs four."
source = "https://example.org/prices"
read = 2026-11-25
replaces = [{ sku = "m", units = ["input_tokens"], was = "WAS" }]
[[correction.price]]
sku = "m"
per = 1000000
prices = { input_tokens = "4" }
[[correction.check]]
price = "openai/m input_tokens=1000000"
want = "4"
working = "1 x 4"
"""
THREE, OUTPUT, NAMED = (
    price("m", "input_tokens", "3"),
    price("m", "output_tokens", "9"),
    model("m", "m-latest"),
)
DEARER = price("m", "output_tokens", "10")
PUBLIC: list[CatalogEntry] = [THREE, OUTPUT, NAMED]


def shipped() -> ShippedRules:
    (rule,) = read_corrections("openai.toml", SAID.encode())
    was = PublicEntries(PUBLIC).said_of(rule, rule.said.replaces[0])
    return ShippedRules(rules=read_corrections("openai.toml", SAID.replace("WAS", was).encode()), own=())


RULES = shipped()
STANDING = lay_over(PUBLIC, RULES.rules)


@dataclass(frozen=True)
class Sent:
    name: str = "data.json"
    content: bytes = b"[]"


def imported(
    *stated: CatalogEntry, to: list[CatalogEntry] = STANDING, file: Sent = Sent(), replaces: bool = True
) -> tuple[list[CatalogEntry], list[LintFinding]]:
    """What the catalog is afterwards, and what is said of corrections."""
    before = snapshot(*to)
    laid, findings = corrected(file, stated, before, RULES, NOON)
    added = additions(before, laid, as_tenant=EVERYBODY, replaces=replaces, source=file.name, now=NOON)
    return before.with_added(added), findings


def cost(entries: list[CatalogEntry]) -> tuple[str, str]:
    """Of a million tokens in, and out."""
    return plain(rated(entries, {"input_tokens": 1_000_000}).list), plain(
        rated(entries, {"output_tokens": 1_000_000}).list
    )


def test_a_correction_is_neither_undone_nor_doubled_by_a_new_release() -> None:
    after, findings = imported(THREE, DEARER, NAMED)
    assert cost(after) == ("4", "10")
    assert findings == []
    assert sum(isinstance(entry, Price) and entry.unit == "input_tokens" for entry in after) == 1


def test_a_release_that_contradicts_a_correction_is_named_and_the_correction_stays() -> None:
    after, [finding] = imported(price("m", "input_tokens", "3.5"), DEARER, NAMED)
    assert cost(after) == ("4", "10")
    assert finding.severity == "warning"
    assert finding.message.startswith(
        "correction openai/four is contradicted: the public catalog says something"
    )


def test_a_release_that_says_the_same_makes_a_correction_superfluous() -> None:
    after, [finding] = imported(price("m", "input_tokens", "4"), DEARER, NAMED)
    assert cost(after) == ("4", "10")
    assert finding.message == "correction openai/four is superfluous: no event costs anything else without it"


def test_a_correction_that_an_operator_has_withdrawn_does_not_come_back_with_a_release() -> None:
    (ours,) = RULES.rules[0].entries
    gone = identified(Withdrawal(entries=(ours.id,), source="an operator", recorded_at=RECORDED))
    after, findings = imported(*PUBLIC, to=[*STANDING, gone])
    assert cost(after) == ("3", "9")
    assert findings == []


def test_what_a_file_does_not_state_a_correction_of_it_leaves_alone() -> None:
    other, own = price("n", "input_tokens", "1"), price("m", "searches", "5", per=1000)
    after, _ = imported(other, to=[*STANDING, own])
    assert own.id in PriceBook(after).entries({own.id}), (
        "an operator's, of a model that the file says nothing of"
    )
    assert cost(after) == ("4", "9")


def test_what_an_installation_writes_itself_stands_as_it_is_written() -> None:
    after, findings = imported(price("m", "input_tokens", "2"), OUTPUT, file=Sent("ours.toml", b""))
    assert (cost(after), findings) == (("2", "9"), [])


def test_another_vendors_list_is_corrected_too_and_held_against_nothing() -> None:
    after, findings = imported(price("m", "input_tokens", "3.5"), DEARER, file=Sent("litellm.json", b"{}"))
    assert (cost(after), findings) == (("4", "10"), [])


def test_a_new_batch_price_of_a_corrected_model_is_taken_over_beside_the_correction() -> None:
    batch = price("m", "output_tokens", "4.5", when=Conditions(batch=True))
    after, _ = imported(*PUBLIC, batch)
    assert cost(after) == ("4", "9")
    assert plain(rated(after, {"output_tokens": 1_000_000}, batch=True).list) == "4.5"
