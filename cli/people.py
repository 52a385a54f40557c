"""spendmeter people list, grant, remove and roles."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from cli._asking import OfTenantOption, ask, read
from cli._terminal import say

app = typer.Typer(
    help="People by role: who may do what of a tenant. It goes as SPENDMETER_ADMIN_KEY.",
    no_args_is_help=True,
)

_FLAGS = {
    "issuer": "--issuer", "subject": "--subject", "name": "--name", "role": "ROLE", "team": "--team",
    "reason": "--reason",
}  # fmt: skip
PeopleWhy = Annotated[str, typer.Option("--reason", help="For whoever asks later.")]


@app.command("list")
def list_people(tenant: OfTenantOption = "") -> None:
    """Whoever has a role, with who gave it and why."""
    cursor: str | None = ""
    while cursor is not None:
        answer = ask("GET", "people", tenant, {"limit": 200} | ({"cursor": cursor} if cursor else {}))
        for person in answer["people"]:
            _show(person)
        cursor = answer["next_cursor"]


@app.command()
def grant(
    role: Annotated[str, typer.Argument(help="viewer, on_call, finops or admin.")],
    issuer: Annotated[str, typer.Option(help="Who vouches for them: iss of their tokens.")],
    subject: Annotated[str, typer.Option(help="What the issuer calls them for ever: sub.")],
    name: Annotated[str, typer.Option(help="What people call them here.")],
    reason: PeopleWhy,
    team: Annotated[str, typer.Option(help="Of a viewer: this team alone.")] = "",
    tenant: OfTenantOption = "",
) -> None:
    """Give a person a role, instead of the one that they have.

    \b
    Example: spendmeter people grant on_call --issuer https://login.example.org --subject 00u1a2b3c4 \\
        --name Ada --reason "on call from December" --tenant acme
    """
    body = {"issuer": issuer, "subject": subject, "name": name, "role": role, "team": team, "reason": reason}
    _show(ask("PUT", "people", tenant, body=body, flags=_FLAGS))


@app.command()
def remove(
    person_id: Annotated[str, typer.Argument(help="p and 16 digits, as the list shows it.")],
    reason: PeopleWhy,
    tenant: OfTenantOption = "",
) -> None:
    """Take a person's role away."""
    _show(ask("DELETE", f"people/{quote(person_id, safe='')}", tenant, {"reason": reason}, flags=_FLAGS))


@app.command()
def roles(tenant: OfTenantOption = "") -> None:
    """What each role and each scope lets do."""
    answer = read("roles", tenant)
    for role in answer["roles"]:
        say(f"{role['role']:<8}  {role['means']}: {', '.join(role['scopes'])}")
    for scope in answer["scopes"]:
        say(f"  {scope['scope']:<8}  {scope['means']}")


def _show(person: dict[str, Any]) -> None:
    role = (person["role"] or "none") + (f" of {person['team']}" if person["team"] else "")
    say(
        f"{person['person_id']}  {role:<16}  {person['name']}  {person['issuer']} {person['subject']}  "
        f"{person['at'][:16]}  {person['by']}: {person['reason']}"
    )
