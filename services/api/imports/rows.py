"""One row of a bill, as a charge: its amounts to the digit, its identity, its labels. Pure.

What cannot be read is a `BadRow`, which names column and rule and never what was written.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Raw, Struct

from services.api.imports.focus import DETAILS, IDENTITY, MeteredRule, cost_class
from services.api.imports.label_sources import LabelSource, labels_of
from spendmeter.contracts.charges import FRACTION_DIGITS_MAX
from spendmeter.contracts.events import LABEL_CHARACTERS_MAX, NAME_CHARACTERS_MAX
from spendmeter.contracts.money import WHOLE_DIGITS_MAX, plain
from spendmeter.contracts.visible import INVISIBLE

ROUNDED = f"amounts were rounded to {FRACTION_DIGITS_MAX} places"
FLOATS = "amounts are floating-point numbers in the file: their shortest digits were taken"
LIKE_EFFECTIVE = "contracted cost is missing: taken as effective"
LIKE_CONTRACTED = "list cost is missing: taken as contracted"
NO_TAGS = "tags are no JSON object: left out"
CUT = f"labels were cut to {LABEL_CHARACTERS_MAX} characters"

_CATEGORIES = ("usage", "purchase", "tax", "credit", "adjustment")
_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]{1,3})?", re.ASCII)
_DESCRIPTION_MAX = 200
_PLACES = Decimal(1).scaleb(-FRACTION_DIGITS_MAX)
_WIDE = Context(prec=400, rounding=ROUND_HALF_EVEN)
_LIMIT = Decimal(10) ** WHOLE_DIGITS_MAX
_SOURCE_MAX = NAME_CHARACTERS_MAX
_canonical = msgspec.json.Encoder(order="sorted").encode

Value = str | int | float | Decimal | datetime | date | Mapping[str, object] | Sequence[object] | None


class BilledRow(Struct, frozen=True, kw_only=True, tag="row"):
    """A row that can be booked. `row_id` and `snapshot` are 32 hex digits, `hash` those of `data`."""

    place: str
    """Where it stands: "line 17"."""
    row_id: str
    snapshot: str
    source: str
    event_id: str
    time: datetime
    provider: str
    service: str
    category: str
    """FOCUS' ServiceCategory."""
    currency: str
    list: str
    contracted: str
    effective: str
    billed: str
    data: Raw
    """Of the event, as JSON."""
    hash: str
    held: str = ""
    """The rule by which it is held back: the tenant meters it."""
    notes: tuple[str, ...] = ()


class BadRow(Struct, frozen=True, kw_only=True, tag="bad"):
    """A row that goes nowhere, and why."""

    place: str
    field: str
    reason: str


class SnapshotSeen(Struct, frozen=True, kw_only=True, tag="snapshot"):
    """A bill that the file has rows of."""

    snapshot: str
    issuer: str
    account: str
    period: date


