"""One connection to the server, kept open, and made anew where it broke. Proxies as the environment says."""

from __future__ import annotations

import base64
import codecs
import contextlib
import gzip
import http.client
import ssl
import urllib.request
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

ANSWER_BYTES_MAX = 1024 * 1024
GZIP_BYTES_MIN = 1024
GZIP_LEVEL = 4
codecs.lookup(
    "idna"
)  # socket's first look at a host name imports it: a fork meanwhile would leave it locked for ever


class Answer(NamedTuple):
    """What the server said."""

    status: int
    retry_after: str
    body: bytes
    unknown: str = ""
    """Names of fields that the server does not know, and of which it kept nothing."""


class Unreachable(Exception):
    """There was no answer: whether the server has what was sent is unknown."""


class Wire:
    """Not for several threads at once. Raises ValueError for an address that is no http(s) URL."""

    def __init__(self, url: str, key: str, *, timeout_s: float) -> None:
        self._url = urlsplit(url)
        if self._url.scheme not in ("http", "https") or not self._url.hostname:
            raise ValueError("the address must begin with http:// or https://, and name a host")
        if not key.isascii() or not key.isprintable():
            raise ValueError("the key has characters that no key has")
        self._port = self._url.port  # raises ValueError, too
        self._headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "User-Agent": "spendmeter-client",
        }
        self._timeout_s = timeout_s
        self._connection: http.client.HTTPConnection | None = None
        self._prefix = ""
        """What stands before the path: of a plain proxy the whole address."""

    def post(self, path: str, body: bytes) -> Answer:
        """Raises Unreachable. A kept connection that the server has closed meanwhile is no trouble."""
        headers = {}
        if len(body) >= GZIP_BYTES_MIN:
            body = gzip.compress(body, GZIP_LEVEL, mtime=0)
            headers["Content-Encoding"] = "gzip"
        if self._connection is not None:
            with contextlib.suppress(Unreachable):
                return self._post(path, body, headers)
        return self._post(path, body, headers)

    def close(self) -> None:
        """Also in a forked child: its parent's connection stays open."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        try:
            if self._connection is None:
                self._connection = self._connect()
            where = self._prefix + self._url.path.rstrip("/") + path
            self._connection.request("POST", where, body, self._headers | headers)
            answer = self._connection.getresponse()
            said = answer.read(ANSWER_BYTES_MAX)
            if not answer.isclosed():
                self.close()  # it says more than anybody reads
            retry_after, unknown = answer.getheader("Retry-After"), answer.getheader("Spendmeter-Dropped")
            return Answer(answer.status, retry_after or "", said, unknown or "")
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unreachable(type(error).__name__) from error

    def _connect(self) -> http.client.HTTPConnection:
        host = self._url.hostname or ""
        proxy = self._proxy(host)
        address = (proxy.hostname or "", proxy.port or 80) if proxy else (host, self._port)
        if self._url.scheme == "http":
            if proxy:
                self._prefix = f"http://{self._url.netloc.rpartition('@')[2]}"
                self._headers |= _authorization(proxy.username, proxy.password)
            return http.client.HTTPConnection(*address, timeout=self._timeout_s)
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(*address, timeout=self._timeout_s, context=context)
        if proxy:
            connection.set_tunnel(host, self._port or 443, _authorization(proxy.username, proxy.password))
        return connection

    def _proxy(self, host: str) -> urllib.parse.SplitResult | None:
        named = urllib.request.getproxies().get(self._url.scheme)
        if not named or urllib.request.proxy_bypass(host):
            return None
        return urlsplit(named if "//" in named else f"//{named}")


def _authorization(user: str | None, password: str | None) -> dict[str, str]:
    if not user:
        return {}
    said = f"{unquote(user)}:{unquote(password or '')}".encode()
    return {"Proxy-Authorization": f"Basic {base64.b64encode(said).decode()}"}
