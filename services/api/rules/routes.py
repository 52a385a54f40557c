"""The rules by which alerts watches a tenant: on for everybody, changed act by act, obeyed within 2 s."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Query, Request

from services.api.access.auth import Governing, Reader
from services.api.database.transactions import TenantConnection, database_of
from services.api.http.openapi import answers
from services.api.http.problems import invalid_fields, not_found, too_many
from services.api.http.representation import Negotiated
from services.api.http.revisions import refuse_if_changed
from services.api.rules.models import (
    NewRule,
    RuleAct,
    RuleAnswer,
    RuleChange,
    RuleHistory,
    RuleList,
    RuleReason,
    SettingAnswer,
)
from spendmeter.contracts.alert_rules import (
    DEFAULT_RULES,
    RULE_KINDS,
    RULES_MAX,
    AlertRule,
    canonical,
    default_rule,
    rule_of,
)
from spendmeter.contracts.series import DIMENSIONS
from spendmeter.platform.sql import load_sql

ACTS_MAX = 200
WATCHES_ONE = "whole days are added up by one dimension each, so it would watch nothing"

SQL = load_sql(Path(__file__).with_name("rules.sql"))
router = APIRouter(tags=["rules"], route_class=Negotiated)

_Acts = Mapping[str, Mapping[str, Any]]
"""The last act of each rule that was ever changed, by the rule's id."""


@router.get("/v1/rules", responses=answers("rules"))
async def list_rules(request: Request, caller: Reader) -> RuleList:
    """By what the tenant is watched, beside its budgets: every rule with its settings and what they mean."""
    async with database_of(request).reading(caller.tenant) as connection:
        acts = await _acts(connection)
    return RuleList(rules=[_answer(rule, acts) for rule in _in_force(acts).values()])


@router.get("/v1/rules/{id}", responses=answers("rule", missing="no such rule"))
async def get_rule(request: Request, caller: Reader, id: str) -> RuleAnswer:
    """One rule."""
    async with database_of(request).reading(caller.tenant) as connection:
        acts = await _acts(connection)
    return _answer(_one(acts, id), acts)


@router.get("/v1/rules/{id}/history", responses=answers("rule_history", missing="no such rule"))
async def get_history(request: Request, caller: Reader, id: str) -> RuleHistory:
    """Who changed it, when and why; of a rule that was removed as well."""
    async with database_of(request).reading(caller.tenant) as connection:
        rows = await connection.fetch(SQL["history"], id, ACTS_MAX)
    if not rows and id not in DEFAULT_RULES:
        raise not_found(f"there is no rule {id!r:.80}")
    kept = RuleAct.model_fields.keys() - {"revision"}
    return RuleHistory(
        acts=[RuleAct(revision=row["number"], **{name: row[name] for name in kept}) for row in rows]
    )


@router.post("/v1/rules", status_code=201, responses=answers("rule", status=201))
async def add_rule(request: Request, caller: Governing, body: NewRule) -> RuleAnswer:
    """Add a rule of a kind, for a part of the spend."""
    kind = RULE_KINDS[body.of]
    rule = AlertRule(
        id=str(uuid4()), of=body.of, name=body.name, filter=body.filter,
        severity=body.severity or kind.severity, enabled=body.enabled, revision=0, changed=body.settings,
    )  # fmt: skip
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        await connection.execute(SQL["hold"], caller.tenant)
        own = _in_force(await _acts(connection)).keys() - DEFAULT_RULES.keys()
        if len(own) >= RULES_MAX:
            raise too_many("rules", RULES_MAX)
        return await _act(connection, caller.tenant, rule, body.reason, caller.by)


@router.patch("/v1/rules/{id}", responses=answers("rule", missing="no such rule"))
async def change_rule(request: Request, caller: Governing, id: str, body: RuleChange) -> RuleAnswer:
    """Change a rule. What is open by it stays open, with the words it has; what comes is judged anew."""
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        await connection.execute(SQL["hold"], caller.tenant)
        rule = _one(await _acts(connection), id)
        refuse_if_changed(body.revision, rule.revision)
        settings = {name: value for name, value in rule.changed.items() if name not in body.settings}
        settings |= {name: value for name, value in body.settings.items() if value is not None}
        said = body.model_dump(include={"name", "filter", "severity", "enabled"}, exclude_none=True)
        rule = replace(rule, changed=settings, **said)
        return await _act(connection, caller.tenant, rule, body.reason, caller.by)


