"""SQL by name, from .sql files."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

_BLOCK = re.compile(r"^-- (name|part): (\w+)\s*$", re.MULTILINE)
_WHY = re.compile(r"\A(--.*\n)+")


def load_sql(path: Path, given: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    """The statements of a .sql file by name: each begins with `-- name: x`, then why, then SQL.

    What several of them say alike is a part: it begins with `-- part: x`, and `{x}` stands for it. Others are
    `given`: what a list in Python says.
    """
    _, *blocks = _BLOCK.split(path.read_text("utf-8"))
    named = list(zip(blocks[::3], blocks[1::3], (body.strip() for body in blocks[2::3]), strict=True))
    parts = {name: _WHY.sub("", body) for kind, name, body in named if kind == "part"}
    statements = {name: body for kind, name, body in named if kind == "name"}
    for part, text in (*parts.items(), *given.items()):
        statements = {name: body.replace(f"{{{part}}}", text) for name, body in statements.items()}
    return statements
