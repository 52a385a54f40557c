"""Stands for Slack's Web API and incoming webhooks, as strict as they are documented to be."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

TOKEN = "xoxb-1234567890-abcdef"
CHANNEL_ID = "C0123ABCD"


class FakeSlack:
    """Keeps messages by ts. `trouble`: errors to be answered first, each with a status and headers."""

    def __init__(self) -> None:
        self.url = ""
        self.messages: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.trouble: list[tuple[int, str, dict[str, str]]] = []

    async def receive(self, request: web.Request) -> web.Response:
        method, body = request.path.rpartition("/")[2], json.loads(await request.read())
        self.calls.append((method, body))
        if self.trouble:
            status, error, headers = self.trouble.pop(0)
            if method == "hook":
                return web.Response(status=status, text=error, headers=headers)
            return web.json_response({"ok": False, "error": error}, status=status, headers=headers)
        if method == "hook":
            return web.Response(text="ok")
        return web.json_response(self.answer(method, body, request.headers.get("authorization", "")))

    def answer(self, method: str, body: dict[str, Any], authorization: str) -> dict[str, Any]:
        if authorization != f"Bearer {TOKEN}":
            return {"ok": False, "error": "invalid_auth"}
        if body["channel"] not in (CHANNEL_ID, "alerts") or (
            method == "chat.update" and body["channel"] == "alerts"
        ):
            return {"ok": False, "error": "channel_not_found"}
        if len(body.get("blocks", [])) > 50:
            return {"ok": False, "error": "invalid_blocks"}
        if not body.get("text"):
            return {"ok": False, "error": "no_text"}
        if method == "chat.update":
            if body["ts"] not in self.messages:
                return {"ok": False, "error": "message_not_found"}
            self.messages[body["ts"]] |= body
            return {"ok": True, "channel": CHANNEL_ID, "ts": body["ts"], "text": body["text"]}
        ts = f"1700000000.{len(self.messages):06}"
        self.messages[ts] = body
        return {"ok": True, "channel": CHANNEL_ID, "ts": ts, "message": body}
