"""The issuers that operators pinned: where they say their keys are, and the keys, kept for a minute."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from services.api.access.tokens import PublicKey, keys_of_set, trusted_of, unverified, verified
from spendmeter.platform.fetch import FetchError, FileFetcher
from spendmeter.platform.trusted_issuers import TrustedIssuer

KEYS_S = 60.0
"""How long keys are kept: one that an issuer withdraws opens for so long still."""
AGAIN_S = 30.0
"""A kid that nobody knows may be new: the keys are read again, once in so long, whoever asks."""
STALE_S_MAX = 3600.0
"""Keys of an issuer that cannot be reached serve for so long, as its tokens do."""
BYTES_MAX = 256 * 1024
SECONDS_MAX = 5.0
"""Of one request of ours to it."""
READ_S_MAX = 10.0
"""Of all of them that its keys take."""
UNLESS = "SPENDMETER_ISSUERS_ALLOW_PRIVATE lets it"


class IssuerAway(Exception):
    """The issuer's keys cannot be had; the message says why, for the log and for operators."""


class Endpoints(msgspec.Struct, frozen=True):
    """What an issuer says of itself (OpenID Connect Discovery)."""

    issuer: str
    jwks_uri: str
    authorization_endpoint: str = ""
    token_endpoint: str = ""


@dataclass
class _Known:
    endpoints: Endpoints | None = None
    keys: Mapping[str, PublicKey] = field(default_factory=dict, repr=False)
    read_at_s: float = float("-inf")
    tried_at_s: float = float("-inf")
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)


class Issuers:
    """Answers whose a token is. Nothing that a token says makes us call anybody but its pinned issuer."""

    def __init__(
        self,
        trusted: Sequence[TrustedIssuer],
        *,
        allow_private: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.trusted = tuple(trusted)
        self._clock = clock
        self._known = {each.issuer: _Known() for each in trusted}
        self._fetcher = FileFetcher(
            bytes_max=BYTES_MAX, seconds_max=SECONDS_MAX, allow_private=allow_private, unless=UNLESS
        )

    async def person_of(self, token: str, now_s: float) -> tuple[TrustedIssuer, str]:
        """Of which tenant it is, and whom it is about. Raises BadToken and IssuerAway."""
        _, claims = unverified(token)
        trusted = trusted_of(claims, self.trusted)
        return trusted, await self.subject_of(token, trusted, now_s)

    async def subject_of(
        self, token: str, trusted: TrustedIssuer, now_s: float, nonce: str | None = None
    ) -> str:
        """Whom a token of this issuer is about. Raises BadToken and IssuerAway."""
        head, _ = unverified(token)
        known = await self._fresh(trusted.issuer, KEYS_S)
        if head.kid not in known.keys:
            known = await self._fresh(trusted.issuer, AGAIN_S)
        return verified(token, known.keys, trusted, now_s, nonce)

    async def endpoints_of(self, trusted: TrustedIssuer) -> Endpoints:
        """Where it logs people in. Raises IssuerAway."""
        known = await self._fresh(trusted.issuer, KEYS_S)
        if known.endpoints is None:
            raise IssuerAway(f"{trusted.issuer} does not say where people log in")
        return known.endpoints

    async def _fresh(self, issuer: str, age_s_max: float) -> _Known:
        """Its keys, not older than that, if it can be reached; it is asked at most once in AGAIN_S, also when
        it does not answer. While it is asked, whoever can do with older ones does not wait for it."""
        known = self._known[issuer]
        age_s = self._clock() - known.read_at_s
        if age_s <= age_s_max or (known.reading.locked() and age_s_max >= KEYS_S and age_s <= STALE_S_MAX):
            return known
        async with known.reading:
            now_s = self._clock()
            if now_s - known.read_at_s > age_s_max and now_s - known.tried_at_s > AGAIN_S:
                known.tried_at_s = now_s
                await self._renew(issuer, known)
        if self._clock() - known.read_at_s > STALE_S_MAX:
            raise IssuerAway(f"the keys of {issuer} could not be had a moment ago")
        return known

    async def _renew(self, issuer: str, known: _Known) -> None:
        try:
            async with asyncio.timeout(READ_S_MAX):
                endpoints, keys = await self._read(issuer)
        except (FetchError, ValueError, TimeoutError, msgspec.MsgspecError) as error:
            if known.tried_at_s - known.read_at_s > STALE_S_MAX:
                known.keys = {}
                raise IssuerAway(f"the keys of {issuer} cannot be had: {error}") from None
        else:
            known.endpoints, known.keys, known.read_at_s = endpoints, keys, known.tried_at_s

    async def _read(self, issuer: str) -> tuple[Endpoints, dict[str, PublicKey]]:
        said = await self._fetcher.fetch(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        endpoints = msgspec.json.decode(said.content or b"", type=Endpoints)
        if endpoints.issuer != issuer:
            raise ValueError("it says that it is another issuer")
        published = await self._fetcher.fetch(endpoints.jwks_uri)
        return endpoints, keys_of_set(msgspec.json.decode(published.content or b""))
