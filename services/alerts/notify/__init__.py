"""Ways to tell people and programs about an incident; one file per channel.

A sender makes one attempt at one delivery and says what came of it; `deliveries.py` decides whether there is
another. What is sent is made by pure functions, from a message and the time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from spendmeter.contracts.incidents import IncidentEvent


@dataclass(frozen=True, kw_only=True)
class IncidentMessage:
    """What a delivery says."""

    event: IncidentEvent
    delivery: UUID
    """The same over all attempts: receivers tell repetitions by it."""
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class DeliveryOutcome:
    """What became of one attempt: delivered, or why not."""

    delivered: bool = False
    error: str = ""
    final: bool = False
    """Another attempt is of no use."""
    gone: bool = False
    """The receiver has said that it wants nothing more, ever."""
    skipped: str = ""
    """Why there was nothing to send: it counts as delivered."""
    retry_after: timedelta | None = None
    """The receiver has said when to come again: that is no failure of it, and no attempt is used up."""
    remember: Mapping[str, str] = field(default_factory=dict)
    """What the next message of this incident to this channel is to be given, beside what it was given before;
    kept also when the attempt failed."""


class ChannelSender(Protocol):
    """What sends to channels of one kind; may be used by any number of attempts at once."""

    async def send(
        self, settings: Any, message: IncidentMessage, remembered: Mapping[str, str]
    ) -> DeliveryOutcome:
        """One attempt, bounded in time. `settings`: the struct of contracts/channels.py of its kind."""
        ...
