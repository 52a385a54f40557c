"""What Python and JavaScript write for JSON: read all the same, whatever of it stands in what was said."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from services.ingest.dialects.elements import elements_of
from services.ingest.dialects.mended import mended
from services.ingest.refused import RequestRefused
from tests.ingest.dialects.provider_calls import said

CUT = "cut in the middle of an emoji: \ud83d"
"""As `text[:80]` of JavaScript leaves it, and both languages write it in JSON."""


def test_only_what_is_no_json_is_changed() -> None:
    odd = rb'["NaN \" NaN", -Infinity, -1, NaN, "\ud83d\ude00 \ud83d \\ud83d \uDE00 \u00e9 \n"]'
    assert mended(odd) == rb'["NaN \" NaN", null, -1, null, "\ud83d\ude00 \ufffd \\ud83d \ufffd \u00e9 \n"]'
    good = json.dumps(["\\ud800", "\\\\", "\U0001f600 NaN", -1]).encode()
    assert mended(good) == good


@pytest.mark.parametrize(
    "write",
    [
        lambda of: json.dumps(of),
        lambda of: "\n".join(map(json.dumps, of)),
        lambda of: json.dumps(of, indent=1),
        lambda of: json.dumps(of[0]),
        lambda of: json.dumps(of[0], indent=1),
    ],
)
def test_an_element_that_python_wrote_is_read_in_every_form(write: Any) -> None:
    sent = [{"a": CUT}, {"b": float("nan")}, {"c": 1}]
    read = [json.loads(bytes(each)) for each in elements_of(write(sent).encode(), 10)]
    assert read == [{"a": CUT.replace("\ud83d", "\ufffd")}, {"b": None}, {"c": 1}][: len(read)]
    assert len(read) in (1, 3)


def test_an_answer_with_such_a_text_is_metered() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 2}
    whole = {"id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG", "object": "chat.completion", "model": "gpt-4o",
             "choices": [{"message": {"content": CUT}, "finish_reason": "stop"}], "usage": usage}  # fmt: skip
    for body in (json.dumps(whole), json.dumps([whole])):
        assert said("openai", body.encode())["data"]["usage"] == {"input_tokens": 10, "output_tokens": 2}


@pytest.mark.parametrize(
    "body",
    [
        b'[NaN,"' + b'\\"' * 1_000_000,  # a text that never ends, of what looks like its end
        b'[NaN,"\\ud800' + b'","' * 1_000_000,
        b"[NaN" + b"-" * 1_000_000 + b"N" * 1_000_000,
        b'["' + b"\\ud8zz" * 500_000,
        b'["' + b"\\ud800" * 500_000 + b'"]',
        b'["\\ud800' + b"\\" * 1_000_001,
    ],
)
def test_whatever_comes_is_looked_through_once(body: bytes) -> None:
    """Two megabytes take a third of a second on a slow machine; looked through from every quote, 32 KB took 22."""
    began = time.process_time()
    with pytest.raises(RequestRefused):
        elements_of(body, 10)
    assert time.process_time() - began < 5
