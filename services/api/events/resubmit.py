"""`POST /v1/unbooked/resubmit`: an event in place of one that was not booked, passed on to ingest's door.

Money enters through ingest, by keys that may ingest. The portal keeps no key, so the key comes with the
request; what api adds is whose it must be, and which submission the event takes the place of.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Request
from msgspec import Raw
from pydantic import BaseModel, Field

from services.api.access.auth import Reader, keys_of
from services.api.events.ingest_door import IngestDoor
from services.api.http.models import RequestBody, Text
from services.api.http.openapi import answers
from services.api.http.problems import forbidden, invalid
from services.api.http.representation import Negotiated
from spendmeter.contracts.event_reading import EVENT_BYTES_MAX

router = APIRouter(tags=["events"], route_class=Negotiated)
RESUBMIT_PATH = "/v1/unbooked/resubmit"
RESUBMIT_BYTES_MAX = 4 * EVENT_BYTES_MAX
"""Of a body. Every event that ingest takes fits: a text in JSON is at most three times as long as the event,
and it may be indented."""

_read = msgspec.json.Decoder(dict[str, Raw]).decode
_write = msgspec.json.Encoder().encode

SubmissionName = Annotated[Text, Field(min_length=1, max_length=256)]


class Resubmission(RequestBody):
    """`event` is a text: quantities in it reach ingest digit by digit. It is sent under `id`, and says that
    it takes the place of `supersedes` of `source`, whatever it said of that itself."""

    key: Annotated[str, Field(max_length=200, description="a key of the tenant, with the scope ingest")]
    event: Annotated[str, Field(description="the event, as JSON")]
    id: SubmissionName
    supersedes: SubmissionName
    source: SubmissionName = Field(description="of what it supersedes, and of the event where it names none")


class Resubmitted(BaseModel):
    """The broker holds it; what becomes of it, its receipt says."""

    source: str
    id: str
    dropped: str = Field(description="names of fields that nobody knows, and that were not kept")


@router.post(RESUBMIT_PATH, responses=answers("resubmitted"))
async def resubmit(request: Request, caller: Reader, body: Resubmission) -> Resubmitted:
    """Send an event in place of one that was not booked, or retracted. For the portal's form; a program posts
    it to ingest itself, with `supersedes`."""
    key = body.key.strip()
    credential = await keys_of(request).by_key(key, datetime.now(UTC))
    if credential is None or credential.tenant != caller.tenant or "ingest" not in credential.scopes:
        raise forbidden(f"send it with a live key of {caller.tenant} that has the scope ingest")
    source, event = event_instead(body)
    door: IngestDoor = request.app.state.ingest_door
    return Resubmitted(source=source, id=body.id, dropped=await door.send(event, key))


def event_instead(body: Resubmission) -> tuple[str, bytes]:
    """The event's source, and the event as it is sent, without the spaces in which a person reads it. Raises
    HttpRefusal (422)."""
    try:
        said = _read(body.event)
        source = msgspec.json.decode(said["source"], type=str) if "source" in said else body.source
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise invalid("event", f"is no event in JSON: {error}") from None
    links: Mapping[str, str] = {"id": body.id, "source": source, "supersedes": body.supersedes}
    if source != body.source:
        links = {**links, "supersedessource": body.source}
    said.pop("supersedessource", None)
    event = msgspec.json.format(
        _write(said | {name: Raw(_write(text)) for name, text in links.items()}), indent=-1
    )
    if len(event) > EVENT_BYTES_MAX:
        raise invalid("event", f"may have at most {EVENT_BYTES_MAX} bytes, this one has {len(event)}")
    return source, event
