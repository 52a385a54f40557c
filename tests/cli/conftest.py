"""An api in the process, that notes what commands ask it and answers from a list."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from cli import _asking


class Api:
    """Answers from a list, one each, and then as it did last."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any]] = []
        self.asked: list[tuple[str, str, Any, Any]] = []
        self.key = self.tenant = ""
        """Of the last request."""

    def request(self, method: str, url: str, key: str, **more: Any) -> httpx.Response:
        path = url.removeprefix("http://api.test/v1/")
        self.asked.append((method, path, more["params"], more["json"]))
        self.key, self.tenant = key, more["tenant"]
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        place = {"Location": f"/v1/{path}"} if method == "POST" and more["params"] is None else {}
        content = {} if status == 204 else {"json": body}
        return httpx.Response(status, **content, headers=place, request=httpx.Request(method, url))


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    noting = Api()
    monkeypatch.setattr(_asking, "request", noting.request)
    monkeypatch.setenv("SPENDMETER_API_URL", "http://api.test/")
    monkeypatch.setenv("SPENDMETER_ADMIN_KEY", "sm_admin")
    monkeypatch.setenv("SPENDMETER_API_KEY", "sm_reader")
    return noting
