"""Decides what is wrong with what the book made of a stretch of the topic. Pure: values in, findings out.

Every offset that the book has passed must end in exactly one of booked, duplicate, conflict, rejected, or be
a hole, which is an offset that the broker does not deliver.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from spendmeter.verify.entries import Entries
from spendmeter.verify.report import Report
from spendmeter.verify.streams import BookedEntry, Placed, SetAside
from spendmeter.verify.submissions import Submissions
from spendmeter.verify.topic import TopicRecord
from spendmeter.verify.usage import EventReading, Unreadable, content_digest, identity, read

_NONE: tuple[Any, ...] = ()


class JudgeWindow(NamedTuple):
    """A stretch of one partition: its records, and the rows of the book whose origin lies in it."""

    records: Sequence[TopicRecord]
    entries: Sequence[BookedEntry]
    set_aside: Sequence[SetAside]
    series: Mapping[tuple[str, bytes], tuple[str, ...]]


@dataclass(kw_only=True)
class Judge:
    """What was seen so far. `enter` a partition, give it its windows in order."""

    report: Report
    entries: Entries
    submissions: Submissions | None = None
    outcomes: Counter[str] = field(default_factory=Counter)
    """Rows by status or outcome, over all partitions."""
    records: int = 0
    """Records of the topic, over all partitions."""

    partition: int = 0
    start: int = 0
    """The first offset that the broker still has."""
    origin_topic: str = ""
    delivered: int = 0
    """Records of this partition, below what the book has passed."""
    tally: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Rows of this partition by (tenant, status or outcome)."""

    def enter(self, partition: int, start: int, origin_topic: str) -> None:
        """Begin a partition."""
        self.partition, self.start, self.origin_topic = partition, start, origin_topic
        self.delivered, self.tally = 0, Counter()

    def judge(self, window: JudgeWindow) -> None:
        """A stretch that the book has passed."""
        self.entries.series = window.series
        booked, set_aside = _by_offset(window.entries), _by_offset(window.set_aside)
        for offset, value in window.records:
            self._judge_record(offset, value, booked.pop(offset, _NONE), set_aside.pop(offset, _NONE))
        for offset in booked.keys() | set_aside.keys():
            self._judge_undelivered(offset, booked.get(offset, _NONE), set_aside.get(offset, _NONE))
        self.delivered += len(window.records)
        self.records += len(window.records)
        self.report.check("I1", len(window.records))
        self.report.check("I4", len(window.entries))
        self.report.check("I4a", len(window.entries))
        if self.entries.literals is None:
            self.report.pass_over("I4", "entries without a price table", len(window.entries))

    def see_in_flight(self, records: Iterable[TopicRecord]) -> None:
        """Records that the book has not passed: only the sender's log can say something of them."""
        for offset, value in records:
            self.records += 1
            self.report.check("I1")
            if self.submissions is not None:
                try:
                    event = read(value)
                except Unreadable:
                    continue
                key = identity(event.tenant, event.source, event.id)
                self.submissions.note_copy(key, event, self.partition, offset)

    def see_ahead(self, rows: Iterable[BookedEntry | SetAside]) -> None:
        """Rows whose origin the book has not passed, or which no partition has."""
        for row in rows:
            at = f"{row.origin_partition}@{row.origin_offset}"
            named = f"identity {row.identity.hex()}" if row.identity else "a row that was set aside"
            self.report.find("I6", f"lies at {at}, which the position has not passed", named)

    def _judge_record(
        self, offset: int, value: bytes | None, entries: Sequence[BookedEntry], set_aside: Sequence[SetAside]
    ) -> None:
        try:
            text = (value or b"").decode("utf-8")
            event = read(text)
        except (Unreadable, UnicodeDecodeError) as error:
            self._judge_unreadable(offset, error, entries, set_aside)
            return
        key = identity(event.tenant, event.source, event.id)
        if self.submissions is not None:
            self.submissions.note_copy(key, event, self.partition, offset)
        for entry in entries:
            self._tally_entry(entry)
            self.entries.judge(entry, event, key, text)
        for row in set_aside:
            self._judge_set_aside(row, event, key, offset)
        if len(entries) + len(set_aside) != 1 and not self._count_outcomes(offset, entries, set_aside):
            self.report.find(
                "I1", "missing: passed, and neither booked nor set aside", self._named(event, offset)
            )
            self.entries.add_missing(event)

    def _judge_unreadable(
        self, offset: int, error: ValueError, entries: Sequence[BookedEntry], set_aside: Sequence[SetAside]
    ) -> None:
        why = str(error) if isinstance(error, Unreadable) else f"is not JSON: {error}"
        for entry in entries:
            self._tally_entry(entry)
            self.entries.judge_alone(entry)
        for row in set_aside:
            self._tally_set_aside(row)
        self._count_outcomes(offset, entries, set_aside)
        if not any(row.outcome == "rejected" for row in set_aside):
            self.report.find("I1", f"not rejected, though it {why}", self._where(offset))

    def _judge_undelivered(
        self, offset: int, entries: Sequence[BookedEntry], set_aside: Sequence[SetAside]
    ) -> None:
        gone = offset < self.start
        for row in set_aside:
            self._tally_set_aside(row)
        for entry in entries:
            self._tally_entry(entry)
            self.entries.judge_alone(entry)
            if self.submissions is not None:
                self.submissions.note_entry(entry.identity, gone=gone)
            if gone:
                self.report.pass_over("I4", "entries whose event the broker no longer has")
            else:
                named = f"identity {entry.identity.hex()}, {self._where(offset)}"
                self.report.find("I1", "booked, but no such record is on the topic", named)
        self._count_outcomes(offset, entries, set_aside)

    def _count_outcomes(
        self, offset: int, entries: Sequence[BookedEntry], set_aside: Sequence[SetAside]
    ) -> int:
        """How many outcomes an offset has; more than one is a finding."""
        outcomes = sum(row.seq == 0 for row in entries) + len(set_aside)
        if outcomes > 1:
            what = f"doubled: {self.partition}@{offset} has more than one outcome"
            named = [f"identity {row.identity.hex()}" for row in entries]
            named += [f"{row.tenant} {row.source}/{row.event_id} ({row.outcome})" for row in set_aside]
            self.report.find("I1", what, " and ".join(named))
        return outcomes

    def _judge_set_aside(self, row: SetAside, event: EventReading, key: bytes, offset: int) -> None:
        outcome = row.outcome
        self._tally_set_aside(row)
        if outcome == "rejected":
            self.report.pass_over(
                "I1", "readable events that were rejected by a rule this program does not know"
            )
            return
        where = f"identity {key.hex()}, {self._where(offset)}"
        if row.identity != key:
            self.report.find("I1", f"changed: set aside as a {outcome} of another identity", where)
        elif row.is_put_away:
            self.report.pass_over("I1", "copies of events whose month is archived")
        elif row.won_event is None:
            self.report.find("I1", f"lost: set aside as a {outcome}, and nothing of it is booked", where)
        elif row.won_partition == self.partition and (row.won_offset or 0) > offset:
            later = f"a later copy, at offset {row.won_offset}, was booked instead"
            self.report.find("I1", f"passed over: {later}", self._named(event, offset))
        else:
            self._compare_copy(row, row.won_event, event, where)

    def _compare_copy(self, row: SetAside, won: str, event: EventReading, where: str) -> None:
        """A duplicate says what the booked event said, or what an amend made of it; a conflict something
        else: one that came before the amend may say the same as that, one after the retraction whatever it
        will."""
        if row.outcome == "conflict" and row.retracted:
            return
        said = content_digest(event)
        try:
            same = content_digest(read(won)) == said
            amended = row.outcome == "duplicate" and any(
                content_digest(read(text)) == said for text in row.amended
            )
        except Unreadable:
            return  # the entry itself is a finding
        should = "duplicate" if same or amended else "conflict"
        if row.outcome != should:
            self.report.find("I1", f"changed: is a {should}, was set aside as {row.outcome}", where)

    def _tally(self, tenant: str, name: str) -> None:
        self.tally[tenant, name] += 1
        self.outcomes[name] += 1

    def _tally_entry(self, row: BookedEntry) -> None:
        if row.seq == 0:
            self._tally(row.tenant, row.status)

    def _tally_set_aside(self, row: SetAside) -> None:
        self._tally(row.tenant, row.outcome)
        if row.origin_topic != self.origin_topic:
            self.report.find("I6", f"comes from another topic, id {row.origin_topic}", _name(row))

    def _where(self, offset: int) -> str:
        return f"usage.events {self.partition}@{offset}"

    def _named(self, event: EventReading, offset: int) -> str:
        return f"{event} ({self._where(offset)})"


def _name(row: SetAside) -> str:
    return f"{row.tenant} {row.source}/{row.event_id} ({row.outcome})"


def _by_offset(rows: Iterable[Placed]) -> dict[int, list[Placed]]:
    found: dict[int, list[Placed]] = {}
    for row in rows:
        found.setdefault(row.origin_offset, []).append(row)
    return found
