"""One record in, one answer out: what `usage.rated` says of a record of `usage.events`. Pure.

Whatever lies on the topic is answered: an event that passes the gate with its price, anything else with a
rejection that says why. Nothing raises and nothing is dropped.
"""

import hashlib
import re
from datetime import datetime, timedelta
from decimal import Inexact
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from spendmeter.contracts.charges import age_max_of
from spendmeter.contracts.counted import Quantities, select_counted
from spendmeter.contracts.event_identity import content_hash, identity, superseded_identity
from spendmeter.contracts.event_reading import check_time, holds_nul, read_event
from spendmeter.contracts.events import EventError, UsageEvent, event_time, series_of, series_values
from spendmeter.contracts.gate import check_limits, check_rules, is_plain
from spendmeter.contracts.money import plain
from spendmeter.contracts.rated import Origin, RatedUsage, RejectedUsage, encode_rated
from spendmeter.contracts.series import series_id
from spendmeter.pricing.engine import Rating, rate
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.remarks import remarks_on
from spendmeter.pricing.reported import reports_little

SERIES_MAX = 50_000
"""Series whose id is remembered; senders choose their labels."""
REASON_CHARACTERS_MAX = 500

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class RatedRecord(Struct, frozen=True, gc=False):
    """A record for `usage.rated`; `outcome` is the event's status, or "rejected"."""

    key: bytes | None
    value: bytes
    outcome: str
    reports_little: tuple[str, str] | None = None
    """Tenant and key of an event whose trusted cost is less than half of what the catalog says."""


class RecordRater:
    """`answer` for record after record; what it remembers are ids of series."""

    def __init__(self, age_max: timedelta) -> None:
        self._age_max = age_max
        self._series: dict[tuple[Any, ...], tuple[str, Raw]] = {}

    def answer(
        self,
        key: bytes | None,
        raw: bytes | None,
        *,
        origin: Origin,
        prev: int,
        book: PriceBook,
        now: datetime,
    ) -> RatedRecord:
        """The answer to one record. `now` is when the record was put on the topic, so that a replay says the
        same; `prev` is the offset delivered before it."""
        try:
            event = _read(raw, now)
            time = event_time(event)
            check_time(time, now, age_max_of(event, self._age_max))
            if book.event_limits:
                check_limits(event, book.event_limits, _received_at(event, now))
            rating = rate(event, book)
        except EventError as error:
            return RatedRecord(None, _rejected(raw or b"", origin, prev, str(error)), "rejected")
        except Inexact:
            reason = "the cost of these quantities has more digits than money holds"
            return RatedRecord(None, _rejected(raw or b"", origin, prev, reason), "rejected")
        assert raw is not None, "_read refuses None"
        name = identity(event.tenant, event.source, event.id)
        usage = select_counted(event.data.usage, book.parents, _received_at(event, now))
        return RatedRecord(
            name,
            self._rated(raw, event, time, name, rating, origin, prev, usage),
            rating.status,
            (event.tenant, event.keyid) if reports_little(event, rating, book) else None,
        )

    def _rated(
        self,
        raw: bytes,
        event: UsageEvent,
        time: datetime,
        name: bytes,
        rating: Rating,
        origin: Origin,
        prev: int,
        usage: Quantities,
    ) -> bytes:
        values = series_values(event)
        known = self._series.get(values)
        if known is None:
            if len(self._series) >= SERIES_MAX:
                self._series.clear()
            series = series_of(event)
            known = self._series[values] = series_id(series).hex(), Raw(msgspec.json.encode(series))
        listed = plain(rating.list)
        contracted = listed if rating.contracted is rating.list else plain(rating.contracted)
        return encode_rated(
            RatedUsage(
                origin=origin,
                prev=prev,
                identity=name.hex(),
                hash=content_hash(event).hex(),
                tenant=event.tenant,
                series_id=known[0],
                series=known[1],
                time=time,
                status=rating.status,
                catalog_version=rating.catalog_version,
                accounting_period=rating.accounting_period,
                currency=rating.currency,
                list=listed,
                contracted=contracted,
                effective=contracted if rating.effective is rating.contracted else plain(rating.effective),
                usage={
                    unit: quantity if isinstance(quantity, int) else plain(quantity)
                    for unit, quantity in usage.items()
                },
                event=Raw(raw),
                lines=Raw(encode_rated(rating.lines)),
                remarked=remarks_on(event, rating.lines),
                supersedes=_superseded(event) if event.supersedes else UNSET,
            )
        )


def _superseded(event: UsageEvent) -> str | UnsetType:
    earlier = superseded_identity(event)
    return UNSET if earlier is None else earlier.hex()


def _read(raw: bytes | None, now: datetime) -> UsageEvent:
    if not raw:
        raise EventError("is empty" if raw is not None else "is empty (a tombstone)")
    event = read_event(raw)
    simple = is_plain(raw)
    check_rules(event, simple, _received_at(event, now))
    if not simple and not raw.isascii():
        try:
            raw.decode()  # the gate looks into known fields alone, and all of it goes into the book
        except UnicodeDecodeError as error:
            raise EventError(f"is not UTF-8: {error.reason}") from None
    if holds_nul(raw):
        raise EventError("holds a NUL character (U+0000)")  # in an unknown field; the book could not show it
    if not event.tenant:
        raise EventError("is missing: a record on the topic names its tenant", "tenant")
    return event


def _received_at(event: UsageEvent, now: datetime) -> datetime:
    """By which of the gate's rules it is judged; who writes to the topic directly may leave it out."""
    return now if event.receivedat is UNSET else event.receivedat


class _RejectedHead(Struct):
    """What a rejection may say of an event, as far as it can be read."""

    tenant: object = ""
    keyid: object = ""
    source: object = ""
    id: object = ""


_decode_head = msgspec.json.Decoder(_RejectedHead).decode


def _rejected(raw: bytes, origin: Origin, prev: int, reason: str) -> bytes:
    try:
        sender = _decode_head(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError):
        sender = _RejectedHead()
    return encode_rated(
        RejectedUsage(
            origin=origin,
            prev=prev,
            reason=_CONTROL.sub(" ", reason)[:REASON_CHARACTERS_MAX],
            size=len(raw),
            sha256=hashlib.sha256(raw).hexdigest(),
            tenant=_name(sender.tenant, 64),
            key_id=_name(sender.keyid, 128),
            source=_name(sender.source, 256),
            id=_name(sender.id, 256),
        )
    )


def _name(value: object, characters_max: int) -> str:
    """A name that the book can hold; anything else is none."""
    if not isinstance(value, str) or len(value) > characters_max or _CONTROL.search(value):
        return ""
    return value