@router.delete("/v1/rules/{id}", responses=answers("rule_history", missing="no such rule"))
async def remove_rule(
    request: Request, caller: Governing, id: str, reason: Annotated[RuleReason, Query()]
) -> RuleHistory:
    """Remove a rule of the tenant's own; make one that everybody has what it was."""
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        await connection.execute(SQL["hold"], caller.tenant)
        rule = _one(await _acts(connection), id)
        await _act(connection, caller.tenant, rule, reason, caller.by, removed=True)
    return await get_history(request, caller, id)


async def refuse_troubles(connection: TenantConnection, rule: AlertRule) -> None:
    """Raises HttpRefusal (422) for settings and filters that cannot be."""
    own = {row["name"] for row in await connection.fetch(SQL["own_dimensions"])}
    troubles = {f"settings.{name}": why for name, why in RULE_KINDS[rule.of].troubles(rule.changed).items()}
    unknown = set(rule.filter) - set(DIMENSIONS) - own
    troubles |= {f"filter.{name}": "is no dimension" for name in sorted(unknown)}
    watches, at_once = RULE_KINDS[rule.of].watches, RULE_KINDS[rule.of].watches_at_once
    if at_once is not None and len(rule.filter) > at_once:
        troubles["filter"] = f"{WATCHES_ONE}: a rule of kind {rule.of} names {at_once} at most"
    if watches is not None and not unknown:
        known = (
            f"a rule of kind {rule.of} is for {', '.join(watches)}"
            if watches
            else "it watches all of the spend"
        )
        troubles |= {f"filter.{name}": known for name in sorted(set(rule.filter) - set(watches))}
    if troubles:
        raise invalid_fields([{"field": field, "reason": reason} for field, reason in troubles.items()])


async def rule_in_force(connection: TenantConnection, id: str) -> AlertRule:
    """One rule as it is. Raises HttpRefusal (404)."""
    return _one(await _acts(connection), id)


async def _acts(connection: TenantConnection) -> _Acts:
    return {row["rule_id"]: row for row in await connection.fetch(SQL["in_force"])}


def _in_force(acts: _Acts) -> dict[str, AlertRule]:
    rules = {rule_id: default_rule(of) for rule_id, of in DEFAULT_RULES.items()}
    for rule_id, row in acts.items():
        if not row["removed"] and row["of"] in RULE_KINDS:
            rules[rule_id] = rule_of(row)
    return rules


def _one(acts: _Acts, id: str) -> AlertRule:
    rule = _in_force(acts).get(id)
    if rule is None:
        raise not_found(f"there is no rule {id!r:.80}")
    return rule


async def _act(
    connection: TenantConnection,
    tenant: str,
    rule: AlertRule,
    reason: str,
    by: str,
    *,
    removed: bool = False,
) -> RuleAnswer:
    if not removed:  # what was set before it was refused can go
        await refuse_troubles(connection, rule)
    await connection.execute(
        SQL["act"], tenant, rule.id, rule.of, rule.name, dict(rule.filter), canonical(rule.changed, rule.of),
        rule.severity, rule.enabled, removed, reason, by,
    )  # fmt: skip
    acts = await _acts(connection)
    return _answer(_in_force(acts).get(rule.id, rule), acts)


def _answer(rule: AlertRule, acts: _Acts) -> RuleAnswer:
    kind = RULE_KINDS[rule.of]
    act = acts.get(rule.id, {"reason": "", "by": "", "at": None})
    return RuleAnswer(
        id=rule.id,
        of=rule.of,
        name=rule.name,
        means=kind.means,
        incidents=kind.kind,
        filter=dict(rule.filter),
        severity=rule.severity,
        enabled=rule.enabled,
        everybodys=rule.id in DEFAULT_RULES,
        settings={
            name: SettingAnswer(
                value=value,
                default=kind.settings[name].default,
                type=kind.settings[name].type,
                least=kind.settings[name].least,
                most=kind.settings[name].most,
                choices=kind.settings[name].choices,
                means=kind.settings[name].means,
            )
            for name, value in rule.settings.items()
        },
        revision=rule.revision,
        reason=act["reason"],
        by=act["by"],
        at=act["at"],
    )
