"""Applies corrections: reads what the book says of their events, decides, and writes, in one transaction."""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import asyncpg
import msgspec
from msgspec import UNSET, Raw

from services.corrector.decide import Settlement, decide, needs_book
from services.corrector.fence import Standing
from services.corrector.in_force import SQL, EventState, read_archived, read_states
from services.corrector.intake import Intake
from services.corrector.job_requests import take_request
from services.corrector.own_values import read_own_values
from services.corrector.pairs import Change
from services.corrector.price_books import NotPublished, VersionBooks, VersionUnits
from services.corrector.raising import raise_id, raised
from services.corrector.write import units_then, write
from spendmeter.contracts.corrections import EventCorrection
from spendmeter.contracts.dimensions import VALUES_PER_DAY_MAX
from spendmeter.contracts.events import UsageEvent
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.price_book import PriceBook

WAITING_MAX = 500
"""Looked at in one transaction."""
LATER_MAX = 500
"""Of conflicts likewise."""


@dataclass(frozen=True, kw_only=True)
class Applied:
    """What a committed transaction has done."""

    standing: Standing
    outcomes: Counter[str] = field(default_factory=Counter)
    """Corrections by what became of them; those that came again are `repeated`."""
    changes: Sequence[Change] = ()
    more: bool = False
    """Whether there may be more of the same just now."""


@dataclass(kw_only=True, eq=False)
class Applier:
    """`take` what lies on the topic, and `look_again` at what waits for its event."""

    log_ends: Callable[[], Awaitable[list[int]]]
    """Where each partition of usage.events ends now, by number."""
    books: VersionBooks = field(default_factory=VersionBooks)
    units: VersionUnits = field(default_factory=VersionUnits)

    async def take(self, connection: Any, standing: Standing, intake: Intake) -> Applied:
        """Settle what has come, once. Raises Overtaken."""
        asked = _columns_of(_name(correction) for correction in intake.corrections)
        known = {tuple(row) for row in await connection.fetch(SQL["known"], *asked)}
        jobs = {tuple(row) for row in await connection.fetch(SQL["named_as_jobs"], *asked)}
        new = [correction for correction in intake.corrections if _name(correction) not in known]
        settled = [_Settled(correction=each, decision=_NAMED_AS_JOB) for each in new if _name(each) in jobs]
        settled += await self._settle(connection, [each for each in new if _name(each) not in jobs])
        moved = {
            "position": intake.position,
            "accepted": len(new),
            "repeated": len(known),
            "strays": intake.strays,
        }
        async with connection.transaction():
            after = await self._write(connection, standing, settled, **moved)
            for request in intake.jobs:
                await take_request(connection, request)
        outcomes = Counter(each.outcome for each in settled) + Counter(repeated=len(known))
        return Applied(standing=after, outcomes=outcomes, changes=_changes(settled))

    async def look_again(self, connection: Any, standing: Standing) -> Applied:
        """Settle what waited for events that are there by now, and end what waits in vain. Raises
        Overtaken."""
        if not await connection.fetchval(SQL["any_waiting"]):
            return Applied(standing=standing)
        overdue = await connection.fetch(SQL["overdue"], WAITING_MAX)
        rows = await connection.fetch(SQL["booked_meanwhile"], WAITING_MAX)
        settled = await self._settle(connection, [_waiting(row) for row in rows])
        if not (settled or overdue):
            return Applied(standing=standing)
        async with connection.transaction():
            after = await self._write(connection, standing, settled)
            given_up = await connection.execute(SQL["give_up"], *_columns_of(overdue))
        outcomes = Counter(each.outcome for each in settled) + Counter(unknown=int(given_up.split()[1]))
        return Applied(standing=after, outcomes=outcomes, changes=_changes(settled))

    async def raise_booked(self, connection: Any, standing: Standing) -> Applied:
        """Amend what is booked by what senders have said of it since, in conflicts that nobody has looked at.
        Raises Overtaken."""
        rows = await connection.fetch(SQL["later_messages"], LATER_MAX)
        if not rows:
            return Applied(standing=standing)
        states = await read_states(connection, {row["identity"] for row in rows})
        asked = [_raise(row, states) for row in rows]
        settled = await self._settle(connection, [each for each in asked if each is not None], states)
        places = [(row["origin_topic"], row["origin_partition"], row["origin_offset"]) for row in rows]
        async with connection.transaction():
            after = await self._write(connection, standing, settled, accepted=len(settled))
            await connection.execute(SQL["looked_at"], *map(list, zip(*places, strict=True)))
        outcomes = Counter(each.outcome for each in settled)
        return Applied(standing=after, outcomes=outcomes, changes=_changes(settled), more=True)

    async def _settle(
        self,
        connection: Any,
        corrections: Collection[EventCorrection],
        states: Mapping[bytes, EventState] | None = None,
    ) -> list["_Settled"]:
        """What becomes of each. `states`: of their events, where they were read already."""
        if states is None:
            states = await read_states(connection, {correction.identity for correction in corrections})
        missing = {each.identity for each in corrections if each.identity not in states}
        archived = await read_archived(connection, missing)
        newest = await connection.fetchval(SQL["newest"]) or 0
        settled = []
        ends: list[int] | None = None
        for correction in corrections:
            state = states.get(correction.identity)
            if month := archived.get(correction.identity):
                settled.append(_Settled(correction=correction, decision=_archived(month)))
            elif state is None:
                ends = ends if ends is not None else await self.log_ends()
                settled.append(_Settled(correction=correction, log_ends=ends))
            else:
                book = await self._book(connection, correction, state, newest)
                settled.append(_Settled(correction=correction, decision=decide(correction, state, book)))
        return await _with_room(connection, settled)

    async def _book(
        self, connection: Any, correction: EventCorrection, state: EventState, newest: int
    ) -> PriceBook | None:
        if not needs_book(correction, state) or state.entry is None:
            return None
        try:
            return await self.books.at(
                connection, correction.tenant, max(newest, state.entry.catalog_version)
            )
        except (NotPublished, CatalogError):
            return None

    async def _write(
        self, connection: Any, standing: Standing, settled: Sequence["_Settled"], **moved: int
    ) -> Standing:
        changes = _changes(settled)
        units = await units_then(connection, self.units, changes)
        after = await write(connection, standing, changes, units, **moved)
        if settled:
            await connection.executemany(SQL["record"], [each.row() for each in settled])
        remembered = [each.remembered() for each in settled if each.decision and each.decision.corrected]
        if remembered:
            await connection.executemany(SQL["remember"], remembered)
        return after


