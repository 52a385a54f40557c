"""The portal's files and the libraries they use: from this folder and from installed packages, never copied.

Each is read and compressed once, then answered with an ETag that lets a browser keep it.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.api.http.problems import not_found

PORTAL = Path(__file__).with_name("static")
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_COMPRESSED_FROM_BYTES = 1024

router = APIRouter(include_in_schema=False)


def _package_file(package: str, *path: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.origin is not None, f"{package} is locked in requirements.lock"
    return Path(spec.origin).parent.joinpath(*path)


LIBRARIES: Mapping[str, tuple[str, ...]] = {
    "plotly.js": ("plotly", "package_data", "plotly.min.js"),
    "swagger-ui.js": ("fastapi_offline", "static", "swagger-ui-bundle.js"),
    "swagger-ui.css": ("fastapi_offline", "static", "swagger-ui.css"),
}


@dataclass(frozen=True, kw_only=True)
class Asset:
    """A file as it is sent."""

    media_type: str
    body: bytes
    zipped: bytes
    etag: str


@lru_cache(maxsize=64)
def read_asset(path: Path) -> Asset:
    """Read and compress `path`. Raises OSError."""
    body = path.read_bytes()
    return Asset(
        media_type=mimetypes.types_map.get(path.suffix, "application/octet-stream"),
        body=body,
        zipped=gzip.compress(body, 6, mtime=0) if len(body) >= _COMPRESSED_FROM_BYTES else b"",
        etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"',
    )


def _send(request: Request, path: Path) -> Response:
    asset = read_asset(path)
    headers = {
        "ETag": asset.etag,
        "Cache-Control": "no-cache",  # ask each time; the answer is 304 as long as the file is the same
        "Vary": "Accept-Encoding",
        "Content-Security-Policy": CSP,
    }
    if request.headers.get("if-none-match") == asset.etag:
        return Response(status_code=304, headers=headers)
    if asset.zipped and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(
            asset.zipped, headers=headers | {"Content-Encoding": "gzip"}, media_type=asset.media_type
        )
    return Response(asset.body, headers=headers, media_type=asset.media_type)


@router.get("/")
def get_portal(request: Request) -> Response:
    """The portal."""
    return _send(request, PORTAL / "index.html")


@router.get("/docs")
def get_docs(request: Request) -> Response:
    """The API's description, rendered without any other host."""
    return _send(request, PORTAL / "docs.html")


@router.get("/portal/{name}")
def get_file(request: Request, name: str) -> Response:
    """One of the portal's own files."""
    if name not in {path.name for path in PORTAL.iterdir()}:
        raise not_found(f"the portal has no file {name[:64]!r}")
    return _send(request, PORTAL / name)


@router.get("/library/{name}")
def get_library(request: Request, name: str) -> Response:
    """A library from its installed package."""
    if name not in LIBRARIES:
        raise not_found(f"the portal uses no library {name[:64]!r}")
    package, *path = LIBRARIES[name]
    return _send(request, _package_file(package, *path))
