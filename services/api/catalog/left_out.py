"""What another vendor's price file says and the catalog does not take over: it is named. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, Field


class LeftOut(BaseModel):
    """A field of a price file that is not taken over: it may be a price that the catalog cannot express."""

    field: str
    models: int
    of: list[str] = Field(description="the first of them by name")


OF_MAX = 100


def left_out(not_taken: Mapping[str, Sequence[str]]) -> list[LeftOut]:
    """By field, from the fields by model; the commonest first."""
    by_field: dict[str, list[str]] = defaultdict(list)
    for model, fields in not_taken.items():
        for field in fields:
            by_field[field].append(model)
    return [
        LeftOut(field=field, models=len(models), of=sorted(models)[:OF_MAX])
        for field, models in sorted(by_field.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
