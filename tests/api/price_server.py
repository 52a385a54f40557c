"""A server of price lists, on a real socket, that can do all that a server of other people's files may do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

CHUNK = b" " * 65_536


class PriceServer(ThreadingHTTPServer):
    """`files` by path; `how` by path: what is odd about the answer."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.how: dict[str, str] = {}
        self.asked: list[tuple[str, int]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def sources(self) -> str:
        return f"genai-prices={self.url}/genai.json,litellm={self.url}/litellm.json"


class _Handler(BaseHTTPRequestHandler):
    server: PriceServer

    def do_GET(self) -> None:
        how, content = self.server.how.get(self.path, ""), self.server.files.get(self.path)
        if how == "redirect":
            self._head(302, {"location": "http://169.254.169.254/latest/meta-data"})
        elif how == "endless":
            self._head(200, {})
            try:
                for _ in range(1600):  # 100 MB
                    self.wfile.write(CHUNK)
            except OSError:
                return
        elif content is None:
            self._head(404, {})
        elif how == "half":
            self._head(200, {"content-length": str(len(content))})
            self.wfile.write(content[: len(content) // 2])
        else:
            tag = f'"{hashlib.sha256(content).hexdigest()[:8]}"'
            if self.headers.get("if-none-match") == tag and how != "no-tags":
                self._head(304, {"etag": tag})
                return
            self._head(
                200, {"content-length": str(len(content))} | ({} if how == "no-tags" else {"etag": tag})
            )
            self.wfile.write(content)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.server.asked.append((self.path, status))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def price_server() -> Iterator[PriceServer]:
    with PriceServer() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def genai(**models: Any) -> bytes:
    """genai-prices' list of one provider, openai: prices by model, or all that it says of one."""
    listed = [
        {"id": name.replace("_", "-"), "match": {"equals": name.replace("_", "-")}, **said}
        if "prices" in said
        else {"id": name.replace("_", "-"), "match": {"equals": name.replace("_", "-")}, "prices": said}
        for name, said in models.items()
    ]
    return json.dumps([{"id": "openai", "name": "OpenAI", "api_pattern": "x", "models": listed}]).encode()


def litellm(**models: Any) -> bytes:
    """LiteLLM's: price of a million by field."""
    return json.dumps(
        {
            name.replace("_", "-"): {"litellm_provider": "openai", "mode": "chat"}
            | {field: amount / 1_000_000 for field, amount in prices.items()}
            for name, prices in models.items()
        }
    ).encode()
