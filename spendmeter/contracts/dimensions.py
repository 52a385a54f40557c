"""A tenant's own dimensions: what one may be called, and what an event may say of them. Pure.

Whether a tenant has declared a name, ingest alone asks: what it did not declare never reaches the log. From
there on the event itself says to which series it belongs, so that a replay says the same, whatever has been
declared by then.
"""

import re
from datetime import UTC, datetime

from spendmeter.contracts.events import Labels
from spendmeter.contracts.series import DIMENSIONS

ACTIVE_MAX = 8
"""Dimensions of its own that a tenant sends, and that an event has, at a time."""
DECLARED_MAX = 64
"""Names that a tenant ever declared; none is given up."""
VALUES_PER_DAY_MAX = 1_000
"""Of one dimension of one tenant, in a UTC day: so many values may come first."""
LABEL_VALUES_PER_DAY_MAX = 25_000
"""Of a label that everybody has, of a tenant in a UTC day; what is beyond is folded."""
MODELS_PER_DAY_MAX = 10_000
"""Of one tenant, in a UTC day: so many models (provider and sku, as they are sent) may come first."""
NAME_RULE = "2 to 32 small letters, digits and underscores, the first a letter"
OWN_FROM = datetime(2026, 11, 26, 7, tzinfo=UTC)
"""What was received before has none, whatever its labels hold under that name."""

_NAME = re.compile(r"[a-z][a-z0-9_]{1,31}")
_TAKEN = frozenset(
    (
        *DIMENSIONS,
        *Labels.__struct_fields__,
        *"tenant series series_id first_seen source id time status subject dimensions dimension".split(),
        *"currency others events unpriced_events list contracted effective amount usage".split(),
        *"of_which_provisional unit quantity bucket bucket_start bucket_end cut open".split(),
        *"from to range tz group_by measure top limit cursor filter key model type name value".split(),
    )
)
"""Built-in dimensions, labels, and what stands beside a dimension in an answer, a table or an address."""
_FIGURES = frozenset(
    (
        *"requests cost billed tokens attempts succeeded lower_bound seats compared ratios share".split(),
        *"parts within before change window_start window_end unpriced_requests unpriced_tokens".split(),
        *"change_percent events_before unpriced_events_before provisional_before".split(),
        *"cost_per_request cost_per_1k_tokens uncached_tokens cache_read_tokens cache_written_tokens".split(),
        *"cache_hit_rate input_cost input_cost_without_cache cache_return cache_return_percent".split(),
        *"not_compared_tokens attempts_per_success".split(),
    )
)
"""What figures beside a dimension came to be called once tenants had declared names: no new one is called
so. With the others every field of a row that has dimensions beside it (tests/api/test_dimensions.py)."""


def is_name(name: str) -> bool:
    """Whether an event may have a dimension of such a name. Words that are taken besides are no matter here:
    what joins them later must not reject what is booked."""
    return _NAME.fullmatch(name) is not None and name not in DIMENSIONS


def trouble_with_name(name: str) -> str:
    """Why no tenant can declare a dimension so; '' = it can."""
    return _taken(name) if name in _FIGURES else trouble_with_label(name)


def trouble_with_label(name: str) -> str:
    """Why nothing can be a label of a dimension of that name; '' = it may be one that a tenant declared, also
    before its name was taken by a figure."""
    if name in _TAKEN:
        return _taken(name)
    return "" if is_name(name) else f"{name[:40]!r} is no name of a dimension: {NAME_RULE}"


def _taken(name: str) -> str:
    return f"{name!r} is taken: every tenant's events, or the answers about them, have a field of that name"
