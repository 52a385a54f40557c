"""What goes into the process in which Apprise runs, and what comes out of it."""

from msgspec import Struct

from spendmeter.contracts.incidents import IncidentEvent


class AppriseRequest(Struct, frozen=True, kw_only=True):
    """What is to be sent where."""

    url: str
    event: IncidentEvent
    allow_private: bool


class AppriseAnswer(Struct, frozen=True, kw_only=True):
    """What came of it; `refused` = it cannot be sent as the channel is set."""

    delivered: bool = False
    refused: bool = False
    error: str = ""
