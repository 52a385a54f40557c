"""What a tenant sets as a whole: read from a file of TOML, and told with who set it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli._running import usage_error
from cli._terminal import say


def said_in(file: Path) -> dict[str, Any]:
    """What a TOML file says; ends the command where it is none."""
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        usage_error(f"{file} is no TOML: {error}")


def say_revision(answer: Mapping[str, Any]) -> None:
    """By whom, when and why what is in force was set; nothing where nothing was."""
    if answer["at"]:
        say(f"revision {answer['revision']}, {answer['at'][:16]}, {answer['by']}: {answer['reason']}")
