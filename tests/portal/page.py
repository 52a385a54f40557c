"""What every test of the portal does."""

from __future__ import annotations

import httpx
from playwright.async_api import Page, expect

PATIENCE_MS = 60_000  # a busy machine
expect.set_options(timeout=PATIENCE_MS)


async def log_in(page: Page, address: str, key: str) -> None:
    await page.goto(address)
    await page.get_by_label("API key").fill(key)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("button", name="Log out")).to_be_visible()


def api(address: str, key: str = "") -> httpx.AsyncClient:
    """The API as a program asks it, as patient as a person in the browser."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.AsyncClient(base_url=address, headers=headers, timeout=PATIENCE_MS / 1000)
