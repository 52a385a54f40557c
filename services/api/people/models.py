"""What is sent and answered about people and what they may do."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, Field, model_validator

from services.api.http.models import RequestBody, Text
from spendmeter.contracts.gate import as_booked
from spendmeter.contracts.permissions import TEAM_ROLE
from spendmeter.contracts.series import FOLDED

RoleName = Literal["viewer", "on_call", "finops", "admin"]


def _one_team(name: str) -> str:
    """As the book writes it."""
    if name == FOLDED:
        raise ValueError(f"{FOLDED} is what was folded of many teams, and none of them")
    return as_booked("team", name)


Team = Annotated[Text, Field(max_length=256), AfterValidator(_one_team)]
PeopleReason = Annotated[Text, Field(min_length=1, max_length=500)]


class GrantedRole(RequestBody):
    """A role for a person, instead of the one that they have. Who it is say `issuer` and `subject`: an
    address or a name can be somebody else's tomorrow."""

    issuer: Annotated[
        Text,
        Field(
            min_length=9,
            max_length=500,
            pattern=r"^https?://[^\s?#]+$",
            description="who vouches for them: `iss` of their tokens",
        ),
    ]
    subject: Annotated[
        Text, Field(min_length=1, max_length=255, description="what the issuer calls them for ever: `sub`")
    ]
    name: Annotated[Text, Field(min_length=1, max_length=200, description="what people call them here")]
    role: RoleName
    team: Team = Field("", description="of a viewer: '' = all of the tenant")
    reason: PeopleReason

    @model_validator(mode="after")
    def _team_of_viewers(self) -> "GrantedRole":
        if self.team and self.role != TEAM_ROLE:
            raise ValueError("team: only a viewer can be of one team alone")
        return self


class PersonAnswer(BaseModel):
    """A person, and what they may do: '' = nothing any more."""

    person_id: str
    issuer: str
    subject: str
    name: str
    role: str
    team: str = Field(description="'' = all of the tenant")
    scopes: list[str] = Field(description="what the role lets do, with what is in it")
    reason: str
    by: str
    at: datetime


class PeopleList(BaseModel):
    """Whoever has a role, by name."""

    TABLES: ClassVar[tuple[str, ...]] = ("people",)

    people: list[PersonAnswer]
    next_cursor: str | None


class NamedScope(BaseModel):
    """What a route asks for."""

    scope: str
    means: str
    contains: list[str]


class RoleAnswer(BaseModel):
    """What a person may do, by name."""

    role: str
    means: str
    scopes: list[str]


class RoleList(BaseModel):
    """All roles, and all scopes."""

    TABLES: ClassVar[tuple[str, ...]] = ("roles",)

    roles: list[RoleAnswer]
    scopes: list[NamedScope]
