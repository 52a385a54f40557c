"""Ways to tell people and programs about an incident; one file per channel."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What became of one attempt: delivered, or why not; `gone` = the channel wants no more."""

    delivered: bool = False
    gone: bool = False
    error: str = ""
