"""What installed instrumentations really send, of calls with the vendors' own SDKs, in quantities and in money.

Each of them runs in a process of its own (`emitting.py`) against a stand-in of the vendor (`vendors.py`), and exports
with OpenTelemetry's own exporter, content and all.
"""

from __future__ import annotations

import gzip
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from deploy.local.home import CLONE
from services.ingest.accept import accept_translated
from services.ingest.dialects.otlp_calls import SECOND_SPAN, translate_spans
from services.ingest.dialects.otlp_items import SentSpan
from services.ingest.dialects.otlp_spans import ATTRIBUTES, UNMETERED
from services.ingest.dialects.otlp_wire import PROTOBUF, read_spans
from services.ingest.dialects.translated import Translated
from services.ingest.request_maps import RequestMaps
from spendmeter.contracts.otel_names import OTEL
from spendmeter.pricing.engine import Rating, rate
from spendmeter.pricing.price_book import PriceBook
from tests.ingest.dialects.vendors import collector, vendor
from tests.ingest.test_accept import submission

CANARY = "canary-7f21"
ALL = [(name, of) for of in ("openai", "anthropic") for name in ("genai", "openllmetry", "openinference")]
each = pytest.mark.parametrize("sent", ALL, indirect=True, ids=[f"{name}, {of}" for name, of in ALL])
CONTENT_TOO = {
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY", "TRACELOOP_TRACE_CONTENT": "true",
    "ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE": "content",
}  # fmt: skip
_RUNS: dict[tuple[str, str], Exported] = {}


@dataclass(frozen=True)
class Exported:
    """What one application exported."""

    instrumentation: str
    vendor: str
    bodies: list[bytes]

    @property
    def spans(self) -> list[SentSpan]:
        return [span for body in self.bodies for span in read_spans(body, PROTOBUF)]

    @property
    def translated(self) -> Translated:
        (body,) = self.bodies  # all of it fits into one batch
        return translate_spans(body, PROTOBUF, RequestMaps(tenant="acme"))

    def rated(self, book: PriceBook) -> list[tuple[dict[str, Any], Rating]]:
        """The events past the gate of our own door, priced, in the order of the calls."""
        found = self.translated
        taken = accept_translated(found, submission(keeps_late=True), partly=True)
        assert taken.refused == []
        return [(event.data.usage, rate(event, book)) for event in taken.events]


@pytest.fixture
def sent(request: pytest.FixtureRequest) -> Exported:
    if request.param not in _RUNS:
        _RUNS[request.param] = exported(*request.param)
    return _RUNS[request.param]


def exported(instrumentation: str, of: str) -> Exported:
    with vendor() as vendors_url, collector() as (url, taken):
        command = [
            sys.executable,
            "-m",
            "tests.ingest.dialects.emitting",
            instrumentation,
            of,
            vendors_url,
            url + "/v1/traces",
        ]
        run = subprocess.run(
            command, cwd=CLONE, env=os.environ | CONTENT_TOO, capture_output=True, text=True, timeout=120
        )
    assert run.returncode == 0, run.stderr[-3000:]
    assert all(
        headers["content-type"] == PROTOBUF and headers["content-encoding"] == "gzip" for headers, _ in taken
    )
    return Exported(instrumentation, of, [gzip.decompress(body) for _, body in taken])


