"""Arrays as text, for statements that take hundreds of rows at once: `$1::text::numeric[]`.

Of a list the driver asks each element whether it is a list itself, which costs more than the rest of the
statement; a text it takes as it is. Shorter arrays end in NULLs where `unnest` takes several, so a column
that says nothing is an empty one.
"""

from collections.abc import Sequence


def array(values: Sequence[str | None]) -> str:
    """These, each as Postgres reads it; None = NULL."""
    stated = [value for value in values if value is not None]
    if not stated:
        return "{}"
    together = "".join(stated)
    if '"' in together or "\\" in together:
        values = [value and value.replace("\\", "\\\\").replace('"', '\\"') for value in values]
    return "{" + ",".join(["NULL" if value is None else f'"{value}"' for value in values]) + "}"
