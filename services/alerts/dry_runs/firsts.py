"""A rule of firsts tried on values that were new in some days, by what each spent in its first two. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from services.alerts.dry_runs.fired import WouldHaveFired
from services.alerts.firsts.firsts import FOLD_SHARE, LEARNING, SUBJECTS
from spendmeter.contracts.alert_rules import AlertRule
from spendmeter.contracts.money import EXACT, total


@dataclass(frozen=True, kw_only=True)
class NewValue:
    """A value of a dimension, and what it spent in its first two days; `provider`: of a model, or itself."""

    dimension: str
    value: str
    provider: str
    first_seen: datetime
    effective: Decimal


def firsts_among(
    rule: AlertRule, values: Sequence[NewValue], known_since: datetime | None
) -> list[WouldHaveFired]:
    """The values that the rule would have told. A new provider is told with its models."""
    dimensions = {SUBJECTS[subject] for subject in rule.chosen("subjects") if subject in SUBJECTS}
    least = rule.number("amount_min")
    new = {
        (each.dimension, each.value): each
        for each in values
        if each.dimension in dimensions
        and each.effective >= least
        and known_since is not None
        and each.first_seen - known_since >= LEARNING
    }
    return [
        WouldHaveFired(scope={each.dimension: each.value}, at=each.first_seen, amount=each.effective)
        for each in new.values()
        if not _is_told_with_its_models(each, new)
    ]


def _is_told_with_its_models(value: NewValue, new: Mapping[tuple[str, str], NewValue]) -> bool:
    if value.dimension != "provider":
        return False
    models = [
        each.effective for each in new.values() if (each.dimension, each.provider) == ("sku", value.value)
    ]
    return total(models) >= EXACT.multiply(FOLD_SHARE, value.effective)
