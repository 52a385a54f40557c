"""A bill in FOCUS as rows to be held against the book: those of the one provider that is asked about. Pure.

Its model and meter are what SkuPriceDetails say (by the names of the 1.5 draft), or a meter in the words of
AWS; else the row is of its meter's name, and of no unit.
"""

import csv
import gzip
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import IO, Any

from services.api.imports.focus import RULES, MeteredRule, columns_of
from services.api.invoices.billed import (
    TEXT_CHARACTERS_MAX,
    BillError,
    InvoiceLine,
    ProviderBill,
    checked,
    storable,
    tolerance_of,
    utc_day,
)
from services.api.invoices.vendor_words import FOCUS, counted_as, region_of, tier_of
from spendmeter.contracts.money import EXACT

RULE_OF: Mapping[str, MeteredRule] = {rule.name: rule for rule in RULES}
CELL_CHARACTERS_MAX = 1024 * 1024
ROW_CHARACTERS_MAX = 2 * CELL_CHARACTERS_MAX
UNPACKED_CHARACTERS_MAX = 1024**3
LINES_MAX = 2_000_000
_GZIP = b"\x1f\x8b"
_NEEDED = ("BilledCost", "BillingCurrency", "ChargeCategory", "ChargePeriodStart", "ChargePeriodEnd",
           "ServiceName", "ServiceProviderName")  # fmt: skip
_WANTED = (
    *_NEEDED, "ListCost", "ConsumedQuantity", "ConsumedUnit", "PricingQuantity", "PricingUnit", "RegionId",
    "SkuMeter", "SkuPriceDetails", "ChargeClass", "ChargeDescription", "x_Unit", "x_ServiceTier", "x_Batch",
    "x_UsageType",
)  # fmt: skip
_METER = re.compile(
    r"(?:[A-Z]{2,4}\d?-)?(?P<model>.+?)-(?:mantle-)?(?P<meter>"
    + "|".join(map(re.escape, FOCUS["meters"]))
    + r")(?:-(?P<tier>standard|batch|flex|priority))?(?:-.*)?"
)


def read_focus(provider: str, content: bytes, rows_max: int) -> ProviderBill:
    """What the file says of a provider's services. Raises BillError."""
    rule = RULE_OF[provider]
    rows: list[InvoiceLine] = []
    left: Counter[str] = Counter()
    days: set[date] = set()
    for cells in _lines(content):
        if not rule.is_about(cells["ServiceProviderName"], cells["ServiceName"]):
            continue
        if beside := _beside(cells):
            left[beside] += 1
            continue
        day = _day(cells)
        days.add(day)
        row = storable(_row(day, cells))
        if row.unit or row.amount:
            rows.append(row)
        if len(rows) > rows_max:
            raise BillError(f"has more than {rows_max:,} rows of {provider}: import it day by day")
    if not rows:
        raise BillError(f"has no row of usage of {provider}: {', '.join(rule.providers)}")
    notes = [f"{count:,} rows of {category} are not compared" for category, count in sorted(left.items())]
    return ProviderBill(
        provider=provider,
        rows=tuple(rows),
        days=tuple((day, "cost") for day in sorted(days)),
        notes=tuple(notes),
    )


def _lines(content: bytes) -> Iterator[Mapping[str, str]]:
    csv.field_size_limit(CELL_CHARACTERS_MAX)
    raw = io.BytesIO(content)
    packed: Any = gzip.GzipFile(fileobj=raw) if content.startswith(_GZIP) else raw
    try:
        bounded = _BoundedLines(io.TextIOWrapper(packed, encoding="utf-8-sig", newline=""))
        lines = csv.reader(bounded, strict=True)
        header = next(lines, [])
        columns = columns_of(header, _WANTED)
        if missing := [name for name in _NEEDED if name not in columns]:
            raise BillError(
                f"is neither a page of the provider's nor FOCUS: it has no column {', '.join(missing[:3])}"
            )
        places = {name: header.index(own) for name, own in columns.items()}
        for number, line in enumerate(lines):
            bounded.of_row = 0
            if line and line[0].removeprefix("\ufeff") == header[0]:  # of the next part
                if line[1:] != header[1:]:
                    raise BillError("has parts with other columns than the first: import what has the same")
                continue
            if number >= LINES_MAX:
                raise BillError(f"has more than {LINES_MAX:,} rows: import it in parts")
            if len(line) == len(header):
                yield {name: line[at].strip() for name, at in places.items()}
            elif line:
                raise BillError(
                    f"has {len(line)} cells in line {lines.line_num}, and its header {len(header)}"
                )
    except (csv.Error, EOFError, OSError, UnicodeDecodeError) as error:
        raise BillError(f"is no CSV that can be read: {type(error).__name__}") from None


