"""Ways to tell people and programs about an incident; one file per channel."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class DeliveryOutcome:
    """What became of one attempt: delivered, or why not."""

    delivered: bool = False
    error: str = ""
    final: bool = False
    """Another attempt is of no use."""
    gone: bool = False
    """The receiver has said that it wants nothing more, ever."""
