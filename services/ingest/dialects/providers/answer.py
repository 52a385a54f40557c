"""A provider's answer, looked into by name: what nobody asks for is skipped, never decoded. Pure.

    answer = Answer.read(b'{"id": "r1", "choices": [...], "usage": {"prompt_tokens": 5}}')
    answer.text("id"), answer.usage("usage")

Of its fields those named here are found, whatever it holds; each stays bytes until it is asked for. An answer
may be of any size and shape: the work and memory that it takes are bounded by what is known of answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from services.ingest.arrays import splitter
from services.ingest.dialects.mended import mended
from spendmeter.contracts.dialect_parts import COUNT_MAX, DialectError

USAGE_BYTES_MAX = 64 * 1024
"""Of a usage object: the longest that vendors send has a few thousand."""
ELEMENTS_MAX = 20_000
"""Of a list: chunks of a stream, items of an output."""
TEXT_BYTES_MAX = 2048
"""Of a name that is asked for."""
NAMES = """
    action amazon-bedrock-invocationMetrics arguments b64_json billed_units body bytes bytesBase64Encoded
    candidates candidates_token_count candidatesTokenCount characters choices chunk completion_tokens
    container_id content content_block contentBlockDelta contentBlockStart contentBlockStop create_time
    created created_at createTime custom_id data delta document_annotation duration embeddings error event
    event_type finish_reason finishReason function generated_images generatedImages generation
    generation_id generation_token_count go_away goAway grounding_chunks grounding_metadata
    groundingChunks groundingMetadata HTTPHeaders id image image_gen images input input_tokens
    inputTextTokenCount inputTokens interaction internalServerException invokedModelId item_id key latency
    latencyMs maps message messageStart messageStop meta metadata metrics model model_version modelOutput
    models modelStreamErrorException modelTimeoutException modelVersion num_requests object output
    output_tokens outputs outputText outputTokens pages_processed partial_json parts performanceConfig
    predictions prompt_cache_hit_tokens prompt_token_count prompt_tokens promptRouter promptTokenCount
    quality reasoning reasoning_content reasoningContent recordId refusal RequestId response response_id
    responseId ResponseMetadata result results retrieved_context retrievedContext search_context_size
    seconds server_content serverContent service_tier serviceTier serviceUnavailableException session
    session_resumption_update sessionResumptionUpdate setup_complete setupComplete size statistics status
    status_code stop_reason stopReason svg_usage text thinking throttlingException token_count tokenCount
    tokens tool_call tool_call_cancellation tool_calls tool_plan tool_usage toolCall toolCallCancellation
    tools toolUse total_input_tokens total_output_tokens trace type url usage usage_breakdown usage_info
    usage_metadata usageMetadata validationException web web_search web_search_queries webSearchQueries
    x_groq
""".split()
"""Every field that any provider's reading asks for."""

_FIELDS = {name: f"f{place}" for place, name in enumerate(NAMES)}
_Looked = msgspec.defstruct(
    "_Looked",
    [(field, Raw | UnsetType, UNSET) for field in _FIELDS.values()],
    rename={field: name for name, field in _FIELDS.items()},
    gc=False,
)


_split = splitter(ELEMENTS_MAX)
_look: Callable[[bytes | Raw], Any] = msgspec.json.Decoder(_Looked).decode
_decode_any: Callable[[bytes | Raw], Any] = msgspec.json.Decoder(float_hook=Decimal).decode


