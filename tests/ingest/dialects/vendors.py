"""A stand-in of the vendors' APIs: what the real SDKs ask is answered from what is written here."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CONTENT = "canary-7f21-answer"
"""Stands in every answer, and must reach nobody."""
CHAT_USAGE = {
    "prompt_tokens": 2_006, "completion_tokens": 300, "total_tokens": 2_306,
    "prompt_tokens_details": {"cached_tokens": 1_920, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 64, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
}  # fmt: skip
AUDIO_USAGE = {
    "prompt_tokens": 120, "completion_tokens": 80, "total_tokens": 200,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 100},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 60},
}  # fmt: skip
RESPONSES_USAGE = {
    "input_tokens": 5_000, "input_tokens_details": {"cached_tokens": 3_000, "cache_write_tokens": 1_000},
    "output_tokens": 700, "output_tokens_details": {"reasoning_tokens": 512}, "total_tokens": 5_700,
}  # fmt: skip
EMBEDDING_USAGE = {"prompt_tokens": 8_000, "total_tokens": 8_000}
MESSAGES_USAGE = {
    "input_tokens": 5, "cache_creation_input_tokens": 1_253, "cache_read_input_tokens": 128_955,
    "cache_creation": {"ephemeral_5m_input_tokens": 1_000, "ephemeral_1h_input_tokens": 253},
    "output_tokens": 10, "service_tier": "standard",
}  # fmt: skip
COMPACTED_USAGE = MESSAGES_USAGE | {
    "iterations": [
        {"type": "compaction", "input_tokens": 1_000, "cache_read_input_tokens": 3_000, "cache_creation_input_tokens": 0, "output_tokens": 500},
        {"type": "message"} | {name: MESSAGES_USAGE[name] for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")},
    ]
}  # fmt: skip
"""Of a conversation that was shortened first: the totals are those of the message alone."""
SNAPSHOTS = {
    "gpt-4o": "gpt-4o-2024-08-06", "gpt-4o-audio-preview": "gpt-4o-audio-preview-2024-12-17", "gpt-5.4": "gpt-5.4", "gpt-5.6-sol": "gpt-5.6-sol",
    "claude-sonnet-4-5": "claude-sonnet-4-5-20250929",
}  # fmt: skip
"""What serves, where a model is asked for."""
TOOL_CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "look_up", "arguments": f'{{"q": "{CONTENT}"}}'},
}


def chat(model: str, id: str, usage: dict[str, Any], tools: bool) -> dict[str, Any]:
    message = {"role": "assistant", "content": None if tools else CONTENT}
    return {
        "id": id, "object": "chat.completion", "created": 1_795_687_200, "model": SNAPSHOTS[model], "service_tier": "default",
        "choices": [{"index": 0, "message": message | ({"tool_calls": [TOOL_CALL]} if tools else {}), "finish_reason": "tool_calls" if tools else "stop", "logprobs": None}],
        "usage": usage,
    }  # fmt: skip


def chat_chunks(model: str, id: str, with_usage: bool) -> Iterator[dict[str, Any]]:
    head = {"id": id, "object": "chat.completion.chunk", "created": 1_795_687_200, "model": SNAPSHOTS[model], "service_tier": "default"}  # fmt: skip
    yield head | {
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]
    }
    yield head | {"choices": [{"index": 0, "delta": {"content": CONTENT}, "finish_reason": None}]}
    yield head | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    if with_usage:
        yield head | {"choices": [], "usage": CHAT_USAGE}


def response(model: str, id: str) -> dict[str, Any]:
    return {
        "id": id, "object": "response", "created_at": 1_795_687_200, "status": "completed", "model": SNAPSHOTS[model], "service_tier": "default",
        "output": [{"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": CONTENT, "annotations": []}]}],
        "usage": RESPONSES_USAGE, "error": None, "incomplete_details": None, "instructions": None, "metadata": {}, "parallel_tool_calls": True,
        "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0, "text": {"format": {"type": "text"}}, "truncation": "disabled",
    }  # fmt: skip


def message(model: str, id: str, tools: bool) -> dict[str, Any]:
    text = {"type": "text", "text": CONTENT}
    tool = {"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {"q": CONTENT}}
    return {
        "id": id, "type": "message", "role": "assistant", "model": SNAPSHOTS[model], "content": [tool if tools else text],
        "stop_reason": "tool_use" if tools else "end_turn", "stop_sequence": None, "usage": MESSAGES_USAGE,
    }  # fmt: skip


def message_events(model: str, id: str) -> Iterator[dict[str, Any]]:
    begun = message(model, id, tools=False) | {"content": [], "stop_reason": None, "usage": MESSAGES_USAGE | {"output_tokens": 1}}  # fmt: skip
    yield {"type": "message_start", "message": begun}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": CONTENT}}
    yield {"type": "content_block_stop", "index": 0}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 10},
    }
    yield {"type": "message_stop"}


class _Vendor(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:  # type: ignore[attr-defined]
            self.server.asked += 1  # type: ignore[attr-defined]
            number = self.server.asked  # type: ignore[attr-defined]
        model, tools, stream = asked["model"], "tools" in asked, asked.get("stream", False)
        chat_id = f"chatcmpl-{number:04}" + "B9MHDbslfkBeAs8l4bebGdFOJ"
        message_id = f"msg_01{number + 1}FDUDYJgAACzvnptvVoYEL"
        match self.path.removeprefix("/v1"):
            case "/chat/completions" if stream:
                wanted = bool((asked.get("stream_options") or {}).get("include_usage"))
                self._stream(list(chat_chunks(model, chat_id, wanted)), named=False)
            case "/chat/completions":
                self._answer(chat(model, chat_id, AUDIO_USAGE if "audio" in model else CHAT_USAGE, tools))
            case "/responses":
                self._answer(
                    response(model, f"resp_{number:04}ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b")
                )
            case "/embeddings":
                self._answer({
                    "object": "list", "model": model, "usage": EMBEDDING_USAGE,
                    "data": [{"object": "embedding", "index": 0, "embedding": "AACAPwAAAEA=" if asked.get("encoding_format") == "base64" else [1.0, 2.0]}],
                })  # fmt: skip
            case "/messages" if stream:
                self._stream(list(message_events(model, message_id)), named=True)
            case "/messages":
                usage = (
                    COMPACTED_USAGE if "compact" in self.headers.get("anthropic-beta", "") else MESSAGES_USAGE
                )
                self._answer(message(model, message_id, tools) | {"usage": usage})
            case path:
                self._answer({"error": {"message": f"no such path: {path}", "type": "x"}}, 404)

    def _answer(self, body: dict[str, Any], status: int = 200) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _stream(self, events: list[dict[str, Any]], *, named: bool) -> None:
        lines = [
            (f"event: {event['type']}\n" if named else "") + f"data: {json.dumps(event)}\n\n"
            for event in events
        ]
        raw = "".join(lines if named else [*lines, "data: [DONE]\n\n"]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        pass


class _Collector(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append(({name.lower(): value for name, value in self.headers.items()}, body))  # type: ignore[attr-defined]
        later = self.server.later  # type: ignore[attr-defined]
        said = later.pop(0) if later else b""
        self.send_response(503 if said else 200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(said)))
        if said:
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler], **state: Any) -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    for name, value in state.items():
        setattr(server, name, value)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def vendor() -> Iterator[str]:
    """The URL of the stand-in."""
    with _serving(_Vendor, asked=0, lock=threading.Lock()) as server:
        yield f"http://127.0.0.1:{server.server_port}"


@contextmanager
def collector(*later: bytes) -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """The URL of a stub that takes every export, and what was sent to it: headers and body. To the first ones it says
    503 and this."""
    taken: list[tuple[dict[str, str], bytes]] = []
    with _serving(_Collector, taken=taken, later=list(later)) as server:
        yield f"http://127.0.0.1:{server.server_port}", taken
