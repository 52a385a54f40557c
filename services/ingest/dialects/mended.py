r"""JSON as Python and JavaScript write it, and JSON is not: NaN, Infinity, half of a surrogate pair. Pure.

    mended(b'{"logprob": -Infinity, "prompt": "cut in an emoji \\ud83d"}')
    # b'{"logprob": null, "prompt": "cut in an emoji \\ufffd"}'

Such a thing stands in what was asked or answered, of which nothing is read: it must not cost the call its
money, nor a batch that of its others. All is read strictly first, and mended only where it cannot be read.
"""

import re

_NOT_FINITE = re.compile(
    rb'((?:[^"NI\-]++|"(?:[^"\\]++|\\.)*+"?|-(?!NaN|Infinity)|[NI](?!aN|nfinity))*+)(-?(?:NaN|Infinity))?',
    re.DOTALL,
)
"""What may stand before one, and one: a text is passed over whole, also one that was cut off."""
_HALF = re.compile(
    rb"((?:[^\\]++|\\[^u]|\\u(?![dD][89a-fA-F])|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})*+)"
    rb"(\\u[dD][89a-fA-F][0-9a-fA-F]{2})?",
    re.DOTALL,
)
MENDED_MAX = 10_000
"""Of one kind in a body: what has more is no slip."""


def mended(raw: bytes) -> bytes:
    """With null in the place of numbers that are none, and U+FFFD in that of halves of a character; all else
    as it is."""
    if b"NaN" in raw or b"Infinity" in raw:
        raw = _with(b"null", _NOT_FINITE, raw)
    if b"\\ud" in raw or b"\\uD" in raw:
        raw = _with(rb"\ufffd", _HALF, raw)
    return raw


def _with(other: bytes, found: re.Pattern[bytes], raw: bytes) -> bytes:
    return found.sub(lambda match: match[1] + other if match[2] else match[0], raw, count=MENDED_MAX)
