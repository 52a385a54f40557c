"""The levels of a Cycles subject as dimensions of ours, and scopes in the protocol's words. Pure.

A tenant's label map says which: a rule for the attribute `cycles.workspace` names the label that a workspace
means, with `values` what each of them means. A level without a rule means what LEVELS says.
"""

from collections.abc import Mapping

from services.reservations.cycles.wire import CyclesAction, CyclesSubject
from spendmeter.contracts.label_maps import TenantMaps

LEVELS: Mapping[str, str] = {
    "workspace": "environment",
    "app": "project",
    "workflow": "workflow",
    "agent": "agent",
    "toolset": "feature",
}
"""Below the tenant, the widest first."""
_ATTRIBUTE = "cycles."


def meant_by(maps: TenantMaps) -> dict[str, str]:
    """Level to dimension, for a tenant."""
    stated = {rule.attribute.removeprefix(_ATTRIBUTE): rule.label for rule in reversed(maps.labels)}
    return {level: stated.get(level, usual) for level, usual in LEVELS.items()}


def dimensions_by(subject: CyclesSubject, maps: TenantMaps) -> dict[str, str]:
    """What the subject says, '' of each level that it leaves out: a budget for one agent is none of a call
    without an agent."""
    said = {level: getattr(subject, level) for level in LEVELS}
    mapped = maps.labels_of({}, {_ATTRIBUTE + level: value for level, value in said.items() if value})
    found = {dimension: said[level] for level, dimension in meant_by(maps).items()}
    for rule in maps.labels:
        if rule.attribute.removeprefix(_ATTRIBUTE) in LEVELS and rule.values:
            found[rule.label] = ""  # a value that the map does not know means nothing
    return found | mapped | subject.dimensions


def model_of(action: CyclesAction) -> tuple[str, str]:
    """Provider and sku of a name as "openai:gpt-5" or "openai/gpt-5"; '' = it says none."""
    for between in (":", "/"):
        provider, found, sku = action.name.partition(between)
        if found and provider and sku:
            return provider, sku
    return "", ""


def class_of(action: CyclesAction) -> str:
    """The cost class."""
    return "tool" if action.kind.lower().startswith("tool") else "model"


def scopes_of(tenant: str, subject: CyclesSubject) -> list[str]:
    """All that a subject lies in, the widest first."""
    path, found = f"tenant:{tenant}", [f"tenant:{tenant}"]
    for level in LEVELS:
        if value := getattr(subject, level):
            path += f"/{level}:{value}"
            found.append(path)
    return found


def scope_of_budget(tenant: str, filter: Mapping[str, str], maps: TenantMaps) -> str:
    """A budget's scope as a path: its levels in their order, then what else it filters by."""
    by_dimension = {dimension: level for level, dimension in meant_by(maps).items()}
    order = list(LEVELS)
    levels = sorted(
        (dimension for dimension in filter if dimension in by_dimension),
        key=lambda dimension: order.index(by_dimension[dimension]),
    )
    parts = [f"{by_dimension[dimension]}:{filter[dimension]}" for dimension in levels]
    parts += [f"{name}:{value}" for name, value in sorted(filter.items()) if name not in by_dimension]
    return "/".join([f"tenant:{tenant}", *parts])
