"""The files of the portal as they are sent: compressed, kept by a browser, and nothing beside them."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from services.api.http import problems
from services.api.portal import assets
from services.api.portal.libraries import WEBJARS


@pytest.fixture
async def files() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI(docs_url=None)
    problems.install(app)
    app.include_router(assets.router)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://portal") as client:
        yield client


async def bytes_sent(client: httpx.AsyncClient, path: str, encoding: str) -> tuple[bytes, httpx.Headers]:
    async with client.stream("GET", path, headers={"Accept-Encoding": encoding}) as answer:
        return b"".join([piece async for piece in answer.aiter_raw()]), answer.headers


@pytest.mark.parametrize("name", sorted(assets.LIBRARIES))
async def test_a_library_is_sent_compressed_and_is_the_same_file(files: httpx.AsyncClient, name: str) -> None:
    plain, headers = await bytes_sent(files, f"/library/{name}", "identity")
    zipped, zipped_headers = await bytes_sent(files, f"/library/{name}", "gzip")
    assert gzip.decompress(zipped) == plain
    assert len(zipped) < len(plain) / 2
    assert int(headers["content-length"]) == len(plain)
    assert int(zipped_headers["content-length"]) == len(zipped)
    for same in ("etag", "content-type", "content-security-policy", "cache-control", "vary"):
        assert zipped_headers[same] == headers[same]


async def test_what_draws_is_kept_by_a_browser_and_never_asked_for_again(files: httpx.AsyncClient) -> None:
    for name in WEBJARS:
        answer = await files.get(f"/library/{name}")
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


async def test_a_library_that_is_not_installed_is_missed_in_words(
    files: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(assets, "_charts", assets.Files(directory=tmp_path))
    answer = await files.get("/library/uplot-1.6.30.js")
    said = "the library uplot-1.6.30.js is not installed: run 'make install'"
    assert (answer.status_code, answer.json()["detail"]) == (404, said)


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/portal/main.js", "/portal/icon.svg", "/library/swagger-ui.js"]
)
async def test_a_browser_that_has_a_file_is_sent_none(files: httpx.AsyncClient, path: str) -> None:
    first = await files.get(path)
    assert (first.headers["cache-control"], first.headers["vary"]) == ("no-cache", "Accept-Encoding")
    again = await files.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["content-security-policy"] == assets.CSP


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/portal/assets.py", "the portal has no file 'assets.py'"),
        ("/portal/__init__.py", "the portal has no file '__init__.py'"),
        ("/portal/%2e", "the portal has no file '.'"),
        ("/portal/%2e%2e", "the portal has no file '..'"),
        ("/portal/a%00b", r"the portal has no file 'a\x00b'"),
        ("/portal/" + "x" * 5000, f"the portal has no file '{'x' * 64}'"),
        ("/library/uplot.js", "the portal uses no library 'uplot.js'"),
        ("/library/datasets", "the portal uses no library 'datasets'"),
    ],
)
async def test_what_is_no_file_of_the_portal_is_not_found(
    files: httpx.AsyncClient, path: str, detail: str
) -> None:
    answer = await files.request("GET", httpx.URL("http://portal").copy_with(raw_path=path.encode()))
    assert (answer.status_code, answer.json()["detail"]) == (404, detail)


def test_no_line_of_a_file_is_longer_than_110_columns() -> None:
    """The formatter leaves texts and comments as long as they are written."""
    for path in sorted(assets.PORTAL.glob("*.*")):
        if path.suffix != ".svg":
            assert max(map(len, path.read_text("utf-8").splitlines())) <= 110, path.name
