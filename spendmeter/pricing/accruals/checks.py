"""What an asset's terms must say, by its kind: each trouble is a field, and the rule that it breaks. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from spendmeter.contracts.money import parse_decimal, plain
from spendmeter.pricing.accruals.asset import PURCHASES, Asset, AssetKind, AssetStanding, AssetTerms
from spendmeter.pricing.accruals.schedule import ScheduleError, end_of, purchase_schedule

FieldTrouble = tuple[str, str]
NEEDED: Mapping[AssetKind, frozenset[str]] = {
    "hardware": frozenset({"cost", "months"}),
    "commitment": frozenset({"cost"}),
    "licence": frozenset({"seats", "price_per_seat_month"}),
    "labour": frozenset({"rate_per_hour"}),
}
ALLOWED: Mapping[AssetKind, frozenset[str]] = {
    "hardware": frozenset({"cost", "months", "salvage", "proceeds"}),
    "commitment": frozenset({"cost", "months", "ends_on", "capacity"}),
    "licence": frozenset({"seats", "price_per_seat_month", "months", "ends_on"}),
    "labour": frozenset({"rate_per_hour", "hours_per_week", "months", "ends_on"}),
}
_OF_SOME = frozenset().union(*ALLOWED.values())
MONTHS_MAX = 600
SEATS_MAX = 1_000_000
SHARES_MAX = 100
WEEK_HOURS_MAX = 168


def troubles(asset: Asset, said: Sequence[AssetStanding]) -> list[FieldTrouble]:
    """All that is wrong with what holds of an asset, from its first day on; empty = nothing."""
    found = dict[FieldTrouble, None]()
    for standing in said:
        found |= dict.fromkeys(_of_terms(asset, standing.terms))
    if not found and asset.kind in PURCHASES:
        try:
            purchase_schedule(asset, said)
        except ScheduleError as error:
            field = "proceeds" if said[-1].terms.retired else "cost"
            found[field, f"{error}: state it from an earlier day on"] = None
    return list(found)


def _of_terms(asset: Asset, terms: AssetTerms) -> Iterator[FieldTrouble]:
    kind = asset.kind
    stated = {name for name in _OF_SOME if getattr(terms, name) not in (None, Decimal(0))}
    for name in sorted(NEEDED[kind] - {name for name in _OF_SOME if getattr(terms, name) is not None}):
        yield name, f"is missing: {kind} needs it"
    for name in sorted(stated - ALLOWED[kind]):
        yield name, f"is not of {kind}"
    yield from _of_life(asset, terms)
    yield from _of_amounts(terms)
    yield from _of_shares(kind, terms)


def _of_life(asset: Asset, terms: AssetTerms) -> Iterator[FieldTrouble]:
    if terms.months is not None and terms.ends_on is not None:
        yield "ends_on", "is its life in other words: state months or this"
    elif asset.kind == "commitment" and terms.months is None and terms.ends_on is None:
        yield "months", "is missing: a commitment needs months or ends_on"
    elif terms.months is not None and not 1 <= terms.months <= MONTHS_MAX:
        yield "months", f"must be 1 to {MONTHS_MAX}"
    elif (end := end_of(asset, terms)) is not None and end <= asset.starts_at:
        yield "ends_on", "must be after the day on which it starts"


def _of_amounts(terms: AssetTerms) -> Iterator[FieldTrouble]:
    for name in ("cost", "salvage", "proceeds", "price_per_seat_month", "rate_per_hour", "capacity"):
        amount = getattr(terms, name)
        try:
            parse_decimal(plain(Decimal(0) if amount is None else amount))
        except ValueError as error:
            yield name, str(error)
    if not 0 <= terms.hours_per_week <= WEEK_HOURS_MAX:
        yield "hours_per_week", f"must be 0 to {WEEK_HOURS_MAX}"
    if terms.cost is not None and terms.salvage > terms.cost:
        yield "salvage", "must be at most the cost"
    if terms.cost is not None and terms.proceeds is not None and terms.proceeds > terms.cost:
        yield "proceeds", "must be at most the cost: a gain is no cost that accrues"


def _of_shares(kind: AssetKind, terms: AssetTerms) -> Iterator[FieldTrouble]:
    weights = [share.weight for share in terms.assigned]
    if len(weights) > SHARES_MAX:
        yield "assigned", f"has at most {SHARES_MAX} parts"
    elif any(not 1 <= weight <= SEATS_MAX for weight in weights):
        yield "assigned", f"each part has 1 to {SEATS_MAX} seats or shares"
    if kind == "licence" and terms.seats is not None:
        if not 0 <= terms.seats <= SEATS_MAX:
            yield "seats", f"must be 0 to {SEATS_MAX}"
        elif sum(weights) > terms.seats:
            yield "assigned", f"{sum(weights)} seats are assigned, and there are {terms.seats}"
