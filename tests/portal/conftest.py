"""A real Chromium before the portal, served as in production; the same book and database as the API's tests."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, BrowserContext, async_playwright

from services.api.accounting.progress import BookProgress
from services.api.app import create_app
from services.api.database.transactions import Database
from services.api.exports.running import RunningExports
from spendmeter.platform.roles import role_url
from spendmeter.platform.serve import Server
from spendmeter.platform.settings import Settings
from tests.api.conftest import book, database, database_url
from tests.databases import SECRET
from tests.portal.page import PATIENCE_MS
from tests.ports import free_port

__all__ = ["book", "database", "database_url"]

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on the PATH")
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        await running.close()


@pytest.fixture
def app(database: Database, database_url: str) -> FastAPI:
    """What serves the portal."""
    made = create_app(Settings(), database, BookProgress(), lambda: "")
    made.state.exports = RunningExports(role_url(database_url, "api", SECRET))
    return made


@pytest.fixture
async def address(app: FastAPI) -> AsyncIterator[str]:
    """The portal, served as in production."""
    port = free_port()
    server = Server(app, Settings(port=port))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await serving


@pytest.fixture
async def context(browser: Browser, address: str) -> AsyncIterator[BrowserContext]:
    """A browser's session; what it asks of any other host, and what goes wrong in a script, fails the test."""
    troubles: list[str] = []
    opened = await browser.new_context(viewport={"width": 1280, "height": 900})
    opened.set_default_timeout(PATIENCE_MS)
    opened.on("weberror", lambda error: troubles.append(str(error.error)))
    opened.on(
        "request",
        lambda asked: troubles.append(asked.url) if not asked.url.startswith((address, "data:")) else None,
    )
    opened.on(
        "console",
        lambda line: troubles.append(line.text) if "Content Security Policy" in line.text else None,
    )
    yield opened
    await opened.close()
    assert troubles == []
