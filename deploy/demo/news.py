"""What the demo has to say to whoever watches `spendmeter up`: `GET /news`."""

from collections import deque
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

NEWS_MAX = 200


class DemoNews:
    """The last sentences with their instants; each is printed as well."""

    def __init__(self) -> None:
        self._news: deque[dict[str, Any]] = deque(maxlen=NEWS_MAX)

    def say(self, text: str) -> None:
        self._news.append({"at": datetime.now(UTC).isoformat(), "text": text})
        print(text, flush=True)

    def routes(self) -> list[Route]:
        return [Route("/news", self.list, methods=["GET"])]

    async def list(self, _request: Request) -> Response:
        return JSONResponse({"news": list(self._news)})
