"""A book of a million prices, in a process of its own, for bench_rating to measure.

The shipped catalog with as many made-up prices as make a million: models of a hundred vendors, five units each
at an old and a new price, as records that are decoded as the rating worker does it. Prints one JSON object:
the process's peak of resident memory, and the median time of the same events in the large book divided by that
in the shipped book: on first sight of each of 1,000 models (`first`), and after that (`slowdown`).
"""

from __future__ import annotations

import json
import random
import resource
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from services.rating.catalog_follower import Assembly
from spendmeter.contracts.catalog import Conditions, Price, Publication, encode_catalog
from spendmeter.contracts.entry_ids import identified, published
from spendmeter.contracts.events import UsageEvent
from spendmeter.pricing.catalog import load_snapshot
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import RECORDED, used

ENTRIES = 1_000_000
MODELS = 1_000
ROUNDS = 20
UNITS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
)
CUT = datetime(2026, 6, 1, tzinfo=UTC)


def book(entries_min: int) -> PriceBook:
    """The shipped catalog, and made-up prices up to so many entries."""
    assembly = Assembly()
    shipped = [encode_catalog(published(entry, 1)) for entry in load_snapshot()]
    assembly.take(shipped)
    assembly.take(made_up(max(0, entries_min - len(shipped))))
    marker = Publication(version=1, entries=max(entries_min, len(shipped)), published_at=RECORDED)
    assembly.take([encode_catalog(marker)])
    found = assembly.complete()
    assert found is not None
    return PriceBook(found[1], found[0])


def made_up(count: int) -> Iterator[bytes]:
    for number in range(count):
        model, line = divmod(number, 2 * len(UNITS))
        unit, new = divmod(line, 2)
        price = Price(
            provider=f"vendor-{model % 100}", sku=f"model-{model}", unit=UNITS[unit], price=str(1 + model % 97 + new),
            per=1_000_000, when=Conditions(effective_from=CUT) if new else Conditions(effective_to=CUT),
            source=f"https://vendor-{model % 100}.example/prices", recorded_at=RECORDED, by="bench",
        )  # fmt: skip
        yield encode_catalog(published(identified(price), 1))


def medians(books: list[PriceBook], events: list[UsageEvent]) -> list[tuple[float, float]]:
    """For each book, nanoseconds of an event whose model is seen for the first time, and of one later on. The
    books take turns, so that what else the machine does meets them all."""
    clock = time.thread_time_ns
    rounds: list[list[float]] = [[] for _ in books]
    for _ in range(1 + ROUNDS):
        for book, so_far in zip(books, rounds, strict=True):
            took = []
            for event in events:
                start = clock()
                rate(event, book)
                took.append(clock() - start)
            so_far.append(statistics.median(took))
    return [(so_far[0], statistics.median(so_far[1:])) for so_far in rounds]


def main() -> None:
    small = book(0)
    models = random.Random(1).sample(sorted(small.prices), MODELS)
    usage = {"input_tokens": 5, "cache_read_tokens": 128_955, "output_tokens": 10}
    events = [used(provider, sku, usage) for provider, sku in models]
    (first, later), (first_large, later_large) = medians([small, book(ENTRIES)], events)
    figures = {
        "mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "slowdown": round(later_large / later, 2),
        "first": round(first_large / first, 2),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