class RowError(ValueError):
    """What a column holds breaks a rule."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason = field, reason


class RowReader:
    """Reads row after row of one file; it remembers which rows were alike, and which bills there were."""

    def __init__(self, sources: Iterable[LabelSource], rules: Iterable[MeteredRule]) -> None:
        self._sources, self._rules = tuple(sources), tuple(rules)
        self._once: set[int] = set()
        self._again: Counter[int] = Counter()
        self._bills: set[str] = set()

    def read(self, place: str, cells: Mapping[str, Value]) -> list[BilledRow | BadRow | SnapshotSeen]:
        """What becomes of one row; `cells` by FOCUS' names of columns."""
        try:
            return self._read(place, cells)
        except RowError as error:
            return [BadRow(place=place, field=error.field, reason=error.reason)]

    def _read(self, place: str, cells: Mapping[str, Value]) -> list[BilledRow | BadRow | SnapshotSeen]:
        notes: list[str] = []
        texts = {name: _text(name, value) for name, value in cells.items() if name != "Tags"}
        issuer, account = _needed(texts, "InvoiceIssuerName"), _needed(texts, "BillingAccountId")
        provider, service = _needed(texts, "ServiceProviderName"), _needed(texts, "ServiceName")
        period = _instant(cells, "BillingPeriodStart").date()
        time = _instant(cells, "ChargePeriodStart")
        category = texts.get("ChargeCategory", "").lower()
        if category not in _CATEGORIES:
            raise RowError("ChargeCategory", f"must be one of {', '.join(map(str.title, _CATEGORIES))}")
        amounts = _amounts(cells, notes)
        labels = _labels(texts, cells.get("Tags"), self._sources, notes)
        data = _data(texts, cells, time, amounts, labels, notes)
        snapshot = _digest("bill", issuer, account, period.isoformat())
        digest, ordinal = self._numbered(snapshot, texts, cells)
        encoded = _canonical(data)
        found: list[BilledRow | BadRow | SnapshotSeen] = [
            BilledRow(
                place=place,
                row_id=_digest("row", snapshot, digest, str(ordinal)),
                snapshot=snapshot,
                source=_source(issuer, account),
                event_id=f"{period:%Y-%m}/{digest}/{ordinal}",
                time=time,
                provider=provider,
                service=service,
                category=texts.get("ServiceCategory", ""),
                currency=data["charge"]["currency"],
                list=amounts["list"],
                contracted=amounts["contracted"],
                effective=amounts["effective"],
                billed=amounts["billed"],
                data=Raw(encoded),
                hash=blake2b(encoded, digest_size=16).hexdigest(),
                held=next((rule.name for rule in self._rules if rule.is_about(provider, service)), ""),
                notes=tuple(dict.fromkeys(notes)),
            )
        ]
        if snapshot not in self._bills:
            self._bills.add(snapshot)
            found.insert(0, SnapshotSeen(snapshot=snapshot, issuer=issuer, account=account, period=period))
        return found

    def _numbered(
        self, snapshot: str, texts: Mapping[str, str], cells: Mapping[str, Value]
    ) -> tuple[str, int]:
        """What makes the row that row, and its number among those of the file that are alike in it."""
        said = [(name, _identifying(name, texts, cells)) for name in IDENTITY]
        digest = _digest("charge", snapshot, *(f"{name}={value}" for name, value in said if value))
        key = int(digest[:16], 16)
        if key not in self._once:
            self._once.add(key)
            return digest, 0
        self._again[key] += 1
        return digest, self._again[key]


def _identifying(name: str, texts: Mapping[str, str], cells: Mapping[str, Value]) -> str:
    if name in ("ChargePeriodStart", "ChargePeriodEnd") and texts.get(name):
        return _instant(cells, name).isoformat()
    return texts.get(name, "")


def _data(
    texts: Mapping[str, str],
    cells: Mapping[str, Value],
    time: datetime,
    amounts: Mapping[str, str],
    labels: Mapping[str, str],
    notes: list[str],
) -> dict[str, Any]:
    """The event's `data`."""
    currency = texts.get("BillingCurrency", "")
    if not re.fullmatch("[A-Z]{3}", currency, re.ASCII):
        raise RowError("BillingCurrency", "must be three capital letters, as ISO 4217 writes a currency")
    until = _instant(cells, "ChargePeriodEnd") if texts.get("ChargePeriodEnd") else None
    charge: dict[str, Any] = {"currency": currency} | dict(amounts)
    charge["category"] = texts["ChargeCategory"].lower()
    if texts.get("ChargeClass", "").lower() == "correction":
        charge["correction"] = True
    if until is not None and until > time:
        charge["until"] = until
    if texts.get("ConsumedQuantity"):
        charge["quantity"] = _decimal("ConsumedQuantity", cells["ConsumedQuantity"], notes)
        charge["unit"] = _shown(texts.get("ConsumedUnit", ""), 64)
    charge["description"] = _shown(texts.get("ChargeDescription", ""), _DESCRIPTION_MAX)
    shown = {name: _shown(texts.get(name, ""), NAME_CHARACTERS_MAX) for name in DETAILS}
    charge["details"] = {name: value for name, value in shown.items() if value}
    return {
        "provider": _shown(texts["ServiceProviderName"], NAME_CHARACTERS_MAX),
        "sku": _shown(texts["ServiceName"], NAME_CHARACTERS_MAX),
        "usage": {},
        "cost_class": cost_class(texts.get("ServiceCategory", ""), texts.get("ServiceSubcategory", "")),
        "labels": dict(labels),
        "cadence": "bill",
        "charge": {name: value for name, value in charge.items() if value not in ("", {})},
    }


def _amounts(cells: Mapping[str, Value], notes: list[str]) -> dict[str, str]:
    effective, billed = [_cost(cells, name, notes) for name in ("EffectiveCost", "BilledCost")]
    for name, amount in (("EffectiveCost", effective), ("BilledCost", billed)):
        if not amount:
            raise RowError(name, "is missing: nothing stands for it")
    contracted, listed = [_cost(cells, name, notes) for name in ("ContractedCost", "ListCost")]
    if not contracted:
        contracted = effective
        notes.append(LIKE_EFFECTIVE)
    if not listed:
        listed = contracted
        notes.append(LIKE_CONTRACTED)
    return {"list": listed, "contracted": contracted, "effective": effective, "billed": billed}


