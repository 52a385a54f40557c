"""What every service answers when something is wrong."""

from typing import Any

from starlette.responses import JSONResponse


def problem(status: int, title: str, detail: str, *, instance: str = "", **more: Any) -> JSONResponse:
    """An RFC 9457 answer."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "instance": instance}
    headers = more.pop("headers", None)
    return JSONResponse(body | more, status, headers, media_type="application/problem+json")
