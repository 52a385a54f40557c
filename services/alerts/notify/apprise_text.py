"""What Apprise's services are told: a title and lines. Pure.

Chats act on what they read: @everyone calls a whole server, [text](address) hides where it leads. A character
of no width goes between the signs that would make it so; mail is text and stays as it is.
"""

from services.alerts.notify.texts import headline, plain_lines, plain_text, with_link
from spendmeter.contracts.incidents import IncidentEvent

TITLE_CHARACTERS_MAX = 200
BODY_CHARACTERS_MAX = 4000
MAIL_SCHEMAS = frozenset({"mailto", "mailtos"})
_GAP = "\u2060"


def title_and_body(
    event: IncidentEvent, schema: str, title_characters_max: int, body_characters_max: int
) -> tuple[str, str]:
    """Within what the service takes, 0 = it has no titles of its own, and puts them before the text."""
    title = headline(event, min(title_characters_max or TITLE_CHARACTERS_MAX, TITLE_CHARACTERS_MAX))
    taken = 0 if title_characters_max else len(title) + len(_GAP) * 20
    room = min(body_characters_max - taken, BODY_CHARACTERS_MAX)
    if schema in MAIL_SCHEMAS:
        return title, plain_text(event, room)
    return disarmed(title), with_link(disarmed(plain_lines(event)), event, room)


def disarmed(text: str) -> str:
    """Text in which no chat finds a mention, a link or a tag."""
    for sign, split in (("@", f"@{_GAP}"), ("](", f"]{_GAP}("), ("<", f"<{_GAP}"), ("://", f":{_GAP}//")):
        text = text.replace(sign, split)
    return text


def mail_headers(event: IncidentEvent) -> dict[str, str]:
    """By which mail programs show the messages of one incident as one conversation."""
    first = f"<{event.incident_id}@spendmeter.invalid>"
    return {"References": first, "In-Reply-To": first, "X-Spendmeter-Incident": event.incident_id}
