"""How many tokens each model puts out at most, as LiteLLM's list has it, for the shipped catalog.

`python -m spendmeter.pricing.review.output_limits` derives `catalog/output_limits.json` from the installed
package, of which requirements-test.lock pins the version; a test proves that the two agree. Of several names
of theirs that are one of ours the greatest counts.
"""

from collections import defaultdict
from importlib.metadata import version
from typing import Any

import msgspec

from spendmeter.pricing.catalog import load_confirmed
from spendmeter.pricing.catalog.litellm import decoded
from spendmeter.pricing.output_limits import FILE, OutputLimits
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.review.second_opinions import LITELLM, installed

_LIMIT = "max_output_tokens"


def derive(raw: bytes) -> OutputLimits:
    """By our names, sorted."""
    book = PriceBook(load_confirmed())
    most: dict[str, dict[str, int]] = defaultdict(dict)
    for name, said in decoded(raw.decode()).items():
        provider, limit = said.get("litellm_provider"), _whole(said.get(_LIMIT))
        if not isinstance(provider, str) or not limit:
            continue
        found = book.meaning("", provider, name)
        if found.model is not None and (found.seller, found.model.owner) in book.prices:
            skus = most[found.seller]
            skus[found.model.owner] = max(limit, skus.get(found.model.owner, 0))
    ordered = {provider: dict(sorted(skus.items())) for provider, skus in sorted(most.items())}
    return OutputLimits(source=f"LiteLLM {version(LITELLM)}", most=ordered)


def _whole(value: Any) -> int:
    """0 = it says none."""
    return int(value) if isinstance(value, int) and value > 0 else 0


def encoded(limits: OutputLimits) -> bytes:
    """As it is shipped, a model a line."""
    return msgspec.json.format(msgspec.json.encode(limits), indent=1) + b"\n"


if __name__ == "__main__":
    FILE.write_bytes(encoded(derive(installed())))
