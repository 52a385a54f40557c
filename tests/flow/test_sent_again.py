"""What was not booked, put right and sent again from the portal: a real Chromium before a whole system."""

from __future__ import annotations

import json
from decimal import Decimal
from uuid import uuid4

import asyncpg
from aiokafka import AIOKafkaProducer
from playwright.async_api import Browser, expect

from tests.flow.book import money, settled
from tests.flow.system import System, usage_event
from tests.flow.test_flow import key_of, stamped
from tests.portal.conftest import browser
from tests.portal.page import log_in

__all__ = ["browser"]


async def test_a_rejected_event_is_fixed_on_the_portal_and_its_receipt_names_both(
    system: System, raw: AIOKafkaProducer, owner: asyncpg.Connection, browser: Browser
) -> None:
    """100 output tokens of gpt-4o at 10 USD a million are 0.001 USD."""
    source = f"portal-{uuid4().hex[:6]}"
    bad = usage_event("bad", source=source, usage={"output_tokens": 2_000_000_000})
    await raw.send_and_wait("usage.events", stamped(bad), key=key_of(bad))
    assert await settled(owner, source, 1) == {"rejected": 1}
    key = system.keys["acme"]
    page = await browser.new_page()
    await log_in(page, system.api, key)
    await page.goto(f"{system.api}/#/unbooked?source={source}")
    row = page.locator(".list > table tbody tr")
    await expect(row).to_contain_text("is more than one event may state")
    await row.get_by_role("link", name="Send it again").click()
    await expect(page.locator("main")).to_contain_text("is more than one event may state")
    form = page.locator("form")
    written = form.get_by_label("The event, as JSON")
    proposed = json.loads(await written.input_value())
    assert (proposed["source"], proposed["data"]["usage"]) == (source, {})
    await expect(form.get_by_label("New id")).to_have_value("bad-again")
    await form.get_by_label("may ingest").fill(key)

    await form.get_by_role("button", name="Send").click()
    await expect(form.get_by_role("alert")).to_contain_text("data.provider")

    good = usage_event("bad", source=source, usage={"output_tokens": 100})
    await written.fill(json.dumps(good | {"data": good["data"] | {"tracer": 1}}))
    await form.get_by_role("button", name="Send").click()
    await expect(form.get_by_role("alert")).to_contain_text("they were not kept: data.tracer")
    await expect(form.get_by_label("may ingest")).to_have_value("")
    await form.get_by_role("link", name=f"{source}/bad-again").click()
    receipt = page.locator(".receipt")
    await expect(receipt).to_contain_text(
        f"supersedes {source}/bad: it was not booked: this one counts in its place"
    )
    await page.close()
    assert await settled(owner, source, 2) == {"rejected": 1, "booked": 1}
    assert await money(owner, source) == Decimal("0.001")
