"""Ingest's door, for who stands at the portal: what goes through passes the same gate, by the same keys."""

from collections.abc import Mapping
from typing import NamedTuple

import aiohttp
import msgspec

from services.api.http.problems import RETRY_AFTER_S, HttpRefusal, forbidden, invalid, invalid_fields
from spendmeter.platform.telemetry import log

PATH = "/api/v1/events"
DEADLINE_S = 20.0
"""Longer than ingest waits for the broker."""
ANSWER_BYTES_MAX = 1024 * 1024
"""Of receipts of a thousand events."""


class DoorReceipt(msgspec.Struct):
    """What became of one event at ingest's door."""

    index: int
    status: str
    field: str = ""
    reason: str = ""


class _BadEvent(msgspec.Struct):
    field: str
    reason: str


class _Problem(msgspec.Struct):
    """What ingest says when it does not take an event."""

    detail: str = ""
    errors: list[_BadEvent] = []


class IngestAnswer(NamedTuple):
    """What ingest answered, whatever it says."""

    status: int
    body: bytes
    dropped: str


class IngestDoor:
    """`url`: where ingest is; '' = nobody has said so."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    async def send(self, event: bytes, key: str) -> str:
        """The names of the fields that were not kept ('' = all were), when the broker holds the event. Raises
        HttpRefusal with what ingest says; 503 where the outcome is unknown."""
        answered = await self._post(event, key, {"Content-Type": "application/cloudevents+json"})
        if answered.status == 204:
            return answered.dropped
        raise _refusal(answered)

    async def offer(self, events: bytes, key: str) -> list[DoorReceipt]:
        """What becomes of each event of a JSON array, when the broker holds those that are accepted. Raises
        HttpRefusal likewise; one with 503 may be asked again, and the same events are the same."""
        headers = {
            "Content-Type": "application/cloudevents-batch+json",
            "Prefer": "return=representation",
        }
        answered = await self._post(events, key, headers)
        if answered.status != 200:
            raise _refusal(answered)
        return msgspec.json.decode(answered.body, type=list[DoorReceipt])

    async def _post(self, body: bytes, key: str, headers: Mapping[str, str]) -> IngestAnswer:
        if not self._url:
            raise _away("SPENDMETER_INGEST_URL does not say where ingest is: use `spendmeter send --file`")
        try:
            return await post_events(self._url, key, body, headers, ANSWER_BYTES_MAX)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            log().warning("ingest has not answered", error=type(error).__name__)
            raise _away() from None


async def post_events(
    url: str, key: str, body: bytes, headers: Mapping[str, str], answer_bytes_max: int
) -> IngestAnswer:
    """Once, to ingest at `url`. Raises aiohttp.ClientError, OSError and TimeoutError: whether it was taken is
    unknown then."""
    headers = {"Authorization": f"Bearer {key}", **headers}
    async with (
        aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=DEADLINE_S), cookie_jar=aiohttp.DummyCookieJar()
        ) as session,
        session.post(url + PATH, data=body, headers=headers, allow_redirects=False) as answer,
    ):
        said = bytearray()
        while len(said) < answer_bytes_max and (piece := await answer.content.read(answer_bytes_max)):
            said += piece
        return IngestAnswer(answer.status, bytes(said), answer.headers.get("Spendmeter-Dropped", ""))


def _refusal(answered: IngestAnswer) -> HttpRefusal:
    """As this API says it: with ingest's 401 the portal would end the session of who asks."""
    status = answered.status
    try:
        problem = msgspec.json.decode(answered.body, type=_Problem)
    except msgspec.MsgspecError:
        problem = _Problem()
    if status in (401, 403):
        return forbidden(problem.detail)
    if 400 <= status < 500 and status != 429:
        if problem.errors:
            return invalid_fields([{"field": each.field, "reason": each.reason} for each in problem.errors])
        return invalid("event", problem.detail or f"was refused with {status}")
    return _away()


def _away(why: str = "whether ingest took it is unknown: send it again, under the same id") -> HttpRefusal:
    return HttpRefusal(503, "Not available", why, retry_after_s=RETRY_AFTER_S)
