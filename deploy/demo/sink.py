"""Receives the demo's alerts: a webhook that checks the signature, keeps the last and prints each once."""

import json
from collections import deque
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from spendmeter.contracts.visible import visible
from spendmeter.platform.serve import problem

ALERTS_MAX = 200
ALERT_BYTES_MAX = 256 * 1024


class Sink:
    """`POST /alerts` takes an alert, `GET /alerts` lists them, the newest last; repeats are counted."""

    def __init__(self, secret: str) -> None:
        self._webhook = Webhook(secret)
        self._alerts: deque[dict[str, Any]] = deque(maxlen=ALERTS_MAX)

    def routes(self) -> list[Route]:
        return [
            Route("/alerts", self.receive, methods=["POST"]),
            Route("/alerts", self.list, methods=["GET"]),
        ]

    async def receive(self, request: Request) -> Response:
        """204; 401 for a signature that is not ours, 413 for a body over ALERT_BYTES_MAX."""
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > ALERT_BYTES_MAX:
                return problem(413, "Too large", f"an alert has at most {ALERT_BYTES_MAX} bytes")
        try:
            alert = self._webhook.verify(bytes(body), dict(request.headers))
        except (WebhookVerificationError, ValueError) as error:
            return problem(401, "Not signed by us", str(error))
        self._keep(request.headers["webhook-id"], alert)
        return Response(status_code=204)

    async def list(self, _request: Request) -> Response:
        return JSONResponse({"alerts": list(self._alerts)})

    def _keep(self, delivery: str, alert: dict[str, Any]) -> None:
        known = next((known for known in self._alerts if known["delivery"] == delivery), None)
        if known is not None:
            known["deliveries"] += 1
            return
        self._alerts.append({"delivery": delivery, "deliveries": 1, **alert})
        data = alert.get("data") or {}
        news = data.get("title") or data.get("summary") or json.dumps(data)
        print("ALERT", visible(f"{alert.get('type')} {news} {data.get('link', '')}"), flush=True)
