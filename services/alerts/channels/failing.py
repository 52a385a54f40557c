"""A channel that delivers nothing any more: when that is news, and how it is said. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from services.alerts.incidents.incident import (
    Incident,
    IncidentFigures,
    episode_of,
    opened,
    with_figures,
)
from services.alerts.incidents.phrases import lasting, since
from services.alerts.incidents.words import Wording
from services.alerts.notify.routing import CHANNEL_FAILING
from spendmeter.contracts.money import plain

RULE_NAME = "A channel does not deliver"
MESSAGES = "messages"
"""Stands where others have a currency: the amounts of such an incident are messages."""
FAILING_FOR = timedelta(minutes=15)
GIVEN_UP_MAX = 3
"""Deliveries given up in a row: then it is told before that time."""
BY_PEOPLE = "by "
"""Begins the reason of a channel that somebody switched off: that is no trouble."""


@dataclass(frozen=True, kw_only=True)
class ChannelHealth:
    """How a channel fares."""

    id: UUID
    name: str
    kind: str
    failing_since: datetime | None
    failures: int
    last_error: str
    last_success_at: datetime | None
    disabled_at: datetime | None
    disabled_reason: str
    deleted_at: datetime | None
    updated_by: str
    undelivered: int
    """Messages that it has not had since then."""

    @property
    def off(self) -> bool:
        """Whether people want nothing of it any more."""
        by_people = self.disabled_at is not None and self.disabled_reason.startswith(BY_PEOPLE)
        return self.deleted_at is not None or by_people

    @property
    def began_at(self) -> datetime | None:
        """Since when it delivers nothing; None = it does, or need not."""
        return None if self.off else self.failing_since or self.disabled_at

    def is_news(self, now: datetime) -> bool:
        """Whether somebody is to be told."""
        began = self.began_at
        if began is None:
            return False
        gone = self.disabled_at is not None
        return gone or self.failures >= GIVEN_UP_MAX or now - began >= FAILING_FOR


@dataclass(frozen=True, kw_only=True)
class ChannelsLook:
    """A tenant's channels at one moment."""

    tenant: str
    now: datetime
    channels: Sequence[ChannelHealth]
    wording: "ChannelWording"

    def proposals(self, current: Sequence[Incident]) -> list[Incident]:
        """Incidents to open, given those that are open or were over a moment ago."""
        known = {incident.rule_id for incident in current if incident.state != "resolved"}
        return [
            self.wording.with_words(_incident(self.tenant, channel, self.now))
            for channel in self.channels
            if channel.is_news(self.now) and CHANNEL_FAILING + str(channel.id) not in known
        ]

    def ending(self, incident: Incident) -> str:
        """Why an incident is over; '' = it is not."""
        channel = self._of(incident)
        if channel is None or channel.deleted_at is not None:
            return "the channel was removed"
        if channel.off:
            return f"the channel was switched off {channel.disabled_reason}"
        began = channel.began_at
        if began is not None and began <= incident.opened_at:
            return ""
        delivered = channel.last_success_at is not None and channel.last_success_at >= incident.opened_at
        return "it delivers again" if delivered else f"it was set anew by {channel.updated_by or 'somebody'}"

    def renewed(self, incident: Incident) -> Incident:
        """The incident with what is known now."""
        channel = self._of(incident)
        return incident if channel is None else with_figures(incident, _figures_of(channel), self.now)

    def _of(self, incident: Incident) -> ChannelHealth | None:
        return next((each for each in self.channels if incident.rule_id.endswith(str(each.id))), None)


@dataclass(frozen=True, kw_only=True)
class ChannelWording(Wording):
    """In messages, where others count money."""

    def title(self, incident: Incident) -> str:
        """The news in one line."""
        over = "Over: " if incident.state == "resolved" else ""
        verb = "did not deliver" if over else "does not deliver"
        return f"{over}channel {_named(incident)} {verb}: {incident.details['last_error']}"

    def summary(self, incident: Incident) -> str:
        """What people were not told, where, since when."""
        missed = f"{plain(incident.amount)} messages of it were not delivered"
        what = f"{incident.tenant}: channel {_named(incident)} delivers nothing {since(incident, self.zone)}"
        if incident.state == "resolved":
            lasted = lasting((incident.resolved_at or incident.updated_at) - incident.opened_at)
            return f"Over: {incident.resolution}. {what}; the incident was open for {lasted}."
        return f"{what}; {missed} so far. What its receiver said: {incident.details['last_error']}."

    def action(self, incident: Incident) -> str:
        """One thing to do first."""
        channel = incident.details["channel_id"]
        return f"Put its address or its secret right, then press Test: spendmeter channel test {channel}"

    def figures(self, incident: Incident) -> list[dict[str, str]]:
        """How many messages."""
        missed = plain(incident.amount)
        return [{"label": "not delivered", "amount": missed, "unit": MESSAGES, "text": f"{missed} messages"}]

    def link(self, incident: Incident) -> str:
        """The portal's page of channels."""
        return f"{self.portal_url.rstrip('/')}/#/channels" if self.portal_url else ""


def _incident(tenant: str, channel: ChannelHealth, now: datetime) -> Incident:
    """A channel that fails; its episode is the minute in which that began."""
    began = channel.began_at
    assert began is not None
    return opened(
        now,
        _figures_of(channel),
        tenant=tenant,
        kind="silence",
        rule_id=CHANNEL_FAILING + str(channel.id),
        rule_revision=1,
        rule_name=RULE_NAME,
        scope={},
        episode=episode_of(began),
        began_at=began,
        currency=MESSAGES,
        details={
            "channel_id": str(channel.id),
            "channel": channel.name,
            "channel_kind": channel.kind,
            "last_error": channel.last_error or channel.disabled_reason,
        },
    )


def _figures_of(channel: ChannelHealth) -> IncidentFigures:
    return IncidentFigures(
        amount=Decimal(channel.undelivered),
    )


def _named(incident: Incident) -> str:
    return f"{incident.details['channel']} ({incident.details['channel_kind']})"
