"""Names that LiteLLM alone has: prices that bound them, for the catalog, and price nothing.

`python -m spendmeter.pricing.review.unconfirmed` derives `catalog/unconfirmed.jsonl` from the installed
package, of which requirements-test.lock pins the version; a test proves that the two agree. A name that
anything else prices is left out: when genai-prices or a correction has it, it is confirmed. So are what the
list says to cost nothing, which may be unknown, and its cheaper hours, which bound nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from spendmeter.pricing.catalog import UNCONFIRMED, load_confirmed
from spendmeter.pricing.catalog.files import Header, write_jsonl
from spendmeter.pricing.catalog.litellm import ListedName, as_called, decoded
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.price_lists import Sku
from spendmeter.pricing.review.second_opinions import LITELLM, RECORDED_AT, installed

MODES = frozenset(
    "audio_speech audio_transcription chat completion embedding realtime rerank responses".split()
)
"""Those that are metered in units; pictures and films have sizes, which the list leaves out."""


def unconfirmed(book: PriceBook, listed: Iterable[ListedName]) -> list[dict[str, Any]]:
    """As tables of a price file, by our names of the providers, of each provider the names in their order; of
    names that our providers have and nothing prices. Of two of theirs that are one of ours the dearer."""
    found: dict[Sku, list[ListedName]] = defaultdict(list)
    for each in listed:
        if each.mode in MODES and (sku := _unpriced(book, each)) and (rates := list(_bounding(each.rates))):
            found[sku].append(each._replace(rates=rates))
    said = [(sku, max(stated, key=_dearness)) for sku, stated in sorted(found.items())]
    return [
        {"type": "price", "provider": owner, "sku": name, "note": f"{LITELLM} calls it {each.name}"} | rates
        for (owner, name), each in said
        for rates in each.rates
    ]


def _dearness(listed: ListedName) -> Decimal:
    """What one of everything costs, however it is served."""
    return sum((Decimal(price) for rates in listed.rates for price in rates["prices"].values()), Decimal(0))


def _unpriced(book: PriceBook, listed: ListedName) -> Sku | None:
    """The name as an event of the provider writes it; None = somebody prices it, or nobody knows whose."""
    head, _, rest = listed.name.lower().partition("/")
    owner = _owner(book, listed.provider)
    name = rest if rest and _owner(book, head) == owner else listed.name.lower()
    if not owner or book.meaning("", owner, name).model:
        return None
    return owner, name


def _owner(book: PriceBook, provider: str) -> str:
    claim = book.meaning("", provider, "").provider
    return claim.owner if claim else ""


def _bounding(rates: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for each in rates:
        prices = {unit: price for unit, price in each["prices"].items() if price != "0"}
        if prices and "windows" not in each["when"]:
            when = {"when": each["when"]} if each["when"] else {}
            yield {name: value for name, value in each.items() if name != "when"} | when | {"prices": prices}


def derive(raw: bytes) -> list[dict[str, Any]]:
    """The lines of `catalog/unconfirmed.jsonl`."""
    return unconfirmed(PriceBook(load_confirmed()), as_called(decoded(raw.decode())))


if __name__ == "__main__":
    header = Header(
        source=f"LiteLLM {version(LITELLM)}", recorded_at=RECORDED_AT, by="one list", layer="unconfirmed"
    )
    write_jsonl(UNCONFIRMED, header, derive(installed()))