class _Settled(msgspec.Struct, frozen=True, kw_only=True):
    """A correction, and what becomes of it; without a decision it waits."""

    correction: EventCorrection
    decision: Settlement | None = None
    log_ends: list[int] | None = None

    @property
    def outcome(self) -> str:
        return "waiting" if self.decision is None else self.decision.outcome

    @property
    def amended(self) -> UsageEvent | None:
        """What its event says from now on; None = what it said."""
        change = self.decision.change if self.decision else None
        return change.replacement.event if change and change.replacement else None

    def row(self) -> tuple[Any, ...]:
        """For `record`."""
        asked, done = self.correction, self.decision
        patch = None if asked.patch is UNSET else str(asked.patch, "utf-8")
        change = done.change if done else None
        return (
            asked.id, asked.tenant, asked.identity, asked.source, asked.event_id, asked.kind, asked.revision,
            patch, asked.reason, asked.by, asked.at, self.outcome, done.why if done else "",
            list(change.seqs) if change else [], self.log_ends,
        )  # fmt: skip

    def remembered(self) -> tuple[Any, ...]:
        """For `remember`."""
        assert self.decision is not None and self.decision.corrected is not None, (
            "there is something to remember"
        )
        return (self.correction.identity, *msgspec.structs.astuple(self.decision.corrected))


async def _with_room(connection: Any, settled: Sequence[_Settled]) -> list[_Settled]:
    """The same; refused is what brings in a value of a dimension for which the day has no room."""
    amended = [event for each in settled if (event := each.amended) is not None]
    values = await read_own_values(connection, amended)
    found = []
    for each in settled:
        if each.amended is not None and (dimension := values.no_room_for(each.amended)):
            each = _Settled(correction=each.correction, decision=_no_room(dimension))
        found.append(each)
    return found


def _no_room(dimension: str) -> Settlement:
    why = (
        f"data.labels.own.{dimension}: of a dimension {VALUES_PER_DAY_MAX:,} values may come first in a day "
        "(UTC), and today's have: ask again tomorrow, or state a value that there is"
    )
    return Settlement(outcome="refused", why=why)


def _archived(month: date) -> Settlement:
    why = (
        f"the event was booked in {month:%Y-%m}, which is archived: the database's owner attaches that month "
        f"(spendmeter archive attach {month:%Y-%m}); then ask again, under another id"
    )
    return Settlement(outcome="refused", why=why)


_NAMED_AS_JOB = Settlement(outcome="refused", why="its id is that of a re-rate: send it under another one")


def _name(correction: EventCorrection) -> tuple[str, str]:
    """Under which nobody else asks: each tenant has ids of its own."""
    return correction.tenant, correction.id


def _columns_of(names: Iterable[Sequence[str]]) -> tuple[list[str], list[str]]:
    """Tenants and ids, for Postgres to put together again."""
    rows = list(map(tuple, names))
    return [tenant for tenant, _ in rows], [named for _, named in rows]


def _changes(settled: Iterable[_Settled]) -> list[Change]:
    return [each.decision.change for each in settled if each.decision and each.decision.change]


def _raise(row: asyncpg.Record, states: Mapping[bytes, EventState]) -> EventCorrection | None:
    """What a conflict amends; None = nothing."""
    state = states.get(row["identity"])
    named = raise_id(row["origin_topic"], row["origin_partition"], row["origin_offset"])
    return raised(state, row["event"], named) if state else None


def _waiting(row: asyncpg.Record) -> EventCorrection:
    """A correction that waits, as it was asked for."""
    return EventCorrection(
        id=row["correction_id"],
        tenant=row["tenant"],
        source=row["source"],
        event_id=row["event_id"],
        kind=row["kind"],
        revision=row["revision"],
        patch=UNSET if row["patch"] is None else Raw(row["patch"].encode()),
        reason=row["reason"],
        by=row["author"],
        at=row["requested_at"],
    )
