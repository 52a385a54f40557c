"""Corrections of one event in every order: it ends the same, and its entries add up to what it ends as."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import permutations
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.corrector.decide import decide, needs_book
from services.corrector.in_force import EntryInForce, EventState
from services.corrector.pairs import Change, Replacement, pairs_of
from spendmeter.contracts.corrections import EventCorrection
from spendmeter.contracts.event_identity import content_hash, identity
from spendmeter.contracts.event_reading import read_event
from spendmeter.contracts.events import UsageEvent, encode_event, series_of
from spendmeter.contracts.rated import encode_rated
from spendmeter.contracts.series import series_id
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from tests.corrector.written_book import ASKED, PRICES, correction, event
from tests.pricing.entries import adjustment

BOOKS = {
    version: PriceBook([*PRICES, adjustment("surcharge", factor)], version)
    for version, factor in enumerate(("1", "2", "2", "3"), 1)
}
"""Four versions, of which the second and the third say the same: times 1, 2, 2, 3."""
NEWEST = max(BOOKS)


class Rerate(NamedTuple):
    """A job comes to the event."""

    version: int


Step = EventCorrection | Rerate


def booked(said: UsageEvent, version: int = 1, seq: int = 0) -> EntryInForce:
    rating = rate(said, BOOKS[version])
    return EntryInForce(
        occurred_at=said.time, identity=identity(said.tenant, said.source, said.id), seq=seq, tenant=said.tenant,
        origin_partition=-1 if seq else 0, origin_offset=0, correction_id="c" if seq else None,
        series_id=series_id(series_of(said)), catalog_version=version, accounting_period=rating.accounting_period,
        status=rating.status, currency=rating.currency, list=rating.list, contracted=rating.contracted,
        effective=rating.effective, event=encode_event(said).decode(), lines=encode_rated(rating.lines).decode(),
        recorded_at=ASKED, first_recorded_at=ASKED,
    )  # type: ignore[arg-type]  # fmt: skip


def first_state() -> EventState:
    said = event()
    return EventState(
        entry=booked(said),
        tenant="acme",
        first_event=encode_event(said).decode(),
        first_hash=content_hash(said),
    )


def after(state: EventState, change: Change) -> EventState:
    """As the book reads after the pair is written."""
    now = change.replacement
    if now is None:
        return replace(state, entry=None)
    said = now.event or change.event
    entry = booked(said, now.rating.catalog_version, change.entry.seq + 2)
    return replace(state, entry=entry)


def taken(state: EventState, step: Step) -> tuple[EventState, Change | None]:
    """One step, as the corrector takes it; a job as rule 18 has it: nothing older, nothing that is equal."""
    if isinstance(step, Rerate):
        entry = state.entry
        if entry is None or max(entry.catalog_version, state.corrected.catalog_version) > step.version:
            return state, None
        said = read_event(entry.event.encode())
        rating = rate(said, BOOKS[step.version])
        lines = encode_rated(rating.lines).decode()
        if (lines, rating.effective) == (entry.lines, entry.effective):
            return state, None
        change = Change(
            entry=entry, event=said, correction_id="job", replacement=Replacement(rating=rating, lines=lines)
        )
        return after(state, change), change
    done = decide(step, state, BOOKS[NEWEST] if needs_book(step, state) else None)
    if done.corrected:
        state = replace(state, corrected=done.corrected)
    return (after(state, done.change) if done.change else state), done.change


def end_of(steps: Sequence[Step]) -> tuple[object, ...]:
    """What the event ends as, proved to be what its entries add up to."""
    state, changes = first_state(), []
    for step in steps:
        state, change = taken(state, step)
        if change:
            changes.append(change)
    entry, first = state.entry, first_state().entry
    assert first is not None
    sums = dict.fromkeys(("events", "effective"), Decimal(0))
    sums["events"], sums["effective"] = Decimal(1), first.effective
    for number, change in enumerate(changes):
        assert change.seqs[0] == 2 * number + 1, "pairs follow each other"
        for row in pairs_of([change], 0, {}).sums.values():
            sums["events"] += row.events
            sums["effective"] += row.effective
    assert sums == {
        "events": Decimal(1 if entry else 0),
        "effective": entry.effective if entry else Decimal(0),
    }
    if entry is None:
        return ("retracted",)
    return (entry.effective, entry.lines, entry.event, state.corrected.revision, state.hash)


AMENDS = [
    correction(patch='{"usage": {"input_tokens": 400}}', revision=1),
    correction(patch='{"usage": {"output_tokens": 300}}', revision=2),
    correction(patch="{}", revision=3),
]


@pytest.mark.parametrize(
    "steps",
    [
        [*AMENDS[:2], Rerate(2), Rerate(4)],
        [*AMENDS[:2], correction(), Rerate(4)],
        [*AMENDS, Rerate(3)],
        [AMENDS[0], replace(AMENDS[1], revision=1), Rerate(2)],
        [
            replace(AMENDS[0], id="z"),
            replace(AMENDS[1], revision=1, id="y", at=ASKED + timedelta(seconds=1)),
            replace(AMENDS[2], revision=1, id="x", at=ASKED + timedelta(seconds=1)),
        ],
        [Rerate(2), Rerate(4), AMENDS[2]],
        [correction(), correction(id="once more"), AMENDS[0]],
    ],
)
def test_an_event_ends_the_same_in_every_order(steps: list[Step]) -> None:
    ends = {end_of(order) for order in permutations(steps)}
    assert len(ends) == 1


steps_of_any_kind = st.one_of(
    st.builds(Rerate, st.sampled_from([2, 3, 4])),
    st.builds(lambda number: correction(id=f"retract-{number}"), st.integers(0, 3)),
    st.builds(
        lambda revision, tokens, number: correction(
            patch=f'{{"usage": {{"input_tokens": {tokens}}}}}', revision=revision, id=f"amend-{number}"
        ),
        st.integers(0, 3),
        st.sampled_from([0, 400, 1000]),
        st.integers(0, 9),
    ),
)


def _id(step: Step) -> object:
    return step.id if isinstance(step, EventCorrection) else step


@settings(deadline=None, max_examples=150)
@given(st.lists(steps_of_any_kind, max_size=5, unique_by=_id), st.randoms(use_true_random=False))
def test_the_order_of_any_corrections_and_jobs_makes_no_difference(steps: list[Step], chance: object) -> None:
    """Jobs come in the order of their versions: an older one that finds nothing to change leaves no trace."""
    jobs = sorted(step for step in steps if isinstance(step, Rerate))
    others = [step for step in steps if not isinstance(step, Rerate)]
    ends = set()
    for _ in range(4):
        mixed: list[Step] = [*others, *jobs]
        chance.shuffle(mixed)  # type: ignore[attr-defined]
        in_turn = iter(jobs)
        ends.add(end_of([next(in_turn) if isinstance(step, Rerate) else step for step in mixed]))
    assert len(ends) == 1


def test_what_holds_is_the_retraction_else_the_highest_revision_at_the_highest_version() -> None:
    # 1000 x 2.5 + 300 x 10 a million = 0.0055 USD, three times that by the fourth version
    assert end_of([AMENDS[1], Rerate(4), AMENDS[0]])[0] == Decimal("0.0165")
    assert end_of([Rerate(2)])[0] == Decimal("0.007")
    assert end_of([AMENDS[1], correction(), Rerate(4)]) == ("retracted",)


def test_an_amend_leaves_identity_time_tenant_and_what_ingest_stamped() -> None:
    patch = '{"usage": {"input_tokens": 5}, "tenant": "globex", "id": "x", "time": "2020-01-01T00:00:00Z"}'
    done = decide(correction(patch=patch), first_state(), BOOKS[NEWEST])
    assert done.change is not None and done.change.replacement is not None
    said, first = done.change.replacement.event, event()
    assert said is not None
    kept = ("tenant", "source", "id", "time", "keyid", "receivedat", "subject")
    assert [getattr(said, name) for name in kept] == [getattr(first, name) for name in kept]


def test_a_correction_that_names_another_tenants_event_is_refused() -> None:
    done = decide(correction(tenant="globex"), first_state(), None)
    assert (done.outcome, done.why, done.change) == ("refused", "the event is another tenant's", None)


def test_of_two_amends_of_one_revision_the_later_one_holds_whatever_their_ids_are() -> None:
    earlier = replace(AMENDS[0], id="z")
    later = replace(AMENDS[1], revision=1, id="a", at=ASKED + timedelta(microseconds=1))
    # 1000 x 2.5 + 300 x 10 a million = 0.0055 USD, three times that by the newest version
    assert end_of([earlier, later])[0] == end_of([later, earlier])[0] == Decimal("0.0165")


def test_an_event_that_was_amended_a_thousand_times_is_only_retracted() -> None:
    state = first_state()
    assert state.entry is not None
    for seq, outcome in ((1_000, "applied"), (1_002, "refused")):
        often = replace(state, entry=replace(state.entry, seq=seq))
        assert decide(AMENDS[0], often, BOOKS[NEWEST]).outcome == outcome
        assert decide(correction(), often, None).outcome == "applied"


def test_a_retraction_of_an_event_that_is_no_longer_understood_is_refused_with_the_rule() -> None:
    state = first_state()
    assert state.entry is not None
    spoilt = state.entry.event.replace('"input_tokens":1000', '"input_tokens":-1')
    done = decide(correction(), replace(state, entry=replace(state.entry, event=spoilt)), None)
    assert done.outcome == "refused"
    assert "data.usage.input_tokens" in done.why
