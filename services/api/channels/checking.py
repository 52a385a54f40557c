"""What a channel is set to, held against the rules by which it will be told: the same words as delivery's."""

import asyncio
import secrets
from base64 import b64encode
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from services.api.database.transactions import TenantConnection
from services.api.dimensions.names import known_dimensions
from services.api.http.problems import invalid
from spendmeter.contracts.channels import (
    ChannelKind,
    ChannelSettings,
    ChannelSettingsError,
    carried_off,
    decode_settings,
    encode_settings,
)
from spendmeter.contracts.routes import RouteError, match_of, quiet_of
from spendmeter.platform.public_addresses import ForbiddenAddressError, resolve_public
from spendmeter.platform.webhooks import UNLESS, check_addresses

SECRET_BYTES = 32
RESOLVE_S_MAX = 2
"""A name that is not resolved by then is taken: delivery checks again whatever it resolves to."""


def new_secret() -> str:
    """What signs a webhook's messages."""
    return "whsec_" + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


async def checked_settings(
    kind: ChannelKind, stated: Mapping[str, Any], *, allow_private: bool, field: str = "settings"
) -> dict[str, Any]:
    """The settings as they are stored. Raises HttpRefusal (422) for what delivery would refuse, too."""
    if stated.get("kind", kind) != kind:
        raise invalid(f"{field}.kind", f"is {kind}: another kind is another channel")
    try:
        settings = decode_settings(msgspec.json.encode({**stated, "kind": kind}))
        check_addresses(settings, allow_private=allow_private)
        if not allow_private:
            await _check_names(settings)
    except ForbiddenAddressError as error:
        raise invalid(field, error.strerror or "is not a public address") from None
    except (ChannelSettingsError, ValueError) as error:
        raise invalid(field, str(error)) from None
    columns: dict[str, Any] = msgspec.json.decode(encode_settings(settings))
    return columns


def check_secrets_stay(before: Mapping[str, Any], after: Mapping[str, Any], stated: Collection[str]) -> None:
    """Raises HttpRefusal (422) for another url that a secret would be sent to without being stated again."""
    old, new = (decode_settings(msgspec.json.encode(each)) for each in (before, after))
    if name := carried_off(old, new, stated):
        raise invalid(f"settings.{name}", "must be stated again with another url: it would be sent there")


async def check_routes(
    connection: TenantConnection, match: Mapping[str, Any] | None, quiet: Sequence[Mapping[str, Any]] | None
) -> None:
    """Raises HttpRefusal (422) for what routes nothing: an unknown dimension, hours that never end."""
    try:
        scope = match_of(match or {}).scope
    except RouteError as error:
        raise invalid("match", str(error)) from None
    known = await known_dimensions(connection, scope)
    if unknown := sorted(scope.keys() - set(known)):
        raise invalid("match", f"scope: {unknown[0]!r:.64} is not one of {', '.join(known)}")
    try:
        quiet_of(quiet or ())
    except RouteError as error:
        raise invalid("quiet", str(error)) from None


async def _check_names(settings: ChannelSettings) -> None:
    """What a host's name leads to now; raises ForbiddenAddressError."""
    try:
        async with asyncio.timeout(RESOLVE_S_MAX):
            for address in settings.addresses:
                await resolve_public(urlsplit(address).hostname or "", unless=UNLESS)
    except ForbiddenAddressError:
        raise
    except OSError:
        return  # not resolved (yet, or by us): delivery will say so
