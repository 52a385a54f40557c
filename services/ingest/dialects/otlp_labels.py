"""Whose spend an item of OTLP is, by its attributes, those of its process, and the tenant's map. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from services.ingest.dialects.coding_agents import agent_labels
from services.ingest.dialects.otlp_items import Attributes, Sent
from services.ingest.dialects.translated import Translated
from spendmeter.contracts.label_maps import TenantMaps
from spendmeter.contracts.otel_names import OTEL

NO_LABELS: Mapping[str, str] = MappingProxyType({})
_NAMELESS = "unknown_service"
"""How the name of a process begins to which nobody gave one."""


def labels_of(
    item: Sent, maps: TenantMaps, found: Translated, of_all: Mapping[str, str] = NO_LABELS
) -> dict[str, str]:
    """By label; what the tenant's map finds goes before what the sender says, an item's own attributes before
    those of its process, and `of_all`, what the request says beside its body, comes last. What no label can
    hold is left out, and noted: its money counts for nobody."""
    said = {
        label: value
        for label, names in OTEL.labels.items()
        if (value := _stated(names, item.attributes, item.resource))
    }
    return {**of_all, **found.fitting(said), **maps.labels_of(item.attributes, item.resource)}


def labels_of_agent(
    tool: str, item: Sent, maps: TenantMaps, of_all: Mapping[str, str] = NO_LABELS
) -> dict[str, str]:
    """The same of a coding agent's, whose makers have names of their own: alike in all of its signals."""
    mapped = maps.labels_of(item.attributes, item.resource)
    return {**of_all, **agent_labels(tool, item.attributes, item.resource), **mapped}


def _stated(names: tuple[str, ...], *attributes: Attributes) -> str:
    for each in attributes:
        for name in names:
            value = each.get(name)
            if type(value) in (str, int) and value != "" and not str(value).startswith(_NAMELESS):
                return str(value)
    return ""
