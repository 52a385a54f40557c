"""Whose word counts for who a person is: issuers of tokens (OpenID Connect), each pinned to one tenant."""

import json
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from spendmeter.platform.keys import TENANT_PATTERN


class TrustedIssuer(BaseModel):
    """An operator's word: tokens of this issuer for this audience are of people of this tenant. A claim says
    neither tenant nor role."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    """What is wrong is said without what was there: under a name with a typing error it may be the secret."""

    tenant: str
    issuer: str = Field(min_length=9, max_length=500, pattern=r"^https?://[^\s?#]+$")
    """`iss` of its tokens, to the letter; its keys are found at /.well-known/openid-configuration."""
    audience: str = Field(min_length=1, max_length=255)
    """`aud` of its tokens: what the issuer calls this installation for this tenant (its client id)."""
    client_secret: SecretStr = SecretStr("")
    """For issuers that want one beside PKCE when people log in."""

    @field_validator("tenant")
    @classmethod
    def _a_tenant(cls, tenant: str) -> str:
        if not TENANT_PATTERN.fullmatch(tenant):
            raise ValueError("lower-case letters, digits and hyphens")
        return tenant


def read_issuers(text: str) -> tuple[TrustedIssuer, ...]:
    """SPENDMETER_ISSUERS: a JSON list of {tenant, issuer, audience, client_secret}. Raises ValueError, also
    for one issuer and audience that mean two tenants."""
    issuers = tuple(TrustedIssuer(**stated) for stated in json.loads(text or "[]"))
    _refuse_two_tenants(issuers)
    return issuers


def _refuse_two_tenants(issuers: Iterable[TrustedIssuer]) -> None:
    met = set()
    for each in issuers:
        if (each.issuer, each.audience) in met:
            raise ValueError(f"{each.issuer} with audience {each.audience!r} is there twice")
        met.add((each.issuer, each.audience))