# gpt-4o, 2,006 in of which 1,920 cached, 300 out: 86 x 2.5 + 1,920 x 1.25 + 300 x 10
CHAT = (
    {"input_tokens": 86, "cache_read_tokens": 1_920, "output_tokens": 236, "reasoning_tokens": 64},
    "0.005615",
)
# the same where a stream's reasoning is not told apart from the rest of the output
PLAIN = ({"input_tokens": 86, "cache_read_tokens": 1_920, "output_tokens": 300}, "0.005615")
# 8,000 x 0.02
EMBEDDED = ({"input_tokens": 8_000}, "0.00016")
# gpt-5.6-sol, 5,000 in of which 3,000 read and 1,000 written, 700 out: 1,000 x 4 + 3,000 x 0.4 + 1,000 x 5 + 700 x 20
RESPONDED = (
    {
        "input_tokens": 1_000,
        "cache_read_tokens": 3_000,
        "cache_write_5m_tokens": 1_000,
        "output_tokens": 188,
        "reasoning_tokens": 512,
    },
    "0.0242",
)
# what it wrote to the cache OpenLLMetry does not say: 2,000 x 4 + 3,000 x 0.4 + 700 x 20
UNWRITTEN = (
    {"input_tokens": 2_000, "cache_read_tokens": 3_000, "output_tokens": 188, "reasoning_tokens": 512},
    "0.0232",
)
# gpt-4o-audio-preview: 20 x 2.5 + 100 x 40 + 20 x 10 + 60 x 80
SPOKEN = (
    {"input_tokens": 20, "input_audio_tokens": 100, "output_tokens": 20, "output_audio_tokens": 60},
    "0.00905",
)
# nor what of it was audio: 120 x 2.5 + 80 x 10
UNSPOKEN = ({"input_tokens": 120, "output_tokens": 80}, "0.0011")
# claude-sonnet-4-5: 5 x 3 + 1,000 x 3.75 + 253 x 6 + 128,955 x 0.30 + 10 x 15: the SDK's own span knows how long it lives
MESSAGE = (
    {
        "input_tokens": 5,
        "cache_write_5m_tokens": 1_000,
        "cache_write_1h_tokens": 253,
        "cache_read_tokens": 128_955,
        "output_tokens": 10,
    },
    "0.0441195",
)
# shortened first, for 4,000 more in, which may all have been fresh, and 500 more out: + 4,000 x 3 + 500 x 15
COMPACTED = (MESSAGE[0] | {"input_tokens": 4_005, "output_tokens": 510}, "0.0636195")
# the reader left; one token of output had been announced: 5 x 3 + 1,253 x 3.75 + 128,955 x 0.30 + 1 x 15
CUT = (
    {"input_tokens": 5, "cache_write_5m_tokens": 1_253, "cache_read_tokens": 128_955, "output_tokens": 1},
    "0.04341525",
)
# where the SDK's own span alone tells of it, at most the 512 that were asked for: 5 x 3 + 1,000 x 3.75 + 253 x 6 + 128,955 x 0.30 + 512 x 15
CUT_AT_MOST = (MESSAGE[0] | {"output_tokens": 512}, "0.0516495")
WANT = {
    ("genai", "openai"): [CHAT, CHAT, CHAT, EMBEDDED, RESPONDED, SPOKEN],
    ("openllmetry", "openai"): [CHAT, PLAIN, CHAT, EMBEDDED, UNWRITTEN, UNSPOKEN],
    ("openinference", "openai"): [CHAT, CHAT, CHAT, EMBEDDED, RESPONDED, SPOKEN],
    ("genai", "anthropic"): [MESSAGE, MESSAGE, MESSAGE, COMPACTED, CUT],
    ("openllmetry", "anthropic"): [MESSAGE, MESSAGE, MESSAGE, COMPACTED, CUT_AT_MOST],
    ("openinference", "anthropic"): [MESSAGE, MESSAGE, MESSAGE, COMPACTED, CUT],
}


@each
def test_each_call_is_one_event_of_exact_quantities_and_money(sent: Exported, book: PriceBook) -> None:
    found = sent.rated(book)
    want = WANT[sent.instrumentation, sent.vendor]
    assert [usage for usage, _ in found] == [usage for usage, _ in want]
    assert [rating.list for _, rating in found] == [Decimal(amount) for _, amount in want]
    interrupted = sent.vendor == "anthropic"
    assert [rating.status for _, rating in found] == ["priced"] * (len(want) - interrupted) + [
        "provisional"
    ] * interrupted


@each
def test_the_call_itself_is_what_served(sent: Exported) -> None:
    for event in sent.translated.events:
        said = event.said["data"]
        assert said["provider"] == sent.vendor
        assert said["sku"] in {"gpt-4o-2024-08-06", "text-embedding-3-small", "gpt-5.6-sol", "gpt-4o-audio-preview-2024-12-17", "claude-sonnet-4-5-20250929"}  # fmt: skip
        assert said["labels"] == {"team": "payments", "project": "checkout", "environment": "prod"}
        assert 0 <= said["performance"]["latency_ms"] < 60_000
        # priority was asked for, the default served; OpenInference tells of neither
        assert said.get("context", {}) in ({}, {"service_tier": "default"}, {"service_tier": "standard"})


