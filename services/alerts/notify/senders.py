"""Every way out that needs settings, by its kind: one door for all that is HTTP, opened once."""

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from services.alerts.notify import ChannelSender, DeliveryOutcome, IncidentMessage
from services.alerts.notify.alertmanager_sender import AlertmanagerSender
from services.alerts.notify.apprise_sender import AppriseSender
from services.alerts.notify.http import HttpDoor
from services.alerts.notify.pagerduty_sender import PagerDutySender
from services.alerts.notify.slack_sender import SlackSender
from services.alerts.notify.webhook import WebhookSender
from spendmeter.contracts.channels import ChannelKind, ChannelSettings, kind_of


class Senders:
    """`async with Senders(...) as senders: await senders.send(settings, message, remembered)`."""

    def __init__(self, *, allow_private: bool) -> None:
        self._door = HttpDoor(allow_private=allow_private)
        self._by_kind: dict[ChannelKind, ChannelSender] = {
            "webhook": WebhookSender(self._door),
            "alertmanager": AlertmanagerSender(self._door),
            "pagerduty": PagerDutySender(self._door),
            "slack": SlackSender(self._door),
            "apprise": AppriseSender(allow_private=allow_private),
        }

    async def __aenter__(self) -> Self:
        await self._door.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._door.__aexit__(kind, error, trace)

    async def send(
        self, settings: ChannelSettings, message: IncidentMessage, remembered: Mapping[str, str]
    ) -> DeliveryOutcome:
        """One attempt, by whoever sends to this kind."""
        return await self._by_kind[kind_of(settings)].send(settings, message, remembered)
