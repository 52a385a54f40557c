"""What is under way, asked for until it rests."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from cli._asking import CHANGES, ask
from cli._terminal import say

POLL_S = 0.3
PLAIN_LINE_S = 5.0


def until_it_rests(
    found: Any,
    path: str,
    tenant: str,
    *,
    running: Collection[str],
    shown: Callable[[Any], Mapping[str, Any]],
    key: str = CHANGES,
) -> Any:
    """What `path` answers once its state is none of `running`; meanwhile a bar on a terminal, elsewhere its
    summary every few seconds. `shown`: of the bar its description, total, completed, and beside it `more`."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    console, printed = Console(stderr=True), time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[more]}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(found["state"], total=None, more="")
        while found["state"] in running:
            time.sleep(POLL_S)
            found = ask("GET", path, tenant, key=key)
            bar.update(task, **shown(found))
            if not console.is_terminal and time.monotonic() - printed > PLAIN_LINE_S:
                say(found["summary"], err=True)
                printed = time.monotonic()
    return found
