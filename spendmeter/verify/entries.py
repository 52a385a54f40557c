"""Decides what is wrong with a booked entry, which must follow from the bytes on the topic and its lines.
Pure: values in, findings out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from spendmeter.verify.closings import Closings
from spendmeter.verify.lines import Bill, ExchangeRate, add_up, charge_faults
from spendmeter.verify.literals import Literals
from spendmeter.verify.report import Report
from spendmeter.verify.streams import BookedEntry
from spendmeter.verify.sums import HourSum, HourSums
from spendmeter.verify.terms import TermsHistory
from spendmeter.verify.usage import EventReading, Unreadable, decode, identity, read

LATE = "entries that an older catalog priced, listed in late_rated, to be rated again"
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(kw_only=True)
class Entries:
    """Judges entries one by one, and adds them up."""

    report: Report
    rates: Mapping[str, ExchangeRate] = field(default_factory=dict)
    """Exchange rates by id of their catalog entry."""
    terms: TermsHistory = field(default_factory=TermsHistory)
    closings: Closings = field(default_factory=Closings)
    literals: Literals | None = None
    sums: HourSums = field(default_factory=HourSums)
    series: Mapping[tuple[str, bytes], tuple[str, ...]] = field(default_factory=dict)
    """What the series of the entries that come stand for, by (tenant, id)."""
    _this_hour: datetime = _NEVER
    _next_hour: datetime = _NEVER

    def judge_alone(self, row: BookedEntry) -> None:
        """An entry without its record: what it says of itself."""
        try:
            event = read(row.event)
        except Unreadable as error:
            self.report.find("I4", f"changed: the event {error}", f"identity {row.identity.hex()}")
            return
        self.judge(row, event, identity(event.tenant, event.source, event.id), row.event)

    def judge(self, row: BookedEntry, event: EventReading, key: bytes, text: str) -> None:
        """An entry, held against the event whose bytes are `text`."""
        if row.seq > 0:
            named = _named_entry(row, event)
            self.report.find("I1", "doubled: this identity has another entry", named)
            return
        if row.event != text:
            named = _named(row, event)
            self.report.find("I4", "changed: the entry holds another event than the topic", named)
        if row.identity != key:
            named = _named(row, event)
            self.report.find("I1", "changed: its offset was booked under another identity", named)
        self._judge_terms(row, event)
        bill = self._judge_figures(row, event)
        total = self.sums.of((row.tenant, self._hour(event), row.currency))
        self._add(row, event, total)
        if self.literals is not None:
            self._add_worth(event, row, bill, total)

    def judge_replacement(self, row: BookedEntry) -> None:
        """What an event costs after a correction: its figures must follow from the event and the lines, as
        those of a first booking."""
        try:
            event = read(row.event)
        except Unreadable as error:
            self.report.find("I4", f"changed: the event {error}", f"identity {row.identity.hex()}")
            return
        if row.identity != identity(event.tenant, event.source, event.id):
            self.report.find("I1", "changed: its event has another identity", _named_entry(row, event))
        self._judge_figures(row, event)

    def _judge_terms(self, row: BookedEntry, event: EventReading) -> None:
        """Whether an entry is in the currency and the month of its tenant's terms at the event's time (where
        that was closed: in the month that was open); or, if the book lists it as rated late, of the terms
        that its rater knew."""
        late = row.late_version
        try:
            due = self.terms.due(event.tenant, event.time)
            if late is not None and (row.currency != due.currency or self._misplaced(row, due.month)):
                due = self.terms.due_in(late, event.tenant, event.time)
            else:
                late = None
        except (ValueError, KeyError, ArithmeticError) as error:
            what = f"its tenant's terms cannot be read: {type(error).__name__} {error}"
            self.report.find("I4a", what, _named_entry(row, event))
            return
        misplaced = self._misplaced(row, due.month)
        if row.currency == due.currency and not misplaced:
            if late is not None:
                self.report.pass_over("I4a", LATE)
            return
        by = "its tenant's terms" if late is None else f"the terms of version {late}"
        faults = []
        if row.currency != due.currency:
            faults.append(f"currency is {row.currency}, {by} say {due.currency}")
        if misplaced:
            faults.append(
                f"{misplaced}, {by} say {due.month}" if row.accounting_period != due.month else misplaced
            )
        self.report.find("I4a", f"changed: {'; '.join(faults)}", _named_entry(row, event))

    def _misplaced(self, row: BookedEntry, month: date) -> str:
        return self.closings.fault(row.tenant, month, row.accounting_period, row.recorded_at)

    def _judge_figures(self, row: BookedEntry, event: EventReading) -> Bill | None:
        """What an entry says that its event and its lines do not; its bill, where the lines have one."""
        bill: Bill | None = None
        faults: list[str] = []
        if event.tenant != row.tenant:
            faults.append(f"tenant is {row.tenant}, the event's is {event.tenant}")
        if event.time != row.occurred_at:
            faults.append(f"its event happened at {event.time.isoformat()}")
        if self.series.get((row.tenant, row.series_id)) != event.dimensions:
            faults.append("its series has other dimensions than the event")
        try:
            lines = decode(row.lines)
            bill = add_up(lines, event.usage, currency=row.currency, time=event.time, rates=self.rates)
            if event.charge is not None:
                faults += charge_faults(event.charge, lines, row.currency)
        except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
            faults.append(f"its lines cannot be added up: {type(error).__name__} {error}")
        else:
            faults += bill.faults
            for name in ("list", "contracted", "effective"):
                amount: Decimal = getattr(bill, name)
                if Decimal(getattr(row, name)) != amount:
                    faults.append(f"{name} is {getattr(row, name)}, its lines say {amount:f}")
            if bill.status != row.status:
                faults.append(f"status is {row.status}, its worst line's is {bill.status}")
        if faults:
            self.report.find("I4", f"changed: {'; '.join(faults)}", _named_entry(row, event))
        return bill

    def _add(self, row: BookedEntry, event: EventReading, total: HourSum) -> None:
        listed = contracted = Decimal(row.list)
        if row.contracted != row.list:
            contracted = Decimal(row.contracted)
        effective = contracted if row.effective == row.contracted else Decimal(row.effective)
        total.events += 1
        total.list += listed
        total.contracted += contracted
        total.effective += effective
        if row.status == "unpriced":
            total.unpriced_events += 1
        elif row.status == "provisional":
            total.of_which_provisional += effective

    def _add_worth(self, event: EventReading, row: BookedEntry, bill: Bill | None, total: HourSum) -> None:
        """Hold an entry's amount against the price table."""
        table = self.literals
        assert table is not None, "there is a table to hold it against"
        worth, booked = table.amount(event), _as_priced(row, bill, table.currency)
        if worth is None or booked is None:
            total.undecided = True
            self.report.pass_over("I4", "events whose price or currency is not in the table")
            return
        if row.currency == table.currency:
            total.worth += worth
        else:
            total.undecided = True  # the table prices the event, and not what its rate makes of it
        if booked != worth:
            what = f"changed: list is {booked:f}, the table says {worth:f}"
            self.report.find("I4", what, _named(row, event))

    def add_missing(self, event: EventReading) -> None:
        """An event without an entry should have had one, and its amount is missing from the sum."""
        if self.literals is not None:
            total = self.sums.of((event.tenant, self._hour(event), self.literals.currency))
            worth = self.literals.amount(event)
            total.worth += worth or 0
            total.undecided |= worth is None

    def _hour(self, event: EventReading) -> datetime:
        """The event's hour; most are in that of the event before."""
        if not self._this_hour <= event.time < self._next_hour:
            self._this_hour = event.time.replace(minute=0, second=0, microsecond=0)
            self._next_hour = self._this_hour + timedelta(hours=1)
        return self._this_hour


def _as_priced(row: BookedEntry, bill: Bill | None, currency: str) -> Decimal | None:
    """The list amount in `currency`: the entry's own, or what its lines say before any exchange rate; None
    where a line is priced in another."""
    if bill is None or row.currency == currency:
        alone = bill is None or not bill.priced.keys() - {currency}
        return Decimal(row.list) if alone else None
    return bill.priced[currency] if bill.priced.keys() == {currency} else None


def _named(row: BookedEntry, event: EventReading) -> str:
    return f"{event} (usage.events {row.origin_partition}@{row.origin_offset})"


def _named_entry(row: BookedEntry, event: EventReading) -> str:
    return f"{event} (entry of {row.occurred_at:%Y-%m-%dT%H:%M:%S.%fZ}, seq {row.seq})"
