"""One call, one identity: whichever door it comes through, and however many report it. Pure.

    call_identity("openai", "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG")  # ("call:openai", "chatcmpl-B9M...")

An application, its gateway and an instrumentation may each report the same call. Where the vendor's id of the
response is one that no other call has, it is the event's identity at every door; the first one is booked, and
the others are duplicates, or conflicts that people can see. Which ids those are is data: call_ids.toml.
"""

import re
from base64 import b64decode, b64encode
from pathlib import Path
from types import MappingProxyType

import msgspec
from msgspec import Struct

BITS_MIN = 64
_NO_IDS = frozenset({"", "null", "none", "undefined", "nil", "0"})
_FILLED = re.compile(r"(.)\1{7}")
"""One character eight times in a row: a counter in a random id's clothes."""
_PACKED = "resp_" + b64encode(b"litellm:").decode().rstrip("=")[:-1]
_INSIDE = re.compile(
    r"litellm:custom_llm_provider:(?P<vendor>[^;]*);model_id:[^;]*;response_id:(?P<id>[^;]+)"
)
_UUID = ("[0-9a-f]{8}", "[0-9a-f]{4}", "[47][0-9a-f]{3}", "[89ab][0-9a-f]{3}", "[0-9a-f]{12}")
"""Of version 4, random, or 7, random after a time."""


class _Pattern(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    call: str
    id: str
    bits: int
    like: tuple[str, ...]
    source: str
    of: tuple[str, ...] = ()


class _CallIds(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pattern: tuple[_Pattern, ...]
    names: dict[str, tuple[str, ...]]


CALL_IDS = msgspec.toml.decode(Path(__file__).with_name("call_ids.toml").read_bytes(), type=_CallIds)
_NAMES = MappingProxyType({other: name for name, others in CALL_IDS.names.items() for other in others})


def _compiled(pattern: _Pattern) -> re.Pattern[str]:
    return re.compile(pattern.id.replace("HEX32", "".join(_UUID)).replace("UUID", "-".join(_UUID)))


_PATTERNS = tuple((_compiled(pattern), pattern) for pattern in CALL_IDS.pattern)


def call_identity(provider: str, response_id: str) -> tuple[str, str] | None:
    """The source and the id of the event of a call; None = the id is not one that this call alone has."""
    provider, response_id = _unpacked(provider, response_id)
    vendor = vendor_name(provider)
    for shape, pattern in _PATTERNS:
        if (not pattern.of or vendor in pattern.of) and shape.fullmatch(response_id):
            filled = _FILLED.search(response_id) is not None
            return None if filled else (f"call:{pattern.call or vendor}", response_id)
    return None


def _unpacked(provider: str, response_id: str) -> tuple[str, str]:
    """The vendor's name and id inside the id that a LiteLLM gateway gives its clients; else what they are."""
    if not response_id.startswith(_PACKED):
        return provider, response_id
    try:
        inside = b64decode(response_id.removeprefix("resp_"), validate=True).decode()
    except ValueError:
        return provider, response_id
    found = _INSIDE.fullmatch(inside)
    return (found["vendor"], found["id"]) if found else (provider, response_id)


def is_id(said: str) -> bool:
    """Whether it can be an id, and not how a program writes that it has none: of all such calls the first
    alone would be booked."""
    return said.strip().lower() not in _NO_IDS


def vendor_name(provider: str) -> str:
    """The one name of a provider that has several."""
    name = provider.strip().lower()
    return _NAMES.get(name, name)
