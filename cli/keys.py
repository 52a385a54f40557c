"""spendmeter keys create, list, rotate and revoke."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from cli._running import fail, work_on_database
from cli._terminal import say

app = typer.Typer(
    help="Create, list and revoke API keys. Works on the database: DATABASE_URL, or the running system's.",
    no_args_is_help=True,
)


@app.command("create")
def create(
    tenant: Annotated[str, typer.Argument(help="Whose usage the key sends and reads.")] = "",
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="ingest, read, respond, govern, correct, admin, import, reserve. Repeatable. "
            "Default: ingest and read."
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="What it is for, as the list shows it.")] = "",
    expires_days: Annotated[
        int | None, typer.Option(min=1, max=36_500, help="Days it lives. Default: for ever.")
    ] = None,
    create_tenant: Annotated[bool, typer.Option("--create-tenant", help="Create the tenant, too.")] = False,
    operator: Annotated[
        bool, typer.Option("--operator", help="A key for all tenants, instead of one tenant's.")
    ] = False,
    trust_reported_cost: Annotated[
        bool, typer.Option("--trust-reported-cost", help="Book the costs that its events report.")
    ] = False,
    events_per_minute: Annotated[
        int | None, typer.Option(min=1, help="The most it may send. Default: as ingest is set.")
    ] = None,
) -> None:
    """Make a key and print it: this is the only time that anybody sees it. Ingest takes it within 10 seconds.

    \b
    Examples:
      spendmeter keys create acme --scope ingest --name checkout-bot --expires-days 90
      spendmeter keys create newcomer --create-tenant
      spendmeter keys create acme --scope correct --name finops
      spendmeter keys create acme --scope import --scope correct --name bills
      spendmeter keys create acme --scope reserve --scope ingest --name agents
      KEY=$(spendmeter keys create acme --scope read)
    """
    from spendmeter.platform import keys

    if bool(tenant) == operator:
        raise typer.BadParameter("name a tenant, or say --operator")
    expires_at = datetime.now(UTC) + timedelta(days=expires_days) if expires_days else None

    async def work(connection: Any) -> str:
        async with connection.transaction():
            if create_tenant and not operator:
                await keys.create_tenant(connection, tenant)
            if not operator and not await keys.tenant_exists(connection, tenant):
                raise ValueError(f"no tenant {tenant!r}: --create-tenant creates it")
            return await keys.create_key(
                connection,
                tenant,
                scope or (["admin", "read"] if operator else ["ingest", "read"]),
                name=name or "cli",
                expires_at=expires_at,
                trust_reported_cost=trust_reported_cost,
                events_per_minute=events_per_minute,
            )

    say(work_on_database(work))


@app.command("list")
def list_keys(tenant: Annotated[str, typer.Option(help="Only this tenant's.")] = "") -> None:
    """Show every key's id, tenant, scopes and state; secrets are not stored.

    \b
    Examples:
      spendmeter keys list
      spendmeter keys list --tenant acme
    """
    from spendmeter.platform import keys

    now = datetime.now(UTC)
    for row in work_on_database(lambda connection: keys.list_keys(connection, tenant)):
        state = "live" if row["expires_at"] is None else f"live until {row['expires_at']:%Y-%m-%d %H:%M}Z"
        if row["expires_at"] is not None and row["expires_at"] <= now:
            state = "expired"
        if row["revoked_at"] is not None:
            state = "revoked"
        owner = row["tenant"] or "(operator)"
        if row["former_until"] is not None and row["former_until"] > now and state.startswith("live"):
            state += f", its former secret until {row['former_until']:%Y-%m-%d %H:%M}Z"
        used = f"used {row['last_used_at']:%Y-%m-%d %H:%M}Z" if row["last_used_at"] else "never used"
        scopes = ",".join(row["scopes"])
        say(f"{row['key_id']}  {owner:<16}  {scopes:<17}  {state:<10}  {used:<22}  {row['name']}")


@app.command("rotate")
def rotate(
    key_id: Annotated[str, typer.Argument(help="The id, as the list shows it: k and 12 digits.")],
    grace_hours: Annotated[
        int, typer.Option(min=0, max=24 * 90, help="Hours for which the former secret still opens.")
    ] = 24,
) -> None:
    """Give a key a new secret and print it. Its id stays, and with it budgets, rules and what it has spent.

    Both secrets open until the grace is over; then the former one never does again. Until then a second
    rotation is refused: it would end the one that is in use.

    \b
    Examples:
      spendmeter keys rotate k7f3a0c91d2e4
      spendmeter keys rotate k7f3a0c91d2e4 --grace-hours 0     # it leaked: the new one alone, in 10 s
    """
    from spendmeter.platform import keys

    grace = timedelta(hours=grace_hours)

    async def work(connection: Any) -> str | None:
        try:
            return await keys.rotate_key(connection, key_id, grace=grace)
        except keys.StillRotating as still:
            raise ValueError(f"{still}. Wait until then, or end both with --grace-hours 0") from None

    made = work_on_database(work)
    if made is None:
        fail(f"no live key {key_id!r}. See: spendmeter keys list")
    say(made)


@app.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(help="The id, as the list shows it: k and 12 digits.")],
) -> None:
    """Revoke a key; it stops working everywhere within 10 seconds.

    \b
    Examples:
      spendmeter keys revoke k7f3a0c91d2e4
    """
    from spendmeter.platform import keys

    if not work_on_database(lambda connection: keys.revoke_key(connection, key_id)):
        fail(f"no live key {key_id!r}. See: spendmeter keys list")
    say(f"{key_id} is revoked; it stops working within 10 s")
