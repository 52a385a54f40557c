"""What one object of a provider's says of a call, and calls made of such pieces. Pure.

A whole response is one piece; a stream is many, of which each repeats, adds or goes on with what was said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from msgspec import Raw, Struct

from services.ingest.dialects.providers.answer import Answer, bytes_said
from spendmeter.contracts.dialect_parts import DialectError, UsedQuantity
from spendmeter.contracts.dialects import Normalised, disjoint

BYTES_A_TOKEN = 4
"""Of text, as vendors give it for a rule of thumb: for what a stream sent and nobody counted."""


class SideCall(Struct, frozen=True, kw_only=True):
    """What another model used on behalf of a call, at its own price: a judge, an adviser, a painter."""

    name: str
    model: str
    dialect: str
    usage: Mapping[str, Any]


class CallPiece(Struct, frozen=True, kw_only=True):
    """What one object says; what it does not say is empty."""

    id: str = ""
    """Of the response. Of a piece without one: of the same call as the piece before."""
    key: str = ""
    """Of which call of the body, where no response has an id for it."""
    model: str = ""
    variant: str = ""
    """What of a model has a price of its own: the quality and size of images."""
    model_later: str = ""
    """Of the calls that follow in the same body: a session says it once."""
    time: Decimal | int | str | None = None
    """Seconds since 1970, or RFC 3339."""
    tier: str = ""
    region: str = ""
    batch: bool = False
    dialect: str = ""
    usage: Mapping[str, Any] | None = None
    adds: bool = False
    """Whether the usage goes on top of what was said before, name by name; else it takes its place."""
    heard: bool = False
    """Whether it is of what was heard in a session, which another model writes down."""
    fees: Mapping[str, int] = {}
    sides: tuple[SideCall, ...] = ()
    latency_ms: int | None = None
    stream: bool = False
    """Whether it is one piece of several."""
    content: tuple[Raw, ...] = ()
    """What it sent to the reader, undecoded: counted where the stream breaks off, and dropped."""
    ends: bool = False
    """Whether the vendor says that the answer is complete."""
    failed: bool = False
    """Whether the vendor says that there was an error instead of an answer."""
    refused: bool = False
    """Whether the model declined to answer: before it said anything, where nothing else was sent."""


@dataclass(kw_only=True)
class ProviderCall:
    """One call, so far as its pieces say."""

    id: str = ""
    model: str = ""
    variant: str = ""
    time: Decimal | int | str | None = None
    tier: str = ""
    region: str = ""
    batch: bool = False
    dialect: str = ""
    usage: dict[str, Any] | None = None
    heard: bool = False
    fees: dict[str, int] = field(default_factory=dict)
    sides: tuple[SideCall, ...] = ()
    latency_ms: int | None = None
    stream: bool = False
    content: list[Raw] = field(default_factory=list)
    sent_bytes: int = 0
    """Of text that somebody else measured, and left out."""
    sent_pieces: int = 0
    ends: bool = False
    failed: bool = False
    refused: bool = False

    @property
    def interrupted(self) -> bool:
        """Whether more was used than its pieces can say."""
        return self.stream and not self.ends

    def break_off(self, sent_bytes: int, sent_pieces: int) -> None:
        """Its sender says that it is what a stream said that went on, and how much text that had sent."""
        self.stream, self.ends = True, False
        self.sent_bytes, self.sent_pieces = sent_bytes, sent_pieces

    def fill_in(self, piece: CallPiece) -> None:
        """Take what the piece says where nothing else does."""
        if self.usage is None and piece.usage is not None and not self.failed:
            self.usage, self.dialect, self.ends = dict(piece.usage), piece.dialect, True
        self.id, self.tier = self.id or piece.id, self.tier or piece.tier
        self.latency_ms = piece.latency_ms if self.latency_ms is None else self.latency_ms

    def add(self, piece: CallPiece) -> None:
        """Take in what one more piece says."""
        for name in ("id", "model", "variant", "tier", "region", "dialect", "sides"):
            if said := getattr(piece, name):
                setattr(self, name, said)
        self.time = piece.time if self.time is None else self.time
        self.latency_ms = piece.latency_ms if self.latency_ms is None else self.latency_ms
        for name in ("batch", "stream", "ends", "failed", "refused", "heard"):
            setattr(self, name, getattr(self, name) or getattr(piece, name))
        if piece.usage is not None:
            stated = {name: said for name, said in piece.usage.items() if said is not None}
            if piece.adds and self.usage:
                self.usage = _later(self.usage, stated)
            elif not self.usage or any(_counts(stated)):  # else a proxy's zeros after the vendor's counts
                self.usage = stated
        for unit, quantity in piece.fees.items():
            self.fees[unit] = max(self.fees.get(unit, 0), quantity)
        self.content += piece.content


def _counts(usage: Mapping[str, Any]) -> Iterator[int | Decimal]:
    """What a usage object counts, in itself and in the tables that it holds."""
    tables = [usage, *(said for said in usage.values() if isinstance(said, Mapping))]
    for said in (said for table in tables for said in table.values()):
        if type(said) in (int, Decimal):
            yield said


def _later(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """What was said so far with what is said now laid over it. Counts only grow: a 0 that a proxy puts where
    the vendor says nothing takes none away."""
    grown = {
        name: max(said, earlier)
        for name, said in now.items()
        if type(said) is int and type(earlier := before.get(name)) is int
    }
    return before | now | grown


def calls_of(pieces: Iterable[CallPiece]) -> list[ProviderCall]:
    """The calls that the pieces of one body are of, in the order of their beginnings."""
    calls: list[ProviderCall] = []
    by_id: dict[str, ProviderCall] = {}
    model = ""
    for piece in pieces:
        model = piece.model_later or model
        if piece.model_later and piece == CallPiece(model_later=piece.model_later, stream=True):
            continue
        name = piece.key or piece.id
        call = by_id.get(name) if name else (calls[-1] if calls and piece.stream else None)
        if call is None and piece.id and not piece.key and calls and piece.stream and not calls[-1].id:
            call = calls[-1]  # its id comes late
        if call is None:
            call = ProviderCall(model="" if piece.heard else model)
            calls.append(call)
        call.add(piece)
        if name:
            by_id[name] = call
    return calls


@dataclass(frozen=True, kw_only=True)
class Metered:
    """What a call used: quantities by unit, and which of them are estimates."""

    usage: dict[str, UsedQuantity]
    normalised: Normalised
    estimated: tuple[str, ...] = ()


def metered(call: ProviderCall, input_tokens: int | None = None) -> Metered:
    """What a call used. Where its stream broke off: the last usage that it stated, and for what it went on to
    send the text's length, marked as an estimate. `input_tokens`: what the sender says it sent, where the
    stream says nothing of it; an estimate too, for how much of it a cache had, only the vendor knows. Raises
    DialectError where nothing is said of usage."""
    if call.usage is None or _is_uncounted(call):
        return _counted(call, input_tokens)
    used, normalised = disjoint(call.dialect, call.usage)
    used = dict(used) | {unit: quantity for unit, quantity in call.fees.items() if quantity}
    if not call.interrupted:
        return Metered(usage=used, normalised=normalised)
    if "audio_seconds" in used and not tokens_sent(call):
        return Metered(usage=used, normalised=normalised, estimated=("audio_seconds",))
    stated = sum(quantity for unit, quantity in used.items() if unit in _OUTPUTS)
    used["output_tokens"] = used.get("output_tokens", 0) + max(0, tokens_sent(call) - int(stated))
    return Metered(usage=used, normalised=normalised, estimated=("output_tokens",))


_OUTPUTS = frozenset({"output_tokens", "reasoning_tokens", "output_audio_tokens", "output_image_tokens"})


def _is_uncounted(call: ProviderCall) -> bool:
    """Whether a server that speaks OpenAI's protocol puts zeros where it counts nothing: it sent text."""
    imitates = call.stream and call.dialect == "openai" and call.usage is not None
    return imitates and not any(_counts(call.usage or {})) and tokens_sent(call) > 0


def _counted(call: ProviderCall, input_tokens: int | None) -> Metered:
    sent = tokens_sent(call) if call.stream else 0
    if not sent and not (call.stream and input_tokens):
        raise DialectError("no usage: the answer states none")
    used: dict[str, UsedQuantity] = {"input_tokens": input_tokens or 0, "output_tokens": sent}
    used.update(call.fees)
    return Metered(usage=used, normalised="stated", estimated=("input_tokens", "output_tokens"))


def tokens_sent(call: ProviderCall) -> int:
    """How many tokens the text that a stream sent has, by its length; a piece with text has one at least."""
    sizes = [size for each in call.content if (size := bytes_said(each))]
    pieces, size = len(sizes) + call.sent_pieces, sum(sizes) + call.sent_bytes
    return max(pieces, -(-size // BYTES_A_TOKEN))


PiecesOf = Callable[[Answer], Iterable[CallPiece]]
"""Of one object: the pieces that it states, none where it says nothing of a call."""
