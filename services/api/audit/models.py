"""What the audit log answers."""

from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, Field


class Difference(BaseModel):
    """A column of the row that was changed; null = it had no value, or there was no row."""

    field: str
    was: Any
    became: Any


class AuditedChange(BaseModel):
    """A row that somebody made, changed or removed."""

    number: int
    at: datetime
    by: str = Field(description="a key, the api itself, another service, or a role of the database")
    by_name: str | None = Field(description="what the tenant calls that key")
    object: str = Field(description="the kind of thing: a table of tables.md")
    object_id: str
    act: Literal["made", "changed", "removed"]
    differences: list[Difference]
    withheld: list[str] = Field(description="changed too; what these say is kept nowhere else")


class AuditLog(BaseModel):
    """Changes, newest first."""

    TABLES: ClassVar[tuple[str, ...]] = ("changes",)

    changes: list[AuditedChange]
    next_cursor: str | None
