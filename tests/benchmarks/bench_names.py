"""What a name costs that no plan is remembered for: `python -m tests.benchmarks.bench_names`.

Method. The shipped catalog; events of one kind at a time, each with a name or a region of its own, so that none is
remembered. CPU time of one `rate`, median and 95th percentile, in microseconds; `remembered` is the same event
again. The last line is one JSON object.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from spendmeter.pricing.catalog import load_snapshot
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import used

EVENTS = 2_000
USAGE = {"input_tokens": 1_003, "output_tokens": 77}
KINDS: dict[str, Callable[[int], tuple[str, str, str]]] = {
    "remembered": lambda _: ("anthropic", "claude-sonnet-4-5", "us"),
    "region of its own": lambda n: ("anthropic", "claude-sonnet-4-5", f"nowhere-{n}"),
    "read by a rule": lambda n: ("openai", f"ft:gpt-4.1-2025-04-14:org:name:{n}", ""),
    "contains a model": lambda n: ("azure", f"gpt-4o-team-{n}x", ""),
    "profile of its own": lambda n: (
        "aws", f"arn:aws:bedrock:us-east-1:{n}:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0", ""
    ),
    "made up": lambda n: ("openai", f"nothing-known-{n}", ""),
    "made up to cost": lambda n: ("openai", f"x-1-2-3-4-5-6-7-8-9-{n}-high-low-high-low-2027-01-01-high", ""),
}  # fmt: skip


def main() -> None:
    book = PriceBook(load_snapshot(), version=1)
    figures: dict[str, Any] = {}
    for kind, name in KINDS.items():
        events = []
        for number in range(EVENTS):
            provider, sku, region = name(number)
            events.append(used(provider, sku, USAGE, region=region))
        rate(events[0], book)
        took = [_took_us(event, book) for event in events[1:]]
        p95 = statistics.quantiles(took, n=20)[-1]
        figures[kind] = {"median_us": round(statistics.median(took), 1), "p95_us": round(p95, 1)}
        print(f"{kind}: {figures[kind]}; {len(book._plans)} plans")
    print(json.dumps(figures))


def _took_us(event: Any, book: PriceBook) -> float:
    began = time.thread_time_ns()
    rate(event, book)
    return (time.thread_time_ns() - began) / 1000


if __name__ == "__main__":
    main()
