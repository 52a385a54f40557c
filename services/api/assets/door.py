"""Ingest's door, for what accrues: a batch goes through as everybody's does, with a key of our own."""

from collections.abc import Sequence
from typing import Any

import aiohttp
import msgspec

from services.api.events.ingest_door import post_events
from spendmeter.platform.telemetry import log

ANSWER_BYTES_MAX = 256 * 1024


class IngestAway(Exception):
    """Whether it was taken is unknown: it is sent again, under the same ids."""


class EventsRefused(Exception):
    """Nothing of it was taken, and sending it again will not change that. Its text names the rule, and no
    value."""


class _RefusedEvent(msgspec.Struct):
    field: str = ""
    reason: str = ""


class _IngestProblem(msgspec.Struct):
    """What ingest says when it takes nothing."""

    detail: str = ""
    errors: list[_RefusedEvent] = []


class AccrualDoor:
    """`url`: where ingest is; `key`: with which it is asked. '' = nothing is sent from here."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url.rstrip("/")
        self._key = key

    @property
    def there(self) -> bool:
        """Whether anything is sent from here."""
        return bool(self._url and self._key)

    async def send(self, events: Sequence[dict[str, Any]]) -> None:
        """Return when the broker holds all of them. Raises EventsRefused, and IngestAway."""
        body, headers = msgspec.json.encode(events), {"Content-Type": "application/cloudevents-batch+json"}
        try:
            answer = await post_events(self._url, self._key, body, headers, ANSWER_BYTES_MAX)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise IngestAway(type(error).__name__) from None
        if answer.status == 204:
            return
        if 400 <= answer.status < 500 and answer.status not in (401, 408, 429):
            raise EventsRefused(_why(answer.status, answer.body))
        log().warning("ingest does not take what accrues", status=answer.status)
        raise IngestAway(f"ingest answered {answer.status}")


def _why(status: int, body: bytes) -> str:
    try:
        problem = msgspec.json.decode(body, type=_IngestProblem)
    except msgspec.MsgspecError:
        problem = _IngestProblem()
    if problem.errors:
        return f"{problem.errors[0].field}: {problem.errors[0].reason}"[:300]
    return f"ingest answered {status}: {problem.detail}"[:300]
