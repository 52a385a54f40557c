"""What the sender of a provider's answer says beside it, in query and headers: `?model=&id=`. Pure."""

from collections.abc import Mapping

from msgspec import Struct

from services.ingest.dialects.call_ids import call_identity
from spendmeter.contracts.events import EventError

IDEMPOTENCY = "idempotency-key"
_NAMES = frozenset(
    {"model", "id", "source", "time", "service_tier", "region", "batch", "input_tokens",
     "transcription_model", "search_context_size"}
)  # fmt: skip
_LABEL = "label."
_NO_IDS = frozenset({"", "null", "none", "undefined", "nil", "0"})
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
    time: str = ""
    service_tier: str = ""
    region: str = ""
    batch: bool = False
    input_tokens: int | None = None
    """What was sent to the model, for a stream that broke off before it said so."""
    transcription_model: str = ""
    """Which model wrote down what was heard in a realtime session."""
    search_context_size: str = ""
    """What a chat completion asked for by its `web_search_options`."""
    unknown: tuple[str, ...] = ()
    """Names in the query that mean nothing here."""


def stated_beside(query: Mapping[str, str], headers: Mapping[str, str]) -> StatedBeside:
    """Raises EventError where something stated cannot be."""
    said = {name: query[name].strip() for name in _NAMES & query.keys()}
    batch, count = said.pop("batch", ""), said.pop("input_tokens", "")
    if batch not in ("", "true", "false"):
        raise EventError("must be true or false", "query.batch")
    if count and not (count.isascii() and count.isdecimal() and len(count) <= _COUNT_DIGITS_MAX):
        raise EventError("must be a whole number of at least 0", "query.input_tokens")
    said["id"] = said.get("id") or headers.get(IDEMPOTENCY, "").strip()
    unknown = sorted(name for name in query if name not in _NAMES and not name.startswith(_LABEL))
    return StatedBeside(
        **said, batch=batch == "true", input_tokens=int(count) if count else None, unknown=tuple(unknown)
    )


def identity_of(
    provider: str, response_id: str, stated: StatedBeside, ordinal: int | None
) -> tuple[str, str]:
    """Source and id of a call's event: its own at every door where its id is one that no other call has, else
    as the sender says. `ordinal`: its place among several. Raises EventError where nobody says."""
    if (own := call_identity(provider, response_id)) is not None:
        return own
    if stated.id:
        return stated.source or f"raw:{provider}", stated.id if ordinal is None else f"{stated.id}#{ordinal}"
    if stated.source and response_id.strip().lower() not in _NO_IDS:
        return stated.source, response_id
    raise EventError(ID_RULE, "id")
