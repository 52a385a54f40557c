"""Slack: an incident as blocks. Pure.

What strangers chose goes into plain_text, in which Slack obeys nothing; where it cannot, `&`, `<` and `>` are
escaped, so that no label mentions a channel or hides where a link leads.
https://docs.slack.dev/reference/block-kit/blocks, https://docs.slack.dev/messaging/formatting-message-text
"""

from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import quote

import msgspec

from services.alerts.notify.texts import account, facts, headline, link_within, shortened, utf16_units
from spendmeter.contracts.channels import SlackSettings
from spendmeter.contracts.incidents import IncidentEvent

HEADER_CHARACTERS_MAX = 150
SECTION_CHARACTERS_MAX = 3000
FIELD_CHARACTERS_MAX = 2000
FIELDS_MAX = 10
BLOCKS_MAX = 50
FALLBACK_CHARACTERS_MAX = 1000
"""Of what a phone's notification shows. Slack cuts it at 40,000."""

TS, CHANNEL, REPLIED = "ts", "channel", "replied"
"""Names under which is remembered which message shows the incident, where, and which number was replied."""
REPLIES = frozenset({"grew", "repeated"})
"""News that are told by a reply, too: whoever was told is not disturbed by a message that merely changes."""

_SIGNS = {"critical": "🔴", "warning": "🟠", "info": "🔵"}


def content(event: IncidentEvent) -> dict[str, Any]:
    """`text` and `blocks`, as a webhook, chat.postMessage and chat.update take them; nothing is unfurled."""
    return {
        "text": escaped(f"{_sign(event)} {headline(event)}", FALLBACK_CHARACTERS_MAX),
        "blocks": blocks(event),
        "unfurl_links": False,
        "unfurl_media": False,
    }


def blocks(event: IncidentEvent) -> list[dict[str, Any]]:
    """Header, what happened, figures, where to look, and the state."""
    told = facts(event, FIELD_CHARACTERS_MAX - 200)
    built: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(f"{_sign(event)} {headline(event)}", HEADER_CHARACTERS_MAX)},
        {"type": "section", "text": _plain(account(event), SECTION_CHARACTERS_MAX)},
    ]
    for start in range(0, len(told), FIELDS_MAX):
        fields = [
            _plain(f"{label}\n{value}", FIELD_CHARACTERS_MAX)
            for label, value in told[start : start + FIELDS_MAX]
        ]
        built.append({"type": "section", "fields": fields})
    if event.link:
        # A button would ask Slack's app for an answer that we have no door for.
        built.append({"type": "section", "text": {"type": "mrkdwn", "text": _link(event)}})
    built.append({"type": "context", "elements": [_plain(_state(event), SECTION_CHARACTERS_MAX)]})
    return built


def posted(settings: SlackSettings, event: IncidentEvent) -> dict[str, Any]:
    """The body of chat.postMessage that first shows it."""
    return {"channel": settings.channel, **content(event)}


def updated(event: IncidentEvent, remembered: Mapping[str, str]) -> dict[str, Any]:
    """The body of chat.update, of the message that shows it."""
    said = content(event)
    return {
        "channel": remembered[CHANNEL],
        "ts": remembered[TS],
        "text": said["text"],
        "blocks": said["blocks"],
    }


def replied(event: IncidentEvent, remembered: Mapping[str, str]) -> dict[str, Any]:
    """The body of chat.postMessage that tells, under that message and in the channel, what is new."""
    said = escaped(f"{_sign(event)} {headline(event)}", SECTION_CHARACTERS_MAX)
    return {
        "channel": remembered[CHANNEL],
        "thread_ts": remembered[TS],
        "reply_broadcast": True,
        "text": said,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def encode_body(said: Mapping[str, Any]) -> bytes:
    """As JSON."""
    return msgspec.json.encode(said)


def escaped(text: str, characters_max: int) -> str:
    """Text for mrkdwn; cut so that no escape is halved."""
    whole = escape(text, quote=False)
    room = characters_max
    while utf16_units(whole) > characters_max:
        room = room * 3 // 4
        whole = escape(shortened(text, room), quote=False)
    return whole


def _plain(text: str, characters_max: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": shortened(text, characters_max), "emoji": False}


def _sign(event: IncidentEvent) -> str:
    return "✅" if event.state == "resolved" else _SIGNS[event.severity]


def _state(event: IncidentEvent) -> str:
    return f"{event.state}, message {event.number + 1}, {event.at:%Y-%m-%d %H:%M:%S} UTC, {event.incident_id}"


def _link(event: IncidentEvent) -> str:
    """One that does not fit would have Slack refuse the whole message: then it is the portal's page alone."""
    for link in (event.link, link_within(event, SECTION_CHARACTERS_MAX // 3)):
        said = f"<{_url(link)}|Open the spend in the portal>"
        if link and len(said) <= SECTION_CHARACTERS_MAX:
            return said
    return "The portal shows the spend."


def _url(link: str) -> str:
    """The link with whatever would end it, or begin another, as its code."""
    return quote(link, safe=":/?#[]@!$&'()*+,;=%~").replace("&", "&amp;")
