"""Sends to Slack: one attempt; by a bot's token the message that shows an incident is renewed in place.

A process that is killed between Slack's answer and our note of it posts once more: Slack knows no key
by which to tell. Whatever comes after that note renews the message.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from services.alerts.notify import DeliveryOutcome, IncidentMessage
from services.alerts.notify.http import HttpDoor
from services.alerts.notify.pace import ReceiverPace
from services.alerts.notify.slack import (
    CHANNEL,
    REPLIED,
    REPLIES,
    TS,
    content,
    encode_body,
    posted,
    replied,
    updated,
)
from spendmeter.contracts.channels import SlackSettings

EVERY_S = 1.0
"""Slack takes a message a second for each channel."""
TURN_S_MAX = 3.0
LOST = frozenset({"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found"})
"""The message that showed it can be renewed no more: it is posted anew."""
TRANSIENT = frozenset(
    "ratelimited rate_limited message_limit_exceeded internal_error fatal_error service_unavailable "
    "request_timeout team_added_to_org accesslimited rollup_error".split()
)
"""Slack's `error`s that another attempt may mend; all the others are final."""
WEBHOOK_FINAL = frozenset({400, 401, 403, 404})
"""invalid_payload, invalid_token, action_prohibited, no_service, channel_not_found."""


class SlackReply(msgspec.Struct, frozen=True, kw_only=True):
    """What the Web API answers, as far as it is read; with HTTP 200 also where `ok` is false."""

    ok: bool
    error: str = ""
    ts: str = ""
    channel: str = ""


_decode_reply = msgspec.json.Decoder(SlackReply).decode


@dataclass(frozen=True)
class SlackSender:
    """By webhook each message is a new one; by token the first is posted and renewed."""

    door: HttpDoor
    pace: ReceiverPace = field(default_factory=lambda: ReceiverPace(EVERY_S, TURN_S_MAX))

    async def send(
        self, settings: SlackSettings, message: IncidentMessage, remembered: Mapping[str, str]
    ) -> DeliveryOutcome:
        """One attempt."""
        if settings.webhook_url:
            return await self._hook(settings, message)
        if not remembered.get(TS):
            return await self._post(settings, message)
        return await self._renew(settings, message, remembered)

    async def _hook(self, settings: SlackSettings, message: IncidentMessage) -> DeliveryOutcome:
        url = settings.webhook_url
        if busy := await self.pace.turn(url):
            return DeliveryOutcome(error="waits: a message a second", retry_after=busy)
        answer = await self.door.post(url, encode_body(content(message.event)), secret=url, read=True)
        outcome = answer.outcome(WEBHOOK_FINAL)
        if outcome.delivered or not outcome.error.startswith("HTTP"):
            return outcome
        said = answer.body[:60].decode("ascii", errors="replace")  # Slack says why in a word: no_service
        return replace(
            outcome, error=f"{outcome.error} {said}".rstrip() if said.isprintable() else outcome.error
        )

    async def _post(self, settings: SlackSettings, message: IncidentMessage) -> DeliveryOutcome:
        return await self._call(
            settings, "chat.postMessage", posted(settings, message.event), settings.channel
        )

    async def _renew(
        self, settings: SlackSettings, message: IncidentMessage, remembered: Mapping[str, str]
    ) -> DeliveryOutcome:
        event, where, kept = message.event, remembered[CHANNEL], dict[str, str]()
        number = str(event.number)
        if event.transition in REPLIES and remembered.get(REPLIED) != number:
            told = await self._call(settings, "chat.postMessage", replied(event, remembered), where)
            if not told.delivered and told.error not in LOST:
                return told
            kept = {REPLIED: number}  # whatever becomes of the rest, this is not said twice
        done = await self._call(settings, "chat.update", updated(event, remembered), where)
        if done.error in LOST:
            done = await self._post(settings, message)
            return replace(done, remember={**done.remember, **kept})
        return replace(done, remember=kept)

    async def _call(
        self, settings: SlackSettings, method: str, said: Mapping[str, Any], where: str
    ) -> DeliveryOutcome:
        if busy := await self.pace.turn(f"{settings.token} {where}"):
            return DeliveryOutcome(error="waits: a message a second", retry_after=busy)
        headers = {
            "authorization": f"Bearer {settings.token}",
            "content-type": "application/json; charset=utf-8",
        }
        url = f"{settings.url.rstrip('/')}/{method}"
        answer = await self.door.post(url, encode_body(said), headers, read=True)
        outcome = answer.outcome(frozenset({400, 401, 403, 404}))
        return _as_slack_says(answer.body) if outcome.delivered else outcome


def _as_slack_says(body: bytes) -> DeliveryOutcome:
    try:
        reply = _decode_reply(body)
    except msgspec.DecodeError:
        return DeliveryOutcome(error="Slack's answer is no JSON of its API")
    if reply.ok:
        return DeliveryOutcome(delivered=True, remember={TS: reply.ts, CHANNEL: reply.channel})
    error = reply.error[:60] if reply.error.isprintable() else "an error without a name"
    return DeliveryOutcome(error=error, final=error not in TRANSIENT | LOST)
