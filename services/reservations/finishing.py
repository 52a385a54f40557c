"""What becomes of a reservation: its call is over, was not made, or takes longer. Pure."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from services.reservations.operations import Commit, Extend, HoldDecision
from services.reservations.own_event import own_event
from services.reservations.reserving import event_refusal, say, too_little
from services.reservations.values import EXTENSIONS_MAX, GRACE, TTL_MAX, Reservation
from services.reservations.work import HoldWork
from spendmeter.contracts.money import EXACT, ZERO, plain


def commit(work: HoldWork, asked: Commit, found: Reservation, now: datetime) -> HoldDecision:
    """What it cost is held in the place of its bound, until the book has it. Where the book already has it
    there is nothing left to hold, and the commit is as good."""
    if refusal := _over(found, committing=True):
        return refusal
    if found.state == "settled":
        done = replace(found, actual=asked.actual, committed_at=now)
        work.change(found, done)
        return say(work, done)
    identity = asked.identity or found.identity
    stated = found.stated or asked.identity is not None
    if not (stated or asked.usage or asked.actual is not None):
        detail = "state what was used, or what it cost, or which event books it"
        return HoldDecision(reason="nothing_to_book", detail=detail)
    held = found.bound if asked.actual is None else asked.actual
    state = work.state
    if identity not in state.booked and (refusal := event_refusal(work, asked.identity, found.id)):
        return refusal
    if refusal := _too_dear(work, asked, found, held):
        return refusal
    event = "" if stated else own_event(state.tenant, found, asked.usage, asked.actual, state.currency, now)
    done = replace(
        found, identity=identity, stated=stated, held=held, actual=asked.actual, state="committed",
        committed_at=now, event=event,
    )  # fmt: skip
    if stated and identity in state.booked:
        done = replace(done, state="settled", held=ZERO)
    return say(work, work.change(found, done))


def release(work: HoldWork, found: Reservation) -> HoldDecision:
    """Free what it holds."""
    return _over(found) or say(work, work.close(found, "released"))


def extend(work: HoldWork, asked: Extend, found: Reservation, now: datetime) -> HoldDecision:
    """Hold it for longer, and in every period that this touches."""
    if refusal := _over(found):
        return refusal
    if found.extensions >= EXTENSIONS_MAX:
        detail = f"a reservation is extended {EXTENSIONS_MAX} times at most: commit or release it"
        return HoldDecision(reason="extensions", detail=detail)
    expires_at = min(found.expires_at + asked.by, now + TTL_MAX)
    touched = work.matching(dict(found.dimensions), found.created_at, expires_at + GRACE)
    new = [counter for counter in touched if counter.place not in found.places]
    if refusal := too_little(new, found.held):
        return refusal
    places = (*found.places, *(counter.place for counter in new))
    longer = replace(found, expires_at=max(expires_at, found.expires_at), extensions=found.extensions + 1)
    return say(work, work.change(found, longer, places))


def _over(found: Reservation, *, committing: bool = False) -> HoldDecision | None:
    """Why it can no longer be changed."""
    if found.state == "held" or (committing and found.state == "settled" and found.committed_at is None):
        return None
    if found.state == "expired":
        detail = (
            f"reservation {found.id} ran out at {found.expires_at:%Y-%m-%d %H:%M:%S}Z: send what the call "
            "used as an event"
        )
        return HoldDecision(reason="expired", detail=detail)
    return HoldDecision(reason="finalized", detail=f"reservation {found.id} is {found.state}")


def _too_dear(work: HoldWork, asked: Commit, found: Reservation, held: Decimal) -> HoldDecision | None:
    more = EXACT.subtract(held, found.held)
    if more <= 0 or asked.overage == "overdraft":
        return None
    if asked.overage == "reject":
        detail = f"{plain(found.held)} was held, and {plain(held)} was spent"
        return HoldDecision(reason="overage", detail=detail, asked=held)
    counters = [work.state.counters[place] for place in found.places if place in work.state.counters]
    return too_little(counters, more)