class Answer:
    """One object of a provider's; its fields by name, of several spellings the first that is stated."""

    __slots__ = ("_looked",)

    def __init__(self, looked: Any) -> None:
        self._looked = looked

    @classmethod
    def read(cls, raw: bytes | Raw) -> Answer:
        """Raises DialectError where it is no JSON object."""
        return cls(_decoded(_look, raw, "is no JSON object"))

    def raw(self, *names: str) -> Raw | None:
        """The bytes of a field; None = not stated, or null."""
        for name in names:
            found = getattr(self._looked, _FIELDS[name])
            if found is not UNSET and not _is_null(found):
                return found  # type: ignore[no-any-return]
        return None

    def has(self, *names: str) -> bool:
        return self.raw(*names) is not None

    def text(self, *names: str) -> str:
        """A name or an id; '' = not stated, or nothing that could be one."""
        found = self._small(*names)
        return found if isinstance(found, str) else ""

    def number(self, *names: str) -> int | Decimal | None:
        """A number of at least 0; None = not stated, or none that could be counted."""
        found = self._small(*names)
        return found if type(found) in (int, Decimal) and 0 <= found <= COUNT_MAX else None

    def flag(self, *names: str) -> bool:
        return self._small(*names) is True

    def usage(self, *names: str) -> dict[str, Any] | None:
        """A usage object, decoded whole. Raises DialectError where it is none."""
        found = self.raw(*names)
        return None if found is None else table_of(found)

    def inner(self, *names: str) -> Answer | None:
        """The object that a field holds; None = it holds none."""
        found = self.raw(*names)
        return Answer.read(found) if found is not None and _opens(found, "{") else None

    def listed(self, *names: str) -> Sequence[Raw]:
        """What the list has that a field holds. Raises DialectError where it is too much."""
        found = self.raw(*names)
        return elements(found) if found is not None and _opens(found, "[") else ()

    def each(self, *names: str) -> list[Answer]:
        """The objects in the list that a field holds."""
        return [Answer.read(each) for each in self.listed(*names) if _opens(each, "{")]

    def texts(self, *names: str) -> list[str]:
        """The texts in the list that a field holds."""
        said = (_decoded(_decode_any, each) for each in self.listed(*names))
        return [text for text in said if isinstance(text, str)]

    def _small(self, *names: str) -> Any:
        found = self.raw(*names)
        if found is None or memoryview(found).nbytes > TEXT_BYTES_MAX or _opens(found, "{["):
            return None
        return _decoded(_decode_any, found)


def elements(raw: bytes | Raw) -> Sequence[Raw]:
    """The elements of a JSON array, each as its bytes. Raises DialectError."""
    found: list[Raw] = _decoded(_split, raw)
    if len(found) > ELEMENTS_MAX:
        raise DialectError(f"a list may have at most {ELEMENTS_MAX} elements")
    return found


def table_of(raw: bytes | Raw) -> dict[str, Any]:
    """A usage object. Raises DialectError."""
    if memoryview(raw).nbytes > USAGE_BYTES_MAX:
        raise DialectError(f"usage may have at most {USAGE_BYTES_MAX} bytes")
    found = _decoded(_decode_any, raw)
    if not isinstance(found, dict):
        raise DialectError("usage must be an object")
    return found


def bytes_said(raw: Raw) -> int:
    """How many bytes of UTF-8 a field's text has; of what is no text, how many it was sent with."""
    if not _opens(raw, '"'):
        return memoryview(raw).nbytes
    return len(_decoded(_decode_any, raw).encode("utf-8", "surrogatepass"))


def _opens(raw: Raw, signs: str) -> bool:
    return chr(memoryview(raw)[0]) in signs


def _is_null(raw: Raw) -> bool:
    return memoryview(raw).nbytes == 4 and bytes(raw) == b"null"


def _decoded(decode: Callable[[bytes | Raw], Any], raw: bytes | Raw, otherwise: str = "is not JSON") -> Any:
    try:
        return _strictly(decode, raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        if (again := mended(bytes(raw))) == bytes(raw):
            raise DialectError(otherwise) from None
    try:
        return _strictly(decode, again)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise DialectError(otherwise) from None


def _strictly(decode: Callable[[bytes | Raw], Any], raw: bytes | Raw) -> Any:
    try:
        return decode(raw)
    except RecursionError:
        raise DialectError("is nested too deep") from None
    except InvalidOperation:  # what Decimal makes of an exponent that it cannot hold
        raise DialectError("holds a number out of range") from None
