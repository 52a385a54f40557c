"""An application that calls a vendor with its real SDK, under a real instrumentation, and exports its spans.

python -m tests.ingest.dialects.emitting INSTRUMENTATION VENDOR VENDORS-URL TRACES-URL [HEADER=VALUE]
"""

from __future__ import annotations

import importlib
import sys

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

PROMPT = "canary-7f21-question"
TOOLS = [
    {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}
]
INSTRUMENTORS = {
    ("genai", "openai"): ("opentelemetry.instrumentation.genai.openai", "OpenAIInstrumentor"),
    ("genai", "anthropic"): ("opentelemetry.instrumentation.genai.anthropic", "AnthropicInstrumentor"),
    ("openllmetry", "openai"): ("opentelemetry.instrumentation.openai", "OpenAIInstrumentor"),
    ("openllmetry", "anthropic"): ("opentelemetry.instrumentation.anthropic", "AnthropicInstrumentor"),
    ("openinference", "openai"): ("openinference.instrumentation.openai", "OpenAIInstrumentor"),
    ("openinference", "anthropic"): ("openinference.instrumentation.anthropic", "AnthropicInstrumentor"),
}
ASKED = {
    "openai": ["chat", "stream", "tools", "embeddings", "responses", "audio", "cut"],
    "anthropic": ["chat", "stream", "tools", "compacted", "cut"],
}
"""What is called, in this order."""


def call_openai(url: str) -> None:
    from openai import OpenAI

    client = OpenAI(api_key="sk-canary-7f21", base_url=url + "/v1", max_retries=0)
    messages = [{"role": "user", "content": PROMPT}]
    client.chat.completions.create(model="gpt-4o", messages=messages, service_tier="priority", user=PROMPT)
    for _ in client.chat.completions.create(
        model="gpt-4o", messages=messages, stream=True, stream_options={"include_usage": True}
    ):
        pass
    client.chat.completions.create(model="gpt-4o", messages=messages, tools=TOOLS)
    client.embeddings.create(model="text-embedding-3-small", input=PROMPT)
    client.responses.create(model="gpt-5.6-sol", input=PROMPT)
    client.chat.completions.create(model="gpt-4o-audio-preview", messages=messages)
    for _ in client.chat.completions.create(
        model="gpt-4o", messages=messages, stream=True, max_completion_tokens=500
    ):
        pass


def call_anthropic(url: str) -> None:
    from anthropic import Anthropic

    client = Anthropic(api_key="sk-canary-7f21", base_url=url, max_retries=0)
    asked = {
        "model": "claude-sonnet-4-5",
        "max_tokens": 512,
        "messages": [{"role": "user", "content": PROMPT}],
    }
    client.messages.create(**asked)
    for _ in client.messages.create(**asked, stream=True):
        pass
    client.messages.create(**asked, tools=[{"name": "look_up", "input_schema": {"type": "object"}}])
    client.beta.messages.create(**asked, betas=["compact-2026-01-12"])
    with client.messages.stream(**asked) as stream:
        for event in stream:
            if event.type == "content_block_delta":
                break  # the reader leaves in the middle of the answer


def main(instrumentation: str, vendor: str, vendors_url: str, traces_url: str, *headers: str) -> None:
    resource = Resource.create(
        {
            "service.name": "checkout",
            "deployment.environment.name": "prod",
            "team": "payments",
            "host.name": "canary-7f21-host",
        }
    )
    provider = TracerProvider(resource=resource)
    sent = dict(header.split("=", 1) for header in headers)
    exporter = OTLPSpanExporter(endpoint=traces_url, headers=sent, compression=Compression.Gzip)
    # all in one batch, at the end, however slow the machine is
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=600_000))
    trace.set_tracer_provider(provider)
    module, name = INSTRUMENTORS[instrumentation, vendor]
    getattr(importlib.import_module(module), name)().instrument(tracer_provider=provider)
    {"openai": call_openai, "anthropic": call_anthropic}[vendor](vendors_url)
    provider.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
