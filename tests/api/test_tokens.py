"""A token proves a person only by its issuer's signature, for us, now: whatever else is tried is refused."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import warnings
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from services.api.access import issuers as issuers_module
from services.api.access.issuers import AGAIN_S, KEYS_S, Endpoints, IssuerAway, Issuers
from services.api.access.tokens import ALGORITHMS, BadToken, keys_of_set, trusted_of, unverified, verified
from spendmeter.platform.trusted_issuers import TrustedIssuer, read_issuers

NOW = 1_795_000_000
OURS = TrustedIssuer(tenant="acme", issuer="https://login.example", audience="spendmeter-acme")
CLAIMS = {"iss": OURS.issuer, "aud": OURS.audience, "sub": "00u1", "iat": NOW - 60, "exp": NOW + 600}
RSA = RSAKey.generate_key(2048, {"kid": "r1", "use": "sig"})
EC = ECKey.generate_key("P-256", {"kid": "e1", "use": "sig"})
OTHERS = {
    "ES384": ECKey.generate_key("P-384", {"kid": "e2"}),
    "ES512": ECKey.generate_key("P-521", {"kid": "e3"}),
    "EdDSA": OKPKey.generate_key("Ed25519", {"kid": "o1", "use": "sig", "alg": "EdDSA"}),
    "Ed25519": OKPKey.generate_key("Ed25519", {"kid": "o2"}),
    "Ed448": OKPKey.generate_key("Ed448", {"kid": "o3"}),
}
STRANGER = RSAKey.generate_key(2048, {"kid": "r1", "use": "sig"})
PUBLISHED = {"keys": [key.as_dict(private=False) for key in (RSA, EC, *OTHERS.values())]}
KEYS = keys_of_set(PUBLISHED)


def token(key: Any = RSA, alg: str = "RS256", *, header: dict[str, Any] | None = None, **claims: Any) -> str:
    stated = {name: value for name, value in (CLAIMS | claims).items() if value is not None}
    return jwt.encode({"alg": alg, "kid": key.kid, **(header or {})}, stated, key, algorithms=[alg])


def raw(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    return f"{part(json.dumps(header).encode())}.{part(json.dumps(claims).encode())}.{part(signature)}"


@pytest.mark.parametrize(
    ("key", "alg"),
    [
        *((RSA, alg) for alg in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
        (EC, "ES256"),
        *((key, alg) for alg, key in OTHERS.items()),
        (OTHERS["Ed448"], "EdDSA"),
    ],
    ids=lambda each: getattr(each, "kid", each),
)
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_a_good_token_is_of_whom_it_says(key: Any, alg: str) -> None:
    good = token(key, alg)
    with warnings.catch_warnings(action="error"):
        assert verified(good, KEYS, OURS, NOW) == "00u1"
    assert trusted_of(unverified(good)[1], [OURS]) == OURS


def test_one_without_a_kid_needs_the_only_key() -> None:
    lone = {"r1": KEYS["r1"]}
    unnamed = jwt.encode({"alg": "RS256"}, CLAIMS, RSA, algorithms=["RS256"])
    assert verified(unnamed, lone, OURS, NOW) == "00u1"
    with pytest.raises(BadToken):
        verified(unnamed, KEYS, OURS, NOW)


def test_no_signature_is_none() -> None:
    for alg in ("none", "None", "NONE", ""):
        with pytest.raises(BadToken):
            verified(raw({"alg": alg, "kid": "r1"}, CLAIMS), KEYS, OURS, NOW)


def test_a_public_key_is_no_secret_to_sign_with() -> None:
    for alg, digest in (("HS256", hashlib.sha256), ("HS512", hashlib.sha512)):
        for secret in (RSA.as_pem(private=False), RSA.as_der(private=False), json.dumps(PUBLISHED).encode()):
            unsigned = raw({"alg": alg, "kid": "r1"}, CLAIMS).rsplit(".", 1)[0]
            mac = hmac.new(secret, unsigned.encode(), digest).digest()
            forged = unsigned + "." + base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
            with pytest.raises(BadToken):
                verified(forged, KEYS, OURS, NOW)
    assert not any(alg.startswith("HS") for alg in ALGORITHMS)


def test_a_signature_of_another_kind_than_the_issuers_key_is_for_is_refused() -> None:
    bound = RSA.as_dict(private=False) | {"alg": "RS256"}
    assert verified(token(), keys_of_set({"keys": [bound]}), OURS, NOW) == "00u1"
    with pytest.raises(BadToken, match="not signed by its issuer"):
        verified(token(RSA, "PS256"), keys_of_set({"keys": [bound]}), OURS, NOW)
    for key, alg in ((EC, "ES384"), (RSA, "EdDSA"), (OTHERS["EdDSA"], "Ed25519"), (OTHERS["EdDSA"], "RS256")):
        with pytest.raises(BadToken, match="not signed by its issuer"):
            verified(raw({"alg": alg, "kid": key.kid}, CLAIMS, bytes(64)), KEYS, OURS, NOW)
    known = ECKey.generate_key("secp256k1", {"kid": "k"}), OKPKey.generate_key("X25519", {"kid": "x"})
    assert keys_of_set({"keys": [key.as_dict(private=False) for key in known]}) == {}


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_a_secret_that_an_issuer_publishes_proves_nothing() -> None:
    secret = OctKey.generate_key(256, {"kid": "s1"})
    short = RSAKey.generate_key(1024, {"kid": "weak"}).as_dict(private=False)
    other_use = RSA.as_dict(private=False) | {"kid": "enc1", "use": "enc"}
    assert (
        keys_of_set({"keys": [secret.as_dict(private=True), short, other_use, {"kty": "?"}, 7, None]}) == {}
    )
    for wrong in ([], {"keys": {}}, None, "keys"):
        with pytest.raises(ValueError, match="set of keys"):
            keys_of_set(wrong)


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"iss": "https://login.example.evil"}, "somebody else"),
        ({"iss": "https://login.example/"}, "somebody else"),
        ({"aud": "spendmeter-globex"}, "somebody else"),
        ({"aud": ["spendmeter-acme", "another"]}, "given to somebody else"),
        ({"aud": ["spendmeter-acme", "another"], "azp": "another"}, "given to somebody else"),
        ({"azp": "another"}, "given to somebody else"),
        ({"exp": NOW - 31}, "over"),
        ({"iat": NOW + 31}, "future"),
        ({"nbf": NOW + 31}, "future"),
        ({"exp": NOW + 25 * 3600}, "longer"),
        ({"sub": ""}, "nobody"),
        ({"sub": "x" * 256}, "nobody"),
        ({"exp": None}, "no signed token"),
        ({"iat": None}, "no signed token"),
        ({"aud": None}, "no signed token"),
        ({"sub": 7}, "no signed token"),
        ({"exp": "tomorrow"}, "no signed token"),
    ],
)
def test_a_signed_token_that_is_not_for_us_and_now_is_refused(claims: dict[str, Any], why: str) -> None:
    with pytest.raises(BadToken, match=why):
        verified(token(**claims), KEYS, OURS, NOW)


def test_another_key_under_a_known_name_and_an_unknown_name_are_refused() -> None:
    with pytest.raises(BadToken, match="not signed by its issuer"):
        verified(token(STRANGER), KEYS, OURS, NOW)
    with pytest.raises(BadToken, match="does not publish"):
        verified(token(header={"kid": "r2"}), KEYS, OURS, NOW)
    with pytest.raises(BadToken, match="not signed"):
        verified(token(header={"kid": "e1"}), KEYS, OURS, NOW)


@pytest.mark.parametrize(
    "header", [{"jwk": STRANGER.as_dict(private=False)}, {"jku": "https://evil.example/jwks"}]
)
def test_a_key_that_the_token_brings_along_is_not_used(header: dict[str, Any]) -> None:
    with pytest.raises(BadToken):
        verified(token(STRANGER, header=header), KEYS, OURS, NOW)


@pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt", "application/at+jwt"])
def test_tokens_of_people_have_these_types(typ: str) -> None:
    assert verified(token(header={"typ": typ}), KEYS, OURS, NOW) == "00u1"


@pytest.mark.parametrize("typ", ["logout+jwt", "secevent+jwt", "dpop+jwt", "JWE", ""])
def test_what_else_an_issuer_signs_for_us_logs_nobody_in(typ: str) -> None:
    with pytest.raises(BadToken, match="another type"):
        verified(token(header={"typ": typ}), KEYS, OURS, NOW)
    over = {"http://schemas.openid.net/event/backchannel-logout": {}}
    with pytest.raises(BadToken, match="stands for nobody"):
        verified(token(events=over), KEYS, OURS, NOW)


def test_what_must_be_understood_and_is_not_is_refused() -> None:
    for said in (
        {"crit": ["exp"], "exp": 1},
        {"crit": ["alg"]},
        {"crit": []},
        {"crit": ["b64"], "b64": False},
    ):
        head = {"alg": "RS256", "kid": "r1", **said}
        unsigned = raw(head, CLAIMS).rsplit(".", 1)[0].encode()
        proof = RSA.get_op_key("sign").sign(unsigned, padding.PKCS1v15(), hashes.SHA256())
        signed = unsigned.decode() + "." + base64.urlsafe_b64encode(proof).rstrip(b"=").decode()
        with pytest.raises(BadToken, match="understood"):
            verified(signed, KEYS, OURS, NOW)


def test_a_token_in_a_token_is_refused() -> None:
    inner = token()
    part = base64.urlsafe_b64encode(json.dumps(inner).encode()).rstrip(b"=").decode()
    head = raw({"alg": "RS256", "kid": "r1", "cty": "JWT"}, {}).split(".", 1)[0]
    proof = RSA.get_op_key("sign").sign(f"{head}.{part}".encode(), padding.PKCS1v15(), hashes.SHA256())
    nested = f"{head}.{part}." + base64.urlsafe_b64encode(proof).rstrip(b"=").decode()
    with pytest.raises(BadToken, match="no signed token"):
        verified(nested, KEYS, OURS, NOW)


def test_an_answer_to_another_log_in_is_refused() -> None:
    assert verified(token(nonce="n1"), KEYS, OURS, NOW, nonce="n1") == "00u1"
    for said in ({"nonce": "n2"}, {}):
        with pytest.raises(BadToken, match="another log-in"):
            verified(token(**said), KEYS, OURS, NOW, nonce="n1")


@pytest.mark.parametrize(
    "text", ["", "a.b", "a.b.c.d", "..", "é.b.c", "x" * 10_000, "sm_live_k1_x", "e30.e30.e30"]
)
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(BadToken):
        verified(text, KEYS, OURS, NOW)


def test_a_changed_letter_anywhere_is_refused() -> None:
    good = token()
    for place in range(0, len(good), 7):
        changed = good[:place] + ("A" if good[place] != "A" else "B") + good[place + 1 :]
        with pytest.raises(BadToken):
            verified(changed, KEYS, OURS, NOW)


def test_tenants_are_pinned_to_an_issuer_and_an_audience() -> None:
    stated = [
        {"tenant": "acme", "issuer": "https://login.example", "audience": "a"},
        {"tenant": "globex", "issuer": "https://login.example", "audience": "g"},
    ]
    both = read_issuers(json.dumps(stated))
    assert trusted_of(unverified(token(aud="g"))[1], both).tenant == "globex"
    assert trusted_of(unverified(token(aud="a", tenant="globex"))[1], both).tenant == "acme"
    with pytest.raises(BadToken):
        trusted_of(unverified(token(aud="x"))[1], both)
    for wrong in (
        [*stated, {"tenant": "initech", "issuer": "https://login.example", "audience": "a"}],
        [{"tenant": "A B", "issuer": "https://login.example", "audience": "a"}],
        [{"tenant": "acme", "issuer": "login.example", "audience": "a"}],
        [{"tenant": "acme", "issuer": "https://login.example"}],
    ):
        with pytest.raises(ValueError, match=r"."):
            read_issuers(json.dumps(wrong))


@pytest.mark.parametrize("name", ["client-secret", "clientSecret", "tenant", "issuer"])
def test_what_is_wrong_about_an_issuer_is_said_without_its_secret(name: str) -> None:
    stated = {"tenant": "acme", "issuer": "https://login.example", "audience": "a"} | {name: "s3cr3t Value"}
    with pytest.raises(ValueError, match=name) as wrong:
        read_issuers(json.dumps([stated]))
    assert "s3cr3t" not in str(wrong.value)


async def test_nobody_waits_for_an_issuer_that_takes_its_time_while_its_older_keys_do() -> None:
    now, answers = [1_000.0], asyncio.Event()
    answers.set()
    issuers = Issuers([OURS], clock=lambda: now[0])
    asked = 0

    async def read(issuer: str) -> Any:
        nonlocal asked
        asked += 1
        await answers.wait()
        return Endpoints(issuer=issuer, jwks_uri=""), KEYS

    issuers._read = read  # type: ignore[method-assign]
    assert await asyncio.gather(*(issuers.person_of(token(), NOW) for _ in range(3))) == [(OURS, "00u1")] * 3
    assert asked == 1, "who has nothing yet waits for the one who asks"
    answers.clear()
    now[0] += AGAIN_S + 1
    stranger = asyncio.create_task(issuers.person_of(token(header={"kid": "made up"}), NOW))
    await asyncio.sleep(0)
    assert await asyncio.wait_for(issuers.person_of(token(), NOW), 1) == (OURS, "00u1")
    now[0] += KEYS_S
    assert await asyncio.wait_for(issuers.person_of(token(), NOW), 1) == (OURS, "00u1")
    assert (asked, stranger.done()) == (2, False)
    answers.set()
    with pytest.raises(BadToken, match="does not publish"):
        await stranger


async def test_an_issuer_that_never_answers_is_waited_for_so_long_and_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(issuers_module, "READ_S_MAX", 0.05)
    issuers = Issuers([OURS])

    async def read(issuer: str) -> Any:
        await asyncio.Event().wait()

    issuers._read = read  # type: ignore[method-assign]
    for _ in range(2):
        with pytest.raises(IssuerAway):
            await asyncio.wait_for(issuers.person_of(token(), NOW), 5)
