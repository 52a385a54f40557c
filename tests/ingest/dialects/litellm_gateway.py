"""LiteLLM, as it is installed, in a process of its own: its calls go to a stand-in of the vendors on this
machine, and its callbacks to whoever is named in the environment (Spendmeter, or the stand-in)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

OPENAI_ID = "chatcmpl-C1aBcDeFgHiJkLmNoPqRsTuVwXyZa"
SECRETS = ("SECRETPROMPT", "SECRETANSWER")
OPENAI = {
    "id": OPENAI_ID, "object": "chat.completion", "created": 1, "model": "gpt-4o-mini-2024-07-18",
    "service_tier": "default",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "SECRETANSWER"}, "finish_reason": "stop"}
    ],
    "usage": {
        "prompt_tokens": 1200, "completion_tokens": 50, "total_tokens": 1250,
        "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": 0},
    },
}  # fmt: skip
ANTHROPIC = {
    "id": "msg_01XFDUDYJgAACzvnptvVoYEL", "type": "message", "role": "assistant",
    "model": "claude-sonnet-4-5-20250929", "content": [{"type": "text", "text": "SECRETANSWER"}],
    "stop_reason": "end_turn", "stop_sequence": None,
    "usage": {
        "input_tokens": 5, "cache_read_input_tokens": 128955, "cache_creation_input_tokens": 1253,
        "cache_creation": {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 253},
        "output_tokens": 10, "service_tier": "standard",
    },
}  # fmt: skip
EMBEDDING = {
    "object": "list", "model": "text-embedding-3-small",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.1]}],
    "usage": {"prompt_tokens": 8, "total_tokens": 8},
}  # fmt: skip


@dataclass
class StandIn:
    """What was posted to it beside the calls of vendors: path, media type and body."""

    url: str
    posted: list[tuple[str, str, bytes]] = field(default_factory=list)

    def posts(self, path: str) -> list[bytes]:
        return [body for where, _, body in self.posted if where == path]


@contextmanager
def vendors() -> Iterator[StandIn]:
    """A stand-in that answers like OpenAI and Anthropic, and takes everything else."""

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if "chat/completions" in self.path:
                said: Any = OPENAI
            elif "embeddings" in self.path:
                said = EMBEDDING
            elif self.path.endswith("/messages"):
                said = ANTHROPIC
            else:
                said = {}
                stand_in.posted.append((self.path, self.headers.get("content-type", ""), body))
            answer = json.dumps(said).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    stand_in = StandIn(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()


def run_litellm(program: str, stand_in: StandIn, *arguments: str, **environment: str) -> None:
    """Run a program with litellm in it to its end; it has VENDORS, the stand-in's address."""
    settings = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # the price map that it was shipped with
        "VENDORS": stand_in.url, "OPENAI_API_KEY": "sk-x", "ANTHROPIC_API_KEY": "sk-a",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=os.environ | settings | environment,
        capture_output=True,
        timeout=240,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stderr.decode()[-3000:]


CALLS = """
import asyncio, os, sys, types
sys.modules.setdefault("soundfile", types.ModuleType("soundfile"))  # its cache imports what only its proxy uses
import litellm
from litellm.integrations.generic_api.generic_api_callback import GenericAPILogger

VENDORS = os.environ["VENDORS"]
WHO = {
    "user_api_key_alias": "search-prod", "user_api_key_team_alias": "search", "user_api_key_user_id": "u-7",
    "user_api_key_user_email": "jo@example.com", "tags": ["feature:answers", "urgent"],
}
ASKED = [{"role": "user", "content": "SECRETPROMPT"}]
async def chat(model, **more):
    return await litellm.acompletion(model=model, messages=ASKED, user="end-1", metadata=dict(WHO), **more)

async def main(log_format):
    log = GenericAPILogger(
        endpoint=os.environ["SPENDMETER_URL"] + "/api/v1/litellm",
        headers={"Authorization": "Bearer " + os.environ["SPENDMETER_KEY"]},
        log_format=log_format,
    )
    litellm.callbacks = [log]
    await chat("openai/gpt-4o-mini", api_base=VENDORS + "/v1")
    await chat("anthropic/claude-sonnet-4-5", api_base=VENDORS)
    await litellm.aembedding(
        model="openai/text-embedding-3-small", input=["SECRETPROMPT"], api_base=VENDORS + "/v1", metadata=dict(WHO)
    )
    async for _ in await chat("gpt-4o-mini", mock_response="SECRETANSWER", stream=True):
        pass
    litellm.cache = litellm.Cache()
    for _ in range(2):
        await chat("gpt-4o", mock_response="SECRETANSWER", caching=True)
        await asyncio.sleep(0.3)
    try:
        await chat("openai/gpt-4o-mini", mock_response="litellm.RateLimitError")
    except litellm.RateLimitError:
        pass
    await asyncio.sleep(1)
    await log.flush_queue()

asyncio.run(main(sys.argv[1]))
"""
"""Seven calls that are logged, of which the sixth is answered from the gateway's cache and the last one fails."""
