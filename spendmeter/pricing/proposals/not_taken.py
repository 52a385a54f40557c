"""What another vendor's price file says and the catalog does not take over: it is named."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MODELS_SHOWN_MAX = 100


@dataclass(frozen=True, kw_only=True)
class FieldNotTaken:
    """A field that is not taken over: it may be a price that the catalog cannot express. `of`: the first by
    name of its `models`."""

    field: str
    models: int
    of: list[str]


def fields_not_taken(by_model: Mapping[str, Sequence[str]]) -> list[FieldNotTaken]:
    """The fields, from those of each model; the commonest first."""
    models: dict[str, list[str]] = defaultdict(list)
    for model, fields in by_model.items():
        for field in fields:
            models[field].append(model)
    return [
        FieldNotTaken(field=field, models=len(names), of=sorted(names)[:MODELS_SHOWN_MAX])
        for field, names in sorted(models.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
