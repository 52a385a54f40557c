"""A service of twenty lines: it answers its probes and writes down the environment that it was given."""

from __future__ import annotations

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Probes(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"{}"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


def serve(name: str) -> None:
    """Serves until SIGTERM; a file `fail-NAME` in the folder of the environment makes it end at once."""
    folder = Path(os.environ["STANDIN_FOLDER"])
    if (folder / f"fail-{name}").exists():
        print(f"{name} cannot start today", flush=True)
        sys.exit(7)
    (folder / f"{name}.json").write_text(json.dumps(dict(os.environ)))
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["SPENDMETER_PORT"])), Probes).serve_forever()
