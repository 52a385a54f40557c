"""The rules by which alerts watches a tenant, read from alert_rules.toml: their kinds and settings. Pure.

api takes what a tenant changes and alerts obeys it; both read the same file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import msgspec
from msgspec import Struct

from spendmeter.contracts.incidents import IncidentKind, IncidentSeverity
from spendmeter.contracts.money import parse_decimal, plain

SettingType = Literal["amount", "share", "ratio", "count", "minutes", "days", "choices"]
_WHOLE = frozenset({"count", "minutes", "days"})
RULES_MAX = 100
"""Of one tenant, beside those that everybody has."""


class RuleSetting(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One setting of a kind of rule; see alert_rules.toml for what the fields mean."""

    type: SettingType
    default: str | list[str]
    means: str
    least: str = "0"
    most: str = ""
    choices: list[str] = []

    def trouble(self, value: object) -> str:
        """Why it cannot be set to this; '' = it can."""
        if self.type == "choices":
            if not isinstance(value, list) or not value or len(set(map(str, value))) < len(value):
                return f"is a list of some of {', '.join(self.choices)}, each once"
            unknown = [each for each in value if each not in self.choices]
            return f"knows {', '.join(self.choices)} alone" if unknown else ""
        return self._trouble_of_number(value)

    def _trouble_of_number(self, value: object) -> str:
        if not isinstance(value, str):
            return "is a decimal string"
        try:
            number = parse_decimal(value)
        except ValueError as error:
            return str(error)
        if number < Decimal(self.least):
            return f"is at least {self.least}"
        if self.most and number > Decimal(self.most):
            return f"is at most {self.most}"
        if self.type in _WHOLE and number != number.to_integral_value():
            return "is a whole number"
        return ""


class RuleKind(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kind of rule; see alert_rules.toml for what the fields mean."""

    rule: str
    kind: IncidentKind
    name: str
    means: str
    severity: IncidentSeverity
    watches: list[str] | None = None
    watches_at_once: int | None = None
    settings: dict[str, RuleSetting]

    def troubles(self, settings: Mapping[str, object]) -> dict[str, str]:
        """What of these settings cannot be, and why, by name; {} = all can."""
        found = {}
        for name, value in settings.items():
            known = self.settings.get(name)
            reason = known.trouble(value) if known else f"is none of {', '.join(self.settings)}"
            if reason:
                found[name] = reason
        return found


RULE_KINDS: Mapping[str, RuleKind] = MappingProxyType(
    msgspec.toml.decode(Path(__file__).with_name("alert_rules.toml").read_bytes(), type=dict[str, RuleKind])
)
"""By name: burst, shift, ..."""
DEFAULT_RULES: Mapping[str, str] = MappingProxyType({kind.rule: of for of, kind in RULE_KINDS.items()})
"""The kind of each rule that everybody has, by the rule's id."""


@dataclass(frozen=True, kw_only=True)
class AlertRule:
    """A rule of one tenant as it is in force."""

    id: str
    of: str
    """Its kind: a key of RULE_KINDS."""
    name: str
    filter: Mapping[str, str]
    """Dimension to value: what of the spend it watches; {} = all of it."""
    severity: IncidentSeverity
    enabled: bool
    revision: int
    """0 = as everybody has it."""
    changed: Mapping[str, str | list[str]]
    """Settings that are not the default."""

    @cached_property
    def settings(self) -> Mapping[str, str | list[str]]:
        """All of them, as strings."""
        defaults = {name: setting.default for name, setting in RULE_KINDS[self.of].settings.items()}
        return {**defaults, **{name: value for name, value in self.changed.items() if name in defaults}}

    def number(self, name: str) -> Decimal:
        """A setting that is a number. Raises KeyError for one that its kind does not have."""
        value = self.settings[name]
        assert isinstance(value, str)
        return Decimal(value)

    def chosen(self, name: str) -> tuple[str, ...]:
        """A setting that is a choice."""
        value = self.settings[name]
        assert isinstance(value, list)
        return tuple(value)


def rule_of(row: Mapping[str, Any]) -> AlertRule:
    """The rule that a row of `alert_rules` says, the last act of its rule."""
    return AlertRule(
        id=row["rule_id"], of=row["of"], name=row["name"], filter=row["filter"], severity=row["severity"],
        enabled=row["enabled"], revision=row["number"], changed=row["settings"],
    )  # fmt: skip


def default_rule(of: str) -> AlertRule:
    """The rule of a kind that everybody has, as it stands in alert_rules.toml."""
    kind = RULE_KINDS[of]
    return AlertRule(
        id=kind.rule, of=of, name=kind.name, filter={}, severity=kind.severity, enabled=True, revision=0,
        changed={},
    )  # fmt: skip


def canonical(settings: Mapping[str, str | list[str]], of: str) -> dict[str, str | list[str]]:
    """Those that differ from the default, numbers as plain decimal strings."""
    found: dict[str, str | list[str]] = {}
    for name, value in settings.items():
        written = plain(parse_decimal(value)) if isinstance(value, str) else list(value)
        if written != RULE_KINDS[of].settings[name].default:
            found[name] = written
    return found
