"""Waiting until something is so, with a bound that says what was awaited."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

WITHIN_S = 60.0


async def until(
    look: Callable[[], Any], what: str, *, within_s: float = WITHIN_S, every_s: float = 0.05
) -> Any:
    """What `look` says, or what it gives to await comes to, once that is true. AssertionError, saying what was
    awaited, when it stays false."""
    try:
        async with asyncio.timeout(within_s):
            while not (seen := await _said(look())):
                await asyncio.sleep(every_s)
    except TimeoutError:
        raise AssertionError(f"waited {within_s:g} s in vain for: {what}") from None
    return seen


async def _said(seen: Any) -> Any:
    return await seen if inspect.isawaitable(seen) else seen