def _cost(cells: Mapping[str, Value], name: str, notes: list[str]) -> str:
    return "" if is_null(value := cells.get(name)) else _decimal(name, value, notes)


def _decimal(name: str, value: Value, notes: list[str]) -> str:
    """A plain signed decimal. Raises RowError."""
    if isinstance(value, float):
        notes.append(FLOATS)
        value = repr(value)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        value = str(value)
    text = value.strip() if isinstance(value, str) else ""
    if not _NUMBER.fullmatch(text):
        raise RowError(name, "must be a number, with a point and without signs between its digits")
    try:
        amount = Decimal(text)
        if abs(amount) >= _LIMIT:
            raise RowError(name, f"has more than {WHOLE_DIGITS_MAX} digits before the point")
        rounded = amount.quantize(_PLACES, context=_WIDE)
    except InvalidOperation:
        raise RowError(name, "is a number out of range") from None
    if rounded != amount:
        notes.append(ROUNDED)
    return plain(rounded)


def _labels(
    texts: Mapping[str, str], tags: Value, sources: Sequence[LabelSource], notes: list[str]
) -> dict[str, str]:
    found = {}
    for label, said in labels_of(texts, _tags(tags, notes), sources).items():
        shown = _shown(said, LABEL_CHARACTERS_MAX)
        if len(said) > LABEL_CHARACTERS_MAX:
            notes.append(CUT)
        if shown:
            found[label] = shown
    return found


def _tags(value: Value, notes: list[str]) -> dict[str, str]:
    """Keys and values as texts: of a JSON object, or of what Parquet makes of a map."""
    if is_null(value):
        return {}
    said: object = value
    if isinstance(value, str):
        try:
            said = json.loads(value, parse_float=str, parse_int=str)
        except (ValueError, RecursionError):
            said = None
    if isinstance(said, Sequence) and not isinstance(said, str):
        pairs = [pair for pair in said if isinstance(pair, Sequence) and len(pair) == 2]
        said = {str(name): tag for name, tag in pairs}
    if not isinstance(said, Mapping):
        notes.append(NO_TAGS)
        return {}
    return {str(name): _tag_text(tag) for name, tag in said.items() if tag is not None}


def _tag_text(tag: object) -> str:
    if isinstance(tag, bool):
        return "true" if tag else "false"
    return tag.strip() if isinstance(tag, str) else str(tag)


def is_null(value: Value) -> bool:
    """Whether a cell says nothing."""
    return value is None or (isinstance(value, str) and value.strip() in ("", "NULL", "null", "None"))


def _text(name: str, value: Value) -> str:
    """What a cell says, in one line; '' = nothing."""
    if is_null(value):
        return ""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise RowError(name, "is not UTF-8") from None
        return value.strip()
    return value.isoformat() if isinstance(value, datetime | date) else str(value)


def _needed(texts: Mapping[str, str], name: str) -> str:
    if not texts.get(name):
        raise RowError(name, "is missing")
    return texts[name]


def _instant(cells: Mapping[str, Value], name: str) -> datetime:
    """In UTC, which FOCUS' times are in where they do not say. Raises RowError."""
    value = cells.get(name)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise RowError(name, "must be a date and time of ISO 8601") from None
    elif isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, datetime):
        raise RowError(name, "is missing, or no date and time")
    if value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise RowError(name, "is out of range") from None


def _shown(text: str, characters_max: int) -> str:
    """As the contract takes texts: without what cannot be seen, and no longer than it may be."""
    return INVISIBLE.sub("", text)[:characters_max].strip()


def _source(issuer: str, account: str) -> str:
    source = f"focus:{_shown(issuer, _SOURCE_MAX)}/{_shown(account, _SOURCE_MAX)}"
    return source if len(source) <= _SOURCE_MAX else f"focus:{_digest('source', issuer, account)}"


def _digest(*parts: str) -> str:
    """32 hex digits over the length-prefixed parts."""
    texts = [part.encode("utf-8", "surrogatepass") for part in parts]
    prefixed = b"".join([len(text).to_bytes(4, "big") + text for text in texts])
    return blake2b(prefixed, digest_size=16).hexdigest()
