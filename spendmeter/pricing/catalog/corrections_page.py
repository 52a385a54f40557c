"""docs/corrections.md: every correction with its rule, where it stands, and an amount that shows it.

`python -m spendmeter.pricing.catalog.corrections_page` writes it; a test holds it to the data.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from spendmeter.pricing.catalog.corrections import Rule, shipped_corrections, where

PAGE = Path(__file__).parents[3] / "docs" / "corrections.md"
_HEAD = """# Where we say otherwise than the public catalog

The public catalog is a floor, not the truth: it leaves out regions, writes discounts down years after
they began, and has no holidays. Each rule below lies over it as dated data
(`spendmeter/pricing/catalog/corrections/`), with the page on which the vendor states it, the day on
which that was read ("second-hand" where it is somebody else's word), and amounts worked out by hand,
which a test holds.

    spendmeter catalog corrections               # every rule, and whether it is still needed
    spendmeter catalog corrections data.json     # over another release of genai-prices

A rule is *needed* while some event costs something else without it; *superfluous* once the public
catalog says the same; *contradicted* once that has changed what the rule took the place of, or states
itself, where the rule speaks, that something costs otherwise. A test names each that is not needed. How
to write one: `docs/price-files.md`.

Written by `python -m spendmeter.pricing.catalog.corrections_page` from the data: {count} rules.
"""


def page(rules: Sequence[Rule]) -> str:
    """The page, in Markdown."""
    parts = [_HEAD.format(count=len(rules))]
    for vendor, theirs in groupby(rules, key=lambda rule: rule.vendor):
        parts.append(f"\n## {vendor}\n")
        parts += ["\n" + "\n".join(_lines(rule)) + "\n" for rule in theirs]
    return "".join(parts)


def _lines(rule: Rule) -> Iterator[str]:
    said = rule.said
    yield f"**{said.name}**: {said.rule}"
    yield f"Stands on {_linked(where(said))}."
    if said.replaces:
        yield f"In place of what is said of {', '.join(sorted({each.sku for each in said.replaces}))}."
    if said.drops:
        yield f"States less than that did: {said.drops}."
    first = said.check[0]
    yield f"So {first.price} costs {first.want}: {first.working}."


def _linked(source: str) -> str:
    return re.sub(r"https://\S*[^\s,;:.)]", r"<\g<0>>", source)


if __name__ == "__main__":
    PAGE.write_text(page(shipped_corrections()), "utf-8")
