"""What LiteLLM says of the models of the shipped catalog, for the consensus: no package of theirs is needed.

`python -m spendmeter.pricing.review.second_opinions` derives `opinions/litellm.jsonl` from the installed
package, of which requirements-test.lock pins the version; a test proves that the two agree. Of all names that
LiteLLM has for one of our models, the one nearest to ours speaks for it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import files, version
from pathlib import Path

from spendmeter.contracts.catalog import ANY, CatalogEntry, Conditions, Price
from spendmeter.pricing.catalog import load_confirmed
from spendmeter.pricing.catalog.files import Header, write_jsonl
from spendmeter.pricing.catalog.read import read_prices
from spendmeter.pricing.meaning import Meaning
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.price_lists import Sku

LITELLM = "litellm"
OPINIONS = Path(__file__).with_name("opinions") / f"{LITELLM}.jsonl"
RECORDED_AT = datetime(2026, 11, 26, tzinfo=UTC)
"""When the pinned version was taken over."""
_FILE = "model_prices_and_context_window_backup.json"
_REGIONAL = ("regional.", "us.")
"""How our public catalog and LiteLLM write Bedrock's profiles of a region."""
_Nearness = tuple[int, int, int, str]
"""How near a name is: exact, alias, match; then what fewer rules read, then the shorter, the alphabet."""


@lru_cache(maxsize=1)
def second_opinions() -> dict[Sku, list[Price]]:
    """LiteLLM's list prices by our names of the models."""
    found: dict[Sku, list[Price]] = defaultdict(list)
    for entry in read_prices(OPINIONS.name, OPINIONS.read_bytes()):
        if isinstance(entry, Price):
            found[entry.provider, entry.sku].append(entry)
    return dict(found)


def nearest(book: PriceBook, entries: Iterable[CatalogEntry]) -> dict[Sku, list[Price]]:
    """Their prices of each of our models, by the name that is nearest to ours; what a reseller asks for
    somebody else's model is no word on that."""
    by_name: dict[Sku, list[Price]] = defaultdict(list)
    for entry in entries:
        if isinstance(entry, Price) and entry.kind == "list" and not entry.when.windows:
            by_name[entry.provider, entry.sku].append(entry)
    best: dict[Sku, tuple[_Nearness, Sku]] = {}
    for provider, name in by_name:
        found = book.meaning("", provider, name)
        claim, model, seller = found.provider, found.model, found.seller
        own = claim is not None and claim.owner == seller
        if own and model is not None and (seller, model.owner) in book.prices:
            candidate = (_nearness(found, provider, name), (provider, name))
            sku = (seller, model.owner)
            best[sku] = min(best.get(sku, candidate), candidate)
    return {sku: by_name[theirs] for sku, (_, theirs) in sorted(best.items())}


def _nearness(found: Meaning, provider: str, name: str) -> _Nearness:
    """Of a name that means a model of ours."""
    assert found.model is not None, "it means one"
    owner, by = found.model.owner, found.model.by
    reads = found.steps[-1].name if found.steps else name.lower()
    how = 0 if reads == owner.replace(*_REGIONAL) else 2 if "*" in by or "#" in by else 1
    return how, len(found.steps), len(name), f"{provider}/{name}"


def lines(opinions: Mapping[Sku, Sequence[Price]]) -> list[dict[str, object]]:
    """As tables of a price file, by our names; the note says theirs."""
    found = []
    for (provider, sku), prices in opinions.items():
        groups: dict[tuple[Conditions, int], dict[str, str]] = defaultdict(dict)
        for price in prices:
            groups[price.when, price.per][price.unit] = price.price
        note = f"{LITELLM} calls it {prices[0].provider}/{prices[0].sku}"
        for (when, per), stated in groups.items():
            line: dict[str, object] = {"type": "price", "provider": provider, "sku": sku, "per": per}
            line |= {"when": when} if when != ANY else {}
            found.append(line | {"note": note, "prices": stated})
    return found


def installed() -> bytes:
    """LiteLLM's price file, of the package that is installed for tests."""
    (path,) = [path for path in files(LITELLM) or () if path.name == _FILE]
    return path.read_binary()


def derive(raw: bytes) -> list[dict[str, object]]:
    """The lines of `opinions/litellm.jsonl`."""
    theirs = read_prices(f"{LITELLM}.json", raw, recorded_at=RECORDED_AT)
    return lines(nearest(PriceBook(load_confirmed()), theirs))


if __name__ == "__main__":
    header = Header(source=f"LiteLLM {version(LITELLM)}", recorded_at=RECORDED_AT, by="second opinion")
    write_jsonl(OPINIONS, header, derive(installed()))
