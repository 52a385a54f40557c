"""Sends by Apprise: one attempt, in a process of its own that is bounded in time and memory."""

import asyncio
from collections.abc import Mapping

import msgspec

from services.alerts.notify import DeliveryOutcome, IncidentMessage
from services.alerts.notify.apprise_answer import AppriseAnswer, AppriseRequest
from spendmeter.contracts.channels import AppriseSettings
from spendmeter.platform.bounded_process import BoundError, ProcessBounds, run_module
from spendmeter.platform.public_addresses import ForbiddenAddressError
from spendmeter.platform.webhooks import check_addresses

CHILD = "services.alerts.notify.apprise_child"
BOUNDS = ProcessBounds(seconds_max=12, memory_bytes_max=1 << 30, output_bytes_max=64 * 1024)
AT_ONCE_MAX = 4
"""Each loads some fifty megabytes of Python."""


class AppriseSender:
    """Email, Teams, Discord, ntfy and others. None of them can tell a repetition, nor take anything back."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._at_once = asyncio.Semaphore(AT_ONCE_MAX)

    async def send(
        self, settings: AppriseSettings, message: IncidentMessage, remembered: Mapping[str, str]
    ) -> DeliveryOutcome:
        """One attempt."""
        try:
            check_addresses(settings, allow_private=self._allow_private)
        except ForbiddenAddressError as error:
            return DeliveryOutcome(error=error.strerror or "not allowed")
        request = AppriseRequest(url=settings.url, event=message.event, allow_private=self._allow_private)
        try:
            async with self._at_once:
                output = await run_module(CHILD, stdin=msgspec.json.encode(request), bounds=BOUNDS)
            answer = msgspec.json.decode(output, type=AppriseAnswer)
        except BoundError:
            return DeliveryOutcome(error=f"Apprise was not done within {BOUNDS.seconds_max:g} s, or died")
        return DeliveryOutcome(delivered=answer.delivered, error=answer.error, final=answer.refused)
