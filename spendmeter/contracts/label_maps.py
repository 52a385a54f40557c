"""A tenant's label maps: which attribute of what others send says whose spend it is. Pure.

Exporters say `organization.id` or `department`, and know nothing of teams. A rule names an attribute and
a label; with `values`, what each value of the attribute means; without, the value itself is the label's. For
each label the first rule that finds something counts, and what it finds goes before what the sender states: a
map is written by the tenant's administrators, an attribute by whoever owns the laptop.

`signals` says by which of its signals a coding agent is priced: each of them tells of the same calls.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal
from unicodedata import normalize

from msgspec import Struct

from spendmeter.contracts.dimensions import trouble_with_label
from spendmeter.contracts.events import LABEL_CHARACTERS_MAX, LABELS
from spendmeter.contracts.series import FOLDED
from spendmeter.contracts.units import snake_case
from spendmeter.contracts.visible import INVISIBLE

RULES_MAX = 50
VALUES_MAX = 1_000
"""Of one rule."""
ATTRIBUTE_CHARACTERS_MAX = 128
OPERATORS = "*"
"""In whose name an operator's own map is kept: it says which tenant an attribute means."""
TENANT = "tenant"
"""What such a rule finds, in the place of a label."""

PricedSignal = Literal["logs", "traces"]
AGENT_TOOLS = ("claude-code", "codex", "gemini-cli")
"""Coding agents that tell of the same calls by several signals."""
DEFAULT_SIGNAL: PricedSignal = "logs"

MAPPED_LABELS = frozenset(LABELS) - {"user", "run"}
"""Not a person, and not what each call has another of."""
ITEM_ATTRIBUTES = frozenset(
    "organization.id app.entrypoint terminal.type query_source agent.name skill.name plugin.name "
    "workflow.name originator auth_mode".split()
)
"""Attributes of a record, a point or a span itself that may be mapped, beside any of its process: none that
holds what somebody wrote."""
PERSONAL = ("process.", "host.user")
"""How attributes begin that hold what a person typed, or name one."""
PERSONAL_WORDS = frozenset("user users enduser username userid login mail email person employee".split())
"""Of which an attribute's name has none: it would bring a person's name in as a team's."""

_ATTRIBUTE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]*")


class LabelRule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One attribute that means a label."""

    attribute: str
    label: str
    values: dict[str, str] = {}
    """Empty = the attribute's value as it stands."""

    def found(self, attributes: Iterable[Mapping[str, Any]]) -> str:
        """What it makes of these, of which the first that has the attribute counts; '' = nothing."""
        for each in attributes:
            if value := _as_text(each.get(self.attribute)):
                return self.values.get(value, "") if self.values else value if can_be_label(value) else ""
        return ""


class TenantMaps(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that a tenant has set about what others send."""

    labels: tuple[LabelRule, ...] = ()
    signals: dict[str, PricedSignal] = {}

    @property
    def attributes(self) -> frozenset[str]:
        """Everything that its rules look at."""
        return frozenset(rule.attribute for rule in self.labels)

    def labels_of(self, item: Mapping[str, Any], resource: Mapping[str, Any]) -> dict[str, str]:
        """The labels of an item: what its rules find in those of its own attributes that may be looked at,
        and in those of its process."""
        if not self.labels:
            return {}
        own = {name: value for name, value in item.items() if name in ITEM_ATTRIBUTES}
        found: dict[str, str] = {}
        for rule in self.labels:
            if rule.label not in found and (value := rule.found((own, resource))):
                found[rule.label] = value
        return found

    def signal_of(self, tool: str) -> PricedSignal:
        """By which signal a tool's calls are priced; all others repeat them."""
        return self.signals.get(tool, DEFAULT_SIGNAL)


NO_MAPS = TenantMaps()


def troubles_with_maps(maps: TenantMaps, *, operators: bool = False) -> Iterator[tuple[str, str]]:
    """What is wrong with them, as field and rule; nothing of it is quoted. `operators`: of an operator's own,
    whose rules find tenants."""
    if len(maps.labels) > RULES_MAX:
        yield "labels", f"has at most {RULES_MAX} rules"
    for place, rule in enumerate(maps.labels):
        at = f"labels.{place}"
        if trouble := _trouble_with_attribute(rule.attribute):
            yield f"{at}.attribute", trouble
        if operators and rule.label != TENANT:
            yield f"{at}.label", f"must be {TENANT!r}: an operator's map finds tenants"
        if not operators and rule.label not in MAPPED_LABELS and trouble_with_label(rule.label):
            named = ", ".join(name for name in LABELS if name in MAPPED_LABELS)
            yield f"{at}.label", f"must be one of {named}, or a dimension of the tenant's own"
        if len(rule.values) > VALUES_MAX:
            yield f"{at}.values", f"has at most {VALUES_MAX}"
        if not all(value and can_be_label(value) for value in rule.values.values()):
            yield f"{at}.values", f"are texts of 1 to {LABEL_CHARACTERS_MAX} characters that can be seen"
    for tool in maps.signals:
        if tool not in AGENT_TOOLS or operators:
            yield "signals", f"are set by a tenant, for {', '.join(AGENT_TOOLS)}"
            break


def _trouble_with_attribute(name: str) -> str:
    if len(name) > ATTRIBUTE_CHARACTERS_MAX or not _ATTRIBUTE.fullmatch(name):
        return f"must be an attribute's name: 1 to {ATTRIBUTE_CHARACTERS_MAX} letters, digits, and . _ : / -"
    words = re.split("[^a-z]+", snake_case(name))
    if name.startswith(PERSONAL) or not PERSONAL_WORDS.isdisjoint(words):
        return "names a person: map what their process says of their team (OTEL_RESOURCE_ATTRIBUTES)"
    return ""


def _as_text(value: Any) -> str:
    """A plain attribute as people write it; '' = it is none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else ""


def can_be_label(text: str) -> bool:
    """Whether a label can hold the text. What cannot be is left out of what others send: the money is kept,
    and counts for nobody."""
    if len(text) > LABEL_CHARACTERS_MAX or text == FOLDED:
        return False
    if text.isascii():
        return text.isprintable()
    return INVISIBLE.search(text) is None and len(normalize("NFC", text)) <= LABEL_CHARACTERS_MAX
