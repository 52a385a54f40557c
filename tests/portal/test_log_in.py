"""People log in with their own issuer, in a real Chromium; what goes wrong is a page, and the way back."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, expect

from services.api.access.issuers import Issuers
from spendmeter.platform.settings import Settings
from spendmeter.platform.trusted_issuers import TrustedIssuer
from tests.api.book import Book
from tests.api.issuer import Issuer
from tests.api.test_log_in import role
from tests.portal.page import api

ISSUER = "Log in with your issuer"


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def pinned(app: FastAPI, issuer: Issuer) -> None:
    """acme's people come from `issuer`."""
    trusted = TrustedIssuer(tenant="acme", issuer=issuer.url, audience="spendmeter")
    app.state.issuers = Issuers((trusted,), allow_private=True)
    app.state.settings = Settings(issuers_allow_private=True)


async def test_where_nobody_has_an_issuer_there_is_the_key_alone(browser: Browser, address: str) -> None:
    async with api(address) as client:
        assert (await client.get("/v1/session/ways")).json() == {"issuer": False}
    page = await (await browser.new_context()).new_page()
    await page.goto(address)
    await expect(page.get_by_label("API key")).to_be_visible()
    await page.wait_for_load_state("networkidle")
    await expect(page.get_by_role("button", name=ISSUER)).to_have_count(0)
    await page.context.close()


@pytest.mark.usefixtures("pinned")
async def test_a_person_goes_to_their_issuer_and_comes_back_to_the_portal(
    browser: Browser, address: str, app: FastAPI, book: Book, issuer: Issuer
) -> None:
    await role(book, app, issuer, "viewer")
    page = await (await browser.new_context()).new_page()
    await page.goto(address)
    await page.get_by_label("name of your tenant").fill("acme")
    await page.get_by_role("button", name=ISSUER).click()
    await expect(page.get_by_role("button", name="Log out")).to_be_visible()
    assert page.url.rstrip("/#") == address
    await page.context.close()


@pytest.mark.usefixtures("pinned")
async def test_a_log_in_that_fails_is_a_page_that_says_why_and_leads_back(
    browser: Browser, address: str, issuer: Issuer
) -> None:
    page = await (await browser.new_context()).new_page()
    await page.goto(address)
    await page.get_by_label("name of your tenant").fill("initech")
    await page.get_by_role("button", name=ISSUER).click()
    await expect(page.get_by_role("heading", name="You are not logged in")).to_be_visible()
    await expect(page.locator("main")).to_contain_text("nobody vouches for people of that tenant here")
    answer = await page.goto(f"{address}/v1/session/callback/acme?state=made-up&code=<b>x</b>")
    assert answer is not None
    assert answer.status == 400
    await expect(page.locator("main")).to_contain_text("no such log-in was begun in this browser")
    await expect(page.locator("main b")).to_have_count(0)
    await page.get_by_role("link", name="Back to the log-in").click()
    await expect(page.get_by_label("API key")).to_be_visible()
    await page.context.close()
