"""The portal's files and the libraries they use: from this folder, from an installed package, and what draws
charts as it was unpacked of its jars (`libraries.py`).

Starlette's StaticFiles answers them and the application compresses; why the libraries are compressed once
instead: docs/decisions/static-files.md.
"""

import gzip
import os
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from services.api.http.problems import not_found
from services.api.portal.libraries import FOLDER, WEBJARS

PORTAL = Path(__file__).with_name("static")
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Cache-Control": "no-cache",  # ask each time; the answer is 304 as long as the file is the same
    "Vary": "Accept-Encoding",
    "Content-Security-Policy": CSP,
}
DOCS = {"swagger-ui.js": "swagger-ui-bundle.js", "swagger-ui.css": "swagger-ui.css"}
"""Name in the portal: file of the package fastapi_offline. Nothing else of a package is served."""
LIBRARIES = (*DOCS, *WEBJARS)
KEPT = "public, max-age=31536000, immutable"
"""Of a library whose version is a part of its name: a browser need not ask for it again."""

router = APIRouter(include_in_schema=False)


class Files(StaticFiles):
    """Starlette's, with the headers of every file of the portal."""

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """200 or 304."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(HEADERS)
        return response


_portal = Files(directory=PORTAL)
_docs = Files(
    packages=[("fastapi_offline", "static")],
    follow_symlink=True,  # an installer may link into its cache; which files are asked for is said above
)
_charts = Files(directory=FOLDER, check_dir=False)


@router.get("/")
async def get_portal(request: Request) -> Response:
    """The portal."""
    return await _portal.get_response("index.html", request.scope)


@router.get("/docs")
async def get_docs(request: Request) -> Response:
    """The API's description, rendered without any other host."""
    return await _portal.get_response("docs.html", request.scope)


@router.get("/portal/{name}")
async def get_file(request: Request, name: str) -> Response:
    """One of the portal's own files."""
    try:
        return await _portal.get_response(name, request.scope)
    except HTTPException as error:
        raise not_found(f"the portal has no file {name[:64]!r}") from error


@router.get("/library/{name}")
async def get_library(request: Request, name: str) -> Response:
    """A library, compressed once."""
    if name not in LIBRARIES:
        raise not_found(f"the portal uses no library {name[:64]!r}")
    answer = await (_docs_file(request, name) if name in DOCS else _chart_file(request, name))
    if not isinstance(answer, FileResponse) or "gzip" not in request.headers.get("accept-encoding", ""):
        return answer
    zipped = await run_in_threadpool(_compressed, str(answer.path), answer.headers["etag"])
    headers = {**answer.headers, "content-encoding": "gzip", "content-length": str(len(zipped))}
    return Response(zipped, headers=headers)


async def _docs_file(request: Request, name: str) -> Response:
    return await _docs.get_response(DOCS[name], request.scope)


async def _chart_file(request: Request, name: str) -> Response:
    try:
        answer = await _charts.get_response(name, request.scope)
    except HTTPException as error:
        raise not_found(f"the library {name} is not installed: run 'make install'") from error
    answer.headers["Cache-Control"] = KEPT
    return answer


@lru_cache(maxsize=len(LIBRARIES))
def _compressed(path: str, _etag: str) -> bytes:
    """The file at `path` as of `_etag`. Raises OSError."""
    return gzip.compress(Path(path).read_bytes(), 6, mtime=0)
