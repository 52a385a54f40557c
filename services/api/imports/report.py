"""What an import has done so far: counts, sums by service and currency, what was held back or bad. Pure."""

from collections import Counter
from decimal import Decimal

from msgspec import Struct, field

from services.api.imports.rows import BadRow, BilledRow, SnapshotSeen
from spendmeter.contracts.money import EXACT, ZERO, plain

BAD_SHOWN_MAX = 100
BILLS_SHOWN_MAX = 200
GROUPS_MAX = 500
OTHERS = "~other"
"""What stands for services of which there are too many to be told apart."""
_add = EXACT.add
SumsKey = tuple[str, str]


class CostSums(Struct, kw_only=True):
    """Sums of rows: exact, in one currency."""

    rows: int = 0
    list: Decimal = ZERO
    contracted: Decimal = ZERO
    effective: Decimal = ZERO
    billed: Decimal = ZERO

    def add(self, row: BilledRow) -> None:
        """This one too."""
        self.rows += 1
        self.list = _add(self.list, Decimal(row.list))
        self.contracted = _add(self.contracted, Decimal(row.contracted))
        self.effective = _add(self.effective, Decimal(row.effective))
        self.billed = _add(self.billed, Decimal(row.billed))

    def said(self) -> dict[str, object]:
        """As JSON has them."""
        amounts = {name: plain(getattr(self, name)) for name in ("list", "contracted", "effective", "billed")}
        return {"rows": self.rows, **amounts}


class ImportReport(Struct, kw_only=True):
    """Grows with the import; bounded, however long the bill is."""

    outcomes: Counter[str] = field(default_factory=Counter)
    """Rows by what became of them: new, same, amended, returned, left, held, bad; and retracted."""
    notes: Counter[str] = field(default_factory=Counter)
    sums: dict[SumsKey, CostSums] = field(default_factory=dict)
    """By (ServiceCategory, currency), of rows that are not held back."""
    held: dict[tuple[str, str, str, str], CostSums] = field(default_factory=dict)
    """By (rule, provider, service, currency)."""
    bad: list[BadRow] = field(default_factory=list)
    bills: list[SnapshotSeen] = field(default_factory=list)
    bills_count: int = 0

    def take(self, row: BilledRow) -> None:
        """Count a row's amounts, and what was remarked of it."""
        self.notes.update(row.notes)
        key = (row.category, row.currency)
        if key not in self.sums and len(self.sums) >= GROUPS_MAX:
            key = (OTHERS, row.currency)
        self.sums.setdefault(key, CostSums()).add(row)

    def hold(self, row: BilledRow) -> None:
        """Count one that is held back."""
        self.outcomes["held"] += 1
        key = (row.held, row.provider, row.service, row.currency)
        if key not in self.held and len(self.held) >= GROUPS_MAX:
            key = (row.held, OTHERS, OTHERS, row.currency)
        self.held.setdefault(key, CostSums()).add(row)

    def refuse(self, row: BadRow) -> None:
        """Count one that goes nowhere."""
        self.outcomes["bad"] += 1
        if len(self.bad) < BAD_SHOWN_MAX:
            self.bad.append(row)

    def meet(self, bill: SnapshotSeen) -> None:
        """A bill that the file has rows of."""
        self.bills_count += 1
        if len(self.bills) < BILLS_SHOWN_MAX:
            self.bills.append(bill)

    def said(self) -> dict[str, object]:
        """As the table keeps it and the api answers it."""
        counted = self.outcomes
        rows = sum(count for name, count in counted.items() if name != "retracted")
        names = ("new", "same", "amended", "returned", "retracted", "left", "held", "bad")
        return {
            "rows": rows,
            **{name: counted[name] for name in names},
            "sums": [
                {"service_category": category, "currency": currency, **sums.said()}
                for (category, currency), sums in sorted(self.sums.items())
            ],
            "held_back": [
                {"rule": rule, "provider": provider, "service": service, "currency": currency, **sums.said()}
                for (rule, provider, service, currency), sums in sorted(self.held.items())
            ],
            "bad_rows": [{"place": row.place, "field": row.field, "reason": row.reason} for row in self.bad],
            "bills": [
                {"issuer": bill.issuer, "account": bill.account, "period": bill.period.isoformat()}
                for bill in self.bills
            ],
            "bills_count": self.bills_count,
            "notes": [{"note": note, "rows": count} for note, count in sorted(self.notes.items())],
        }