class _BoundedLines:
    """Lines of a file that may be packed: a few bytes of one may be gigabytes, in one line or one row."""

    def __init__(self, file: IO[str]) -> None:
        self._file, self._all, self.of_row = file, 0, 0

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(ROW_CHARACTERS_MAX):
            self._all, self.of_row = self._all + len(line), self.of_row + len(line)
            if self.of_row >= ROW_CHARACTERS_MAX:
                raise BillError(f"has a row of more than {ROW_CHARACTERS_MAX:,} characters")
            if self._all > UNPACKED_CHARACTERS_MAX:
                raise BillError(
                    f"unpacks to more than {UNPACKED_CHARACTERS_MAX:,} characters: import it in parts"
                )
            yield line


def _beside(cells: Mapping[str, str]) -> str:
    """What a row is of that is no usage of the days of this bill; '' = it is usage. Tax and credits may be of
    a month; and a correction is of a bill before, whose days it would stand for alone."""
    category = cells["ChargeCategory"].lower()
    if category != "usage":
        return category if category in FOCUS["beside"] else "no category that is known"
    is_corrected = cells.get("ChargeClass", "").lower() == "correction"
    return "corrections of bills before" if is_corrected else ""


def _day(cells: Mapping[str, str]) -> date:
    try:
        start, end = (
            datetime.fromisoformat(cells[name].removesuffix(" UTC"))
            for name in ("ChargePeriodStart", "ChargePeriodEnd")
        )
    except ValueError:
        raise BillError("has a charge period that is no date and time of ISO 8601") from None
    return utc_day(*(each if each.tzinfo else each.replace(tzinfo=UTC) for each in (start, end)))


def _row(day: date, cells: Mapping[str, str]) -> InvoiceLine:
    amount = _decimal(cells, "BilledCost")
    if amount is None:
        raise BillError("has a row without BilledCost")
    details = _details(cells.get("SkuPriceDetails", ""))
    named = cells.get("x_UsageType") or cells.get("SkuMeter") or cells.get("ChargeDescription", "")
    named = named[:TEXT_CHARACTERS_MAX]
    read = _METER.fullmatch(named)
    unit = cells.get("x_Unit") or _unit_of(details) or (FOCUS["meters"][read["meter"]] if read else "")
    model = details.get("ModelId") or (read["model"] if read else named) or cells["ServiceName"]
    tier, batch = cells.get("x_ServiceTier") or (read["tier"] if read else None), cells.get("x_Batch", "")
    return InvoiceLine(
        day=day,
        kind="cost",
        model=model,
        unit=counted_as(unit),
        tier=tier_of(tier or "", batch.lower() == "true" or None),
        region=region_of(cells.get("RegionId") or None),
        quantity=_quantity(cells) if unit else None,
        amount=amount,
        listed=_decimal(cells, "ListCost"),
        currency=cells["BillingCurrency"].upper(),
        tolerance=tolerance_of(amount),
    )


def _details(text: str) -> dict[str, str]:
    """By the draft's names, with or without `x_` before them."""
    if not text:
        return {}
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return (
        {str(name).removeprefix("x_"): str(value) for name, value in said.items()}
        if isinstance(said, dict)
        else {}
    )


def _unit_of(details: Mapping[str, str]) -> str:
    found: str = (
        FOCUS["directions"]
        .get(details.get("TokenDirection", ""), {})
        .get(details.get("TokenCacheAction", ""), "")
    )
    return found


def _quantity(cells: Mapping[str, str]) -> Decimal | None:
    for quantity, unit in (("ConsumedQuantity", "ConsumedUnit"), ("PricingQuantity", "PricingUnit")):
        stated, factor = _decimal(cells, quantity), FOCUS["quantities"].get(cells.get(unit, "").lower())
        if stated is not None and factor:
            return EXACT.multiply(stated, Decimal(factor))
    return None


def _decimal(cells: Mapping[str, str], name: str) -> Decimal | None:
    text = cells.get(name, "")
    if text.lower() in ("", "null"):
        return None
    try:
        return checked(Decimal(text))
    except InvalidOperation:
        raise BillError(f"has a {name} that is no number") from None
