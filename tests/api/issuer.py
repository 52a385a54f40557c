"""An issuer of tokens on a real socket: OpenID Connect as far as a code flow with PKCE needs it, and what a bad
one does."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey


class Issuer(ThreadingHTTPServer):
    """`codes`: given out, each good once; `asked`: the paths, in order; `odd`: what is wrong with it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.keys = [RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})]
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []
        self.odd: dict[str, Any] = {}
        self.secret = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def rotate(self) -> None:
        self.keys = [RSAKey.generate_key(2048, {"kid": f"k{len(self.asked) + 2}", "use": "sig"})]

    def token(self, key: RSAKey | None = None, **claims: Any) -> str:
        now = int(time.time())
        said = {"iss": self.url, "aud": "spendmeter", "sub": "00u1", "iat": now, "exp": now + 600} | claims
        key = key or self.keys[0]
        return jwt.encode({"alg": "RS256", "kid": key.kid}, said, key, algorithms=["RS256"])

    def logs_in(self, address: str, subject: str = "00u1") -> str:
        """What a browser is sent back to, after somebody logged in at `address`."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = hashlib.sha256(f"{asked['state']}{subject}{len(self.codes)}".encode()).hexdigest()
        self.codes[code] = asked | {"sub": subject}
        return f"{asked['redirect_uri']}?code={code}&state={asked['state']}"

    def exchanged(self, form: dict[str, str]) -> dict[str, Any] | None:
        asked = self.codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if (
            asked is None
            or challenge.decode().rstrip("=") != asked["code_challenge"]
            or form["redirect_uri"] != asked["redirect_uri"]
            or form["client_id"] != asked["client_id"]
            or form.get("client_secret", "") != self.secret
        ):
            return None
        claims = {"nonce": asked["nonce"], "sub": asked["sub"], "aud": asked["client_id"]}
        return {"id_token": self.token(**claims | self.odd.get("claims", {})), "access_token": "opaque"}


class _Handler(BaseHTTPRequestHandler):
    server: Issuer

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path == "/.well-known/openid-configuration":
            url = self.server.url
            self._answer(
                200,
                {
                    "issuer": url, "jwks_uri": f"{url}/keys", "authorization_endpoint": f"{url}/authorize",
                    "token_endpoint": f"{url}/token",
                } | self.server.odd.get("says", {}),
            )  # fmt: skip
        elif self.path.startswith("/authorize?"):  # whoever comes is let in at once, and sent back
            self.send_response(302)
            self.send_header("location", self.server.logs_in(self.path))
            self.send_header("content-length", "0")
            self.end_headers()
        elif self.path == "/keys" and not self.server.odd.get("down"):
            self._answer(200, {"keys": [key.as_dict(private=False) for key in self.server.keys]})
        else:
            self._answer(503, {})

    def do_POST(self) -> None:
        self.server.asked.append(self.path)
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        given = self.server.exchanged({name: values[0] for name, values in parse_qs(body).items()})
        self._answer(200, given) if given else self._answer(400, {"error": "invalid_grant"})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        pieces = 3 if self.server.odd.get("drips") else 1
        size = -(-len(content) // pieces)
        for start in range(0, len(content), size):
            self.wfile.write(content[start : start + size])
            time.sleep(0.05 * (pieces > 1))

    def log_message(self, *_: object) -> None:
        pass
