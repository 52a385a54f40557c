"""What the sender of a provider's answer says beside it, in query and headers: `?model=&id=`. Pure."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from services.ingest.dialects.call_ids import call_identity, is_id
from spendmeter.contracts.events import EventError

IDEMPOTENCY = "idempotency-key"
_NAMES = frozenset(
    {"model", "id", "source", "subject", "time", "service_tier", "region", "batch", "input_tokens",
     "transcription_model", "search_context_size", "interrupted", "sent_bytes", "sent_pieces"}
)  # fmt: skip
_FLAGS = ("batch", "interrupted")
_COUNTS = ("input_tokens", "sent_bytes", "sent_pieces")
_LABEL = "label."
_COUNT_DIGITS_MAX = 12
ID_RULE = (
    "the answer has no id that this call alone has: send the header Idempotency-Key or ?id= (the same again"
    " for a retry), or ?source= for who counts the answer's ids"
)


class StatedBeside(Struct, frozen=True, kw_only=True):
    """What holds of all calls of a request, where their answers say nothing else."""

    model: str = ""
    id: str = ""
    source: str = ""
    subject: str = ""
    """What it was for; '' = the source."""
    time: str = ""
    service_tier: str = ""
    region: str = ""
    batch: bool = False
    input_tokens: int | None = None
    """What was sent to the model, for a stream that broke off before it said so."""
    transcription_model: str = ""
    """Which model wrote down what was heard in a realtime session."""
    interrupted: bool = False
    """Whether the answer is what a stream had said when it broke off, or that never says what it used."""
    sent_bytes: int | None = None
    """How long the text was that it had sent by then, in UTF-8, where the answer leaves the text out."""
    sent_pieces: int | None = None
    """In how many pieces."""
    search_context_size: str = ""
    """What a chat completion asked for by its `web_search_options`."""
    unknown: tuple[str, ...] = ()
    """Names in the query that mean nothing here."""


def stated_beside(query: Mapping[str, str], headers: Mapping[str, str]) -> StatedBeside:
    """Raises EventError where something stated cannot be."""
    said: dict[str, Any] = {name: query[name].strip() for name in _NAMES & query.keys()}
    said |= {name: _flag(name, said.get(name, "")) for name in _FLAGS}
    said |= {name: _count(name, said.get(name, "")) for name in _COUNTS}
    said["id"] = said.get("id") or headers.get(IDEMPOTENCY, "").strip()
    unknown = sorted(name for name in query if name not in _NAMES and not name.startswith(_LABEL))
    return StatedBeside(**said, unknown=tuple(unknown))


def _flag(name: str, said: str) -> bool:
    if said not in ("", "true", "false"):
        raise EventError("must be true or false", f"query.{name}")
    return said == "true"


def _count(name: str, said: str) -> int | None:
    if said and not (said.isascii() and said.isdecimal() and len(said) <= _COUNT_DIGITS_MAX):
        raise EventError("must be a whole number of at least 0", f"query.{name}")
    return int(said) if said else None


def identity_of(
    provider: str, response_id: str, stated: StatedBeside, ordinal: int | None
) -> tuple[str, str]:
    """Source and id of a call's event: its own at every door where its id is one that no other call has, else
    as the sender says. `ordinal`: its place among several. Raises EventError where nobody says."""
    if (own := call_identity(provider, response_id)) is not None:
        return own
    if stated.id:
        return stated.source or f"raw:{provider}", stated.id if ordinal is None else f"{stated.id}#{ordinal}"
    if stated.source and is_id(response_id):
        return stated.source, response_id
    raise EventError(ID_RULE, "id")
