"""A series: the dimensions by which spend is rolled up, grouped and filtered."""

from hashlib import blake2b

import msgspec


class Series(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One combination of dimensions; '' = the event does not have it.

    Defaults are left out of the canonical JSON, so that a dimension added later changes no existing id.
    """

    cost_class: str = ""
    provider: str = ""
    sku: str = ""
    team: str = ""
    project: str = ""
    feature: str = ""
    workflow: str = ""
    workflow_version: str = ""
    agent: str = ""
    environment: str = ""
    key_id: str = ""


DIMENSIONS: tuple[str, ...] = Series.__struct_fields__

_encode = msgspec.json.Encoder().encode


def series_id(series: Series) -> bytes:
    """BLAKE2b-128 of the series' canonical JSON (fields in declared order, defaults left out)."""
    return blake2b(_encode(series), digest_size=16).digest()
