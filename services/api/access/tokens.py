"""A person's token, checked against the keys of the issuer that it must come from. Pure: the time comes in.

What a token says of itself chooses among what operators pinned, and never more: not the algorithm beyond a
list, no key by address or value, no tenant, no role.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode

from spendmeter.platform.trusted_issuers import TrustedIssuer

ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519", "Ed448"),
)
"""Signatures whose keys anybody may know: none that is made with a secret, and not "none". What a key proves
its kind says, its curve, and `alg` where the issuer publishes that with it."""
CURVES = ("P-256", "P-384", "P-521", "Ed25519", "Ed448")
TYPES = ("jwt", "at+jwt")
"""Of a person's tokens. What else an issuer signs for the same audience logs nobody in: a notice that a
session is over (logout+jwt) names its subject, too."""
TOKEN_CHARACTERS_MAX = 8_192
LEEWAY_S = 30
LIFETIME_S_MAX = 24 * 3600
"""A token that lasts longer is a key without the care that keys get."""
RSA_BITS_MIN = 2_048
KEYS_MAX = 50

PublicKey: TypeAlias = RSAKey | ECKey | OKPKey


class BadToken(Exception):
    """The token is none of ours, or not any more; the message says which rule, and nothing that it holds."""


class TokenHead(msgspec.Struct, frozen=True):
    """Its header, as far as it chooses a key or says what the token is."""

    alg: str
    kid: str = ""
    typ: str = "JWT"
    crit: Any = None


class TokenClaims(msgspec.Struct, frozen=True):
    """What it claims, as far as we look at it."""

    iss: str
    sub: str
    aud: str | list[str]
    exp: float
    iat: float
    nbf: float = 0
    azp: str | None = None
    nonce: str = ""
    events: Any = None

    @property
    def audiences(self) -> list[str]:
        return [self.aud] if isinstance(self.aud, str) else self.aud


class _Registry(JWSRegistry):
    max_header_length = 4_096

    def get_alg(self, name: str) -> Any:
        """Without the library's warning, at each token, that EdDSA is called Ed25519 now (RFC 9864)."""
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError(name)
        return self.algorithms[name]


def unverified(token: str) -> tuple[TokenHead, TokenClaims]:
    """What a token says before anything is proven: to look up whose keys must prove it. Raises BadToken."""
    parts = token.split(".")
    if len(token) > TOKEN_CHARACTERS_MAX or len(parts) != 3:
        raise BadToken("is no signed token")
    try:
        head, claims = (urlsafe_b64decode(part.encode("ascii")) for part in parts[:2])
        return msgspec.json.decode(head, type=TokenHead), msgspec.json.decode(claims, type=TokenClaims)
    except (ValueError, msgspec.MsgspecError):
        raise BadToken("is no signed token with iss, sub, aud, exp and iat") from None


def trusted_of(claims: TokenClaims, trusted: Iterable[TrustedIssuer]) -> TrustedIssuer:
    """Which of the pinned it must come from. Raises BadToken."""
    for each in trusted:
        if each.issuer == claims.iss and each.audience in claims.audiences:
            return each
    raise BadToken("comes from no issuer for an audience that this installation trusts")


def verified(
    token: str, keys: Mapping[str, PublicKey], trusted: TrustedIssuer, now_s: float, nonce: str | None = None
) -> str:
    """The subject, of a token that one of `keys` (by kid) signed for `trusted`, and that is neither over nor
    of the future. `nonce`: of a log-in, what we gave it. Raises BadToken."""
    head, claims = unverified(token)
    if head.alg not in ALGORITHMS:
        raise BadToken(f"is signed in another way than {', '.join(ALGORITHMS)}")
    if head.typ.lower().removeprefix("application/") not in TYPES:
        raise BadToken(f"is of another type than {', '.join(TYPES)}")
    if head.crit is not None:
        raise BadToken("says in its header what must be understood, and is not")
    key = keys.get(head.kid) or (next(iter(keys.values())) if not head.kid and len(keys) == 1 else None)
    if key is None:
        raise BadToken("names a key that its issuer does not publish")
    try:
        jwt.decode(token, key, registry=_Registry(strict_check_header=False))
    except (JoseError, ValueError, TypeError):
        raise BadToken("is not signed by its issuer") from None
    _check(claims, trusted, now_s, nonce)
    return claims.sub


def _check(claims: TokenClaims, trusted: TrustedIssuer, now_s: float, nonce: str | None) -> None:
    if claims.iss != trusted.issuer or trusted.audience not in claims.audiences:
        raise BadToken("is for somebody else")
    if (len(claims.audiences) > 1 or claims.azp is not None) and claims.azp != trusted.audience:
        raise BadToken("was given to somebody else")
    if claims.exp <= now_s - LEEWAY_S:
        raise BadToken("is over")
    if max(claims.iat, claims.nbf) > now_s + LEEWAY_S:
        raise BadToken("is of the future")
    if claims.exp - claims.iat > LIFETIME_S_MAX:
        raise BadToken(f"lasts longer than {LIFETIME_S_MAX // 3600} hours")
    if nonce is not None and claims.nonce != nonce:
        raise BadToken("answers another log-in")
    if claims.events is not None:  # a notice of the issuer's that does not say its type
        raise BadToken("tells of something, and stands for nobody")
    if not 1 <= len(claims.sub) <= 255:
        raise BadToken("names nobody")


def keys_of_set(published: Any) -> dict[str, PublicKey]:
    """By kid the keys of a published set that can prove a signature; others are left out: secrets, short
    ones, those for encryption, shapes and curves that nobody knows. Raises ValueError for what is no set."""
    stated = published.get("keys") if isinstance(published, dict) else None
    if not isinstance(stated, list):
        raise ValueError("is no set of keys")  # noqa: TRY004 (somebody else's text, not our caller's mistake)
    keys: dict[str, PublicKey] = {}
    for each in stated[:KEYS_MAX]:
        key = _key(each)
        if key is not None:
            keys[each.get("kid", "")] = key
    return keys


def _key(stated: Any) -> PublicKey | None:
    if not isinstance(stated, dict) or stated.get("use", "sig") != "sig":
        return None
    if not isinstance(stated.get("kid", ""), str):
        return None
    try:
        key = JWKRegistry.import_key(stated)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    if isinstance(key, RSAKey):
        return key if key.raw_value.key_size >= RSA_BITS_MIN else None
    return key if isinstance(key, ECKey | OKPKey) and key.curve_name in CURVES else None
