"""The triggers of what is audited, made to equal contracts/audited.toml at every migrate."""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import asyncpg

from spendmeter import contracts
from spendmeter.platform.roles import read_tables
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("audited.sql"))
_SECRET = re.compile("secret|sha256|token|password")


@dataclass(frozen=True, kw_only=True)
class AuditRules:
    """audited.toml: columns by table, and why a table is not audited."""

    withheld: dict[str, list[str]]
    moving: dict[str, list[str]]
    not_audited: dict[str, str]


@cache
def audit_rules() -> AuditRules:
    """As they are stated."""
    stated = tomllib.loads(Path(contracts.__path__[0], "audited.toml").read_text("utf-8"))
    return AuditRules(withheld=stated["withheld"], moving=stated["moving"], not_audited=stated["not"])


def audited_tables() -> list[str]:
    """Every table and view that api owns or may write, but for those that audited.toml excuses."""
    return [
        access.table
        for access in read_tables()
        if access.owner == "api" or set(access.privileges["api"]) & set("IUD")
        if access.table not in audit_rules().not_audited
    ]


async def act_as(connection: asyncpg.Connection, actor: str) -> None:
    """Who makes the changes of this transaction from here on."""
    await connection.execute(SQL["act_as"], actor)


async def apply_audit(connection: asyncpg.Connection) -> None:
    """See to it that every such table, and no other, has the trigger. Repeatable; run as the owner."""
    audited = set(audited_tables())
    for row in await connection.fetch(SQL["tables"]):
        table = row["table_name"]
        if table in audited:
            arguments = ", ".join(_literal(columns) for columns in trigger_columns(table, row))
            await connection.execute(SQL["audit"].format(table=table, arguments=arguments))
        else:
            await connection.execute(SQL["leave"].format(table=table))


def trigger_columns(table: str, row: Any) -> tuple[Sequence[str], ...]:
    """Of a row of `tables`: columns of its key, withheld ones, those that move by themselves, amounts."""
    rules = audit_rules()
    withheld = set(row["bytes"]) | set(rules.withheld.get(table, ()))
    withheld |= {name for name in row["columns"] if _SECRET.search(name)}
    return row["own_key"], sorted(withheld), rules.moving.get(table, ()), row["amounts"]


def _literal(columns: Sequence[str]) -> str:
    return f"'{{{','.join(columns)}}}'"
