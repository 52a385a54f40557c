"""What a caller may give to others: never more than it has itself. Pure."""

from collections.abc import Iterable
from datetime import datetime

from services.api.access.auth import Caller
from services.api.http.problems import HttpRefusal, forbidden
from spendmeter.contracts.permissions import SCOPES, contained


def grantable(caller: Caller) -> frozenset[str]:
    """The scopes that the caller's keys may have: its own and what these contain; an operator's, all."""
    if caller.operator:
        return frozenset(SCOPES)
    return contained(caller.scopes)


def refuse_scopes(caller: Caller, scopes: Iterable[str]) -> None:
    """Raises HttpRefusal (403) where a key of these scopes could do what the caller cannot."""
    if lacking := sorted(set(scopes) - grantable(caller)):
        raise forbidden(
            f"{caller.by} lacks {', '.join(lacking)}, so it gives that to nobody: an operator does, "
            "or a key that has it beside admin"
        )


def refuse_lasting(caller: Caller, expires_at: datetime | None) -> None:
    """Raises HttpRefusal (403) for a key that would outlive the one that makes it."""
    if caller.expires_at is not None and (expires_at is None or expires_at > caller.expires_at):
        raise forbidden(f"{caller.by} ends {caller.expires_at:%Y-%m-%d %H:%M}Z: what it makes ends before")


def refuse_trust(caller: Caller, *, asked: bool) -> None:
    """Raises HttpRefusal (403) where not an operator gives what only operators decide."""
    if asked and not caller.operator:
        raise forbidden(
            "only an operator lets a key report its own costs or says how much it may send: these are "
            "not the tenant's to decide"
        )


def last_admin(whose: str, instead: str) -> HttpRefusal:
    """409: nobody could undo it."""
    return HttpRefusal(409, "The last one", f"{whose} is the tenant's last with the scope admin: {instead}")
