"""Incidents of a tenant as tenants are: dimensions that go together, most combinations absent, noise that is large
where the money is small, unlabelled calls, and causes that people tell of."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from services.alerts.cause.leaves import Leaf

DIMENSIONS = ("agent", "workflow", "feature", "key_id", "team", "sku", "provider", "project", "environment")
PROVIDERS = ("openai", "anthropic", "google")
SKUS = tuple((f"{provider}-{size}", provider, price) for provider in PROVIDERS
             for size, price in (("small", 0.2), ("middle", 1.0), ("large", 6.0)))  # fmt: skip
TEAMS, KEYS_PER_TEAM, FEATURES_PER_TEAM, AGENTS_PER_TEAM = 6, 2, 3, 4


@dataclass(frozen=True, kw_only=True)
class CauseCase:
    """Leaves, and the scopes that were made to cost more."""

    kind: str
    dimensions: tuple[str, ...]
    leaves: list[Leaf]
    truth: list[Mapping[str, str]]
    by_leaves: bool = False
    """Scopes that hold the same leaves are one."""


@dataclass
class _Flow:
    """One combination of values, and its money: as usual, and as it was."""

    values: dict[str, str]
    usual: float
    seen: float = field(init=False)

    def has(self, scope: Mapping[str, str]) -> bool:
        return scope.items() <= self.values.items()


def money(amount: float) -> Decimal:
    """To a millionth."""
    return Decimal(f"{amount:.6f}")


def tenant_cases(seed: int, number: int) -> Iterator[CauseCase]:
    """`number` of each kind: the same for the same seed."""
    for kind, cause in KINDS.items():
        for place in range(number):
            chance = random.Random(f"{seed} {kind} {place}")
            flows = _flows(chance)
            for flow in flows:
                flow.seen = max(0.0, flow.usual * (1 + chance.gauss(0, 0.1 + 0.2 / (1 + flow.usual))))
            truth = cause(flows, chance)
            leaves = [
                Leaf(
                    tuple(flow.values.get(name, "") for name in DIMENSIONS),
                    money(flow.seen),
                    money(flow.usual),
                )
                for flow in flows
                if flow.seen or flow.usual
            ]
            yield CauseCase(kind=kind, dimensions=DIMENSIONS, leaves=leaves, truth=truth, by_leaves=True)


def _flows(chance: random.Random) -> list[_Flow]:
    flows: dict[tuple[str, ...], _Flow] = {}
    for team in range(TEAMS):
        for agent in range(AGENTS_PER_TEAM):
            feature = f"feature-{team}-{chance.randrange(FEATURES_PER_TEAM)}"
            named = {
                "team": f"team-{team}", "project": f"project-{team // 2}", "feature": feature,
                "agent": f"agent-{team}-{agent}", "workflow": f"flow-of-{feature}",
            }  # fmt: skip
            for sku, provider, price in chance.sample(SKUS, chance.choice((2, 3, 4))):
                for key in range(KEYS_PER_TEAM):
                    for environment in ("production", "staging"):
                        share = 1.0 if environment == "production" else 0.1
                        usual = price * share * chance.weibullvariate(1, 0.8)
                        values = named | {
                            "sku": sku,
                            "provider": provider,
                            "key_id": f"key-{team}-{key}",
                            "environment": environment,
                        }
                        if chance.random() < 0.15:
                            values = {
                                name: value
                                for name, value in values.items()
                                if name not in {"agent", "workflow"}
                            }
                        flow = flows.setdefault(tuple(sorted(values.values())), _Flow(values, 0.0))
                        flow.usual += usual
    return list(flows.values())


def _raised(flows: list[_Flow], scope: Mapping[str, str], chance: random.Random) -> list[Mapping[str, str]]:
    """By a factor, and by no less than a fifth of what the tenant spends."""
    held = [flow for flow in flows if flow.has(scope)]
    factor = max(
        chance.uniform(2, 8), 0.2 * sum(flow.usual for flow in flows) / sum(flow.usual for flow in held)
    )
    for flow in held:
        flow.seen = flow.usual * factor * max(0.2, chance.gauss(1, 0.1))
    return [scope]


def _one(name: str) -> Callable[[list[_Flow], random.Random], list[Mapping[str, str]]]:
    def cause(flows: list[_Flow], chance: random.Random) -> list[Mapping[str, str]]:
        return _raised(flows, {name: chance.choice(_values(flows, name))}, chance)

    return cause


def _pair(*names: str) -> Callable[[list[_Flow], random.Random], list[Mapping[str, str]]]:
    def cause(flows: list[_Flow], chance: random.Random) -> list[Mapping[str, str]]:
        able = [flow for flow in flows if all(name in flow.values for name in names)]
        flow = chance.choice(sorted(able, key=lambda each: sorted(each.values.values())))
        return _raised(flows, {name: flow.values[name] for name in names}, chance)

    return cause


def _two(flows: list[_Flow], chance: random.Random) -> list[Mapping[str, str]]:
    """In different teams, so that neither holds the other."""
    agents = _values(flows, "agent")
    first = chance.choice(agents)
    second = chance.choice([agent for agent in agents if agent.split("-")[1] != first.split("-")[1]])
    return _raised(flows, {"agent": first}, chance) + _raised(flows, {"agent": second}, chance)


def _new_key(flows: list[_Flow], chance: random.Random) -> list[Mapping[str, str]]:
    """A key that nobody has seen: a few skus, no labels."""
    whole = sum(flow.usual for flow in flows)
    for sku, provider, _ in chance.sample(SKUS, 3):
        flow = _Flow({"key_id": "key-new", "sku": sku, "provider": provider}, 0.0)
        flow.seen = whole * chance.uniform(0.05, 0.3)
        flows.append(flow)
    return [{"key_id": "key-new"}]


def _beside_a_fall(flows: list[_Flow], chance: random.Random) -> list[Mapping[str, str]]:
    """One agent rises by what another one of its team falls."""
    agents = _values(flows, "agent")
    rises = chance.choice(agents)
    others = [
        agent for agent in agents if agent.rsplit("-", 1)[0] == rises.rsplit("-", 1)[0] and agent != rises
    ]
    falls = chance.choice(others)
    for flow in flows:
        if flow.has({"agent": falls}):
            flow.seen = 0.0
    return _raised(flows, {"agent": rises}, chance)


def _values(flows: list[_Flow], name: str) -> list[str]:
    return sorted({flow.values[name] for flow in flows if name in flow.values})


KINDS: dict[str, Callable[[list[_Flow], random.Random], list[Mapping[str, str]]]] = {
    "agent": _one("agent"), "sku": _one("sku"), "feature": _one("feature"), "provider": _one("provider"),
    "agent_and_sku": _pair("agent", "sku"), "key_and_sku": _pair("key_id", "sku"), "sku_and_environment": _pair("sku", "environment"),
    "two_agents": _two, "new_key": _new_key, "beside_a_fall": _beside_a_fall,
}  # fmt: skip