@each
def test_a_call_has_its_vendors_id_wherever_its_span_says_one(sent: Exported) -> None:
    sources = [event.said["source"] for event in sent.translated.events]
    if sent.vendor == "anthropic":
        assert sources == ["call:anthropic"] * 5
    else:  # embeddings have no id; streams under OpenInference keep none
        none = {3} | ({1} if sent.instrumentation == "openinference" else set())
        assert sources == ["otlp" if place in none else "call:openai" for place in range(6)]


@each
def test_a_vendors_own_span_and_the_instrumentations_are_one_call(sent: Exported) -> None:
    # OpenLLMetry's span of the call that was left never ends
    doubled = {"openai": 0, "anthropic": 4 if sent.instrumentation == "openllmetry" else 5}[sent.vendor]
    assert sent.translated.skipped[SECOND_SPAN] == doubled


@each
def test_a_stream_that_was_not_asked_for_usage_is_told_and_not_booked_as_zero(sent: Exported) -> None:
    skipped = sent.translated.skipped
    assert skipped.total() - skipped[SECOND_SPAN] == (1 if sent.vendor == "openai" else 0)
    if sent.instrumentation != "openinference":
        assert skipped[UNMETERED] == (1 if sent.vendor == "openai" else 0)


def unknown_usage(attributes: Iterator[str]) -> set[str]:
    """Names that look like usage, and that no rule reads or knows to be a repeat."""
    return {
        name
        for name in attributes
        if _LIKE_USAGE.search(name)
        and name not in ATTRIBUTES | OTEL.known.names
        and not name.startswith(OTEL.known.beginnings)
    }


_LIKE_USAGE = re.compile(r"usage|token|cost|cache|tier|price|billed|credits|characters", re.IGNORECASE)


@each
def test_no_attribute_that_looks_like_usage_is_unknown(sent: Exported) -> None:
    names = (name for span in sent.spans for name in (*span.attributes, *span.resource))
    assert unknown_usage(names) == set(), "say in otel_usage.toml what it means, or that it repeats"


def test_an_attribute_of_tomorrow_would_be_seen() -> None:
    names = [
        "gen_ai.usage.thought_tokens",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.details.x",
        "anthropic.usage.tool_use",
        "vendor.cost_in_credits",
    ]
    assert unknown_usage(iter(names)) == {
        "gen_ai.usage.thought_tokens",
        "anthropic.usage.tool_use",
        "vendor.cost_in_credits",
    }


@each
def test_nothing_that_was_asked_or_answered_is_kept(sent: Exported) -> None:
    assert any(CANARY.encode() in body for body in sent.bodies), "content was to be exported"
    assert CANARY not in repr(sent.translated)


def test_these_are_the_newest_conventions() -> None:
    for name in ("openai", "anthropic"):
        assert version(f"opentelemetry-instrumentation-genai-{name}") >= "1.3"


WRITTEN_BY = (
    "opentelemetry.instrumentation",
    "opentelemetry.util.genai",
    "opentelemetry.semconv_ai",
    "opentelemetry.semconv",
    "openinference.instrumentation",
    "openinference.semconv",
    "anthropic",
    "openai",
)
_USAGE_NAME = re.compile(r"""["']((?:gen_ai\.(?:aggregated_)?usage|llm\.(?:token_count|usage|cost)|(?:anthropic|openai)\.usage)\.[a-z0-9_.]*[a-z0-9])["']""")  # fmt: skip
TABLES = {"llm.token_count.prompt_details", "llm.token_count.completion_details", "llm.cost.prompt_details", "llm.cost.completion_details"}  # fmt: skip
"""What OpenInference calls all that begins so."""


def test_no_name_of_usage_in_what_is_installed_is_unknown() -> None:
    found = set()
    for package in WRITTEN_BY:
        for folder in importlib.import_module(package).__path__:
            for path in Path(folder).rglob("*.py"):
                found.update(_USAGE_NAME.findall(path.read_text("utf-8")))
    assert {"gen_ai.usage.cache_write.input_tokens", "llm.cost.total", "llm.token_count.prompt"} <= found
    assert unknown_usage(iter(found - TABLES)) == set()
