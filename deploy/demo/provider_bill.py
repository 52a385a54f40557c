"""What OpenAI sends Acme for the days before the demo's first one: its page of costs, worked out from what
Acme did and OpenAI's own list. It has what nobody metered, too. Pure."""

import json
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from deploy.demo.story import HOUR, hour_of

TENANT, PROVIDER = "acme", "openai"
FILE_NAME = "openai-costs.json"
MILLION = 1_000_000
LIST = {
    "gpt-5": {"input": "1.25", "cached input": "0.125", "output": "10"},
    "gpt-5-mini": {"input": "0.25", "cached input": "0.025", "output": "2"},
    "gpt-4o": {"input": "2.5", "cached input": "1.25", "output": "10"},
    "text-embedding-3-small": {"input": "0.02"},
}
"""USD a million tokens, by the words of the bill."""
_METERS = {
    "input_tokens": "input", "embedding_tokens": "input", "cache_read_tokens": "cached input",
    "output_tokens": "output", "reasoning_tokens": "output",
}  # fmt: skip
UNMETERED_DAY = -6
UNMETERED = {("gpt-5", "input"): 400_000, ("gpt-5", "output"): 60_000}
"""Of that day: somebody tried something with a key that tells nobody."""


def provider_bill(first_day: date, days: int) -> bytes:
    """Of so many days before `first_day`, by day and line."""
    buckets = [_bucket(first_day, number) for number in range(-days, 0)]
    return json.dumps({"object": "page", "data": buckets, "has_more": False, "next_page": None}).encode()


def _bucket(first_day: date, number: int) -> dict[str, object]:
    day = first_day + timedelta(days=number)
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    tokens: dict[tuple[str, str], int] = defaultdict(int)
    for hour in range(24):
        for _, tenant, event in hour_of(start + HOUR * hour, first_day):
            data = event["data"]
            if (tenant, data.get("provider")) == (TENANT, PROVIDER):
                for unit, quantity in data["usage"].items():
                    tokens[data["sku"], _METERS[unit]] += quantity
    for line, quantity in UNMETERED.items() if number == UNMETERED_DAY else ():
        tokens[line] += quantity
    results = [_result(*line, quantity) for line, quantity in sorted(tokens.items())]
    end = start + timedelta(days=1)
    return {
        "object": "bucket",
        "start_time": int(start.timestamp()),
        "end_time": int(end.timestamp()),
        "results": results,
    }


def _result(model: str, meter: str, quantity: int) -> dict[str, object]:
    amount = Decimal(LIST[model][meter]) * quantity / MILLION
    return {
        "object": "organization.costs.result",
        "amount": {"value": float(amount), "currency": "usd"},
        "line_item": f"{model}, {meter}",
        "quantity": quantity,
        "quantity_unit": "tokens",
        "project_id": None,
    }
