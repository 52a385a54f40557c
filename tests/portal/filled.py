"""A tenant that has something of everything, so that every page of the portal has something to show."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import httpx

from tests.api.book import Book
from tests.api.test_events import ID, LINES, PRICES, SOURCE, event, publish
from tests.api.test_forecasts import forecast
from tests.api.test_governing import INCIDENT, incident
from tests.api.test_workflow_acts import BY_HAND

DAYS = 12
USES = [
    ("support", "triage", "helper", "openai", "gpt-4o", "model", "4.10"),
    ("search", "answer", "finder", "anthropic", "claude-sonnet-4-5", "model", "2.75"),
    ("payments", "refund", "checker", "openai", "gpt-4o-mini", "model", "1.20"),
    ("search", "answer", "finder", "pinecone", "serverless", "database", "0.45"),
    ("research", "study", "deep-research", "openai", "gpt-5", "model", "0.90"),
]
EXPLAINED = {
    "excess": "4.52",
    "narrowed": True,
    "causes": [
        {"scope": {"team": "support", "sku": "gpt-4o"}, "amount": "4.6", "expected": "0.4", "excess": "4.2", "share": "0.93"}
    ],
    "contributors": [
        {"scope": {"agent": "helper"}, "amount": "4.1", "expected": "0.3", "excess": "3.8", "share": "0.84"}
    ],
    "split": {"change": "4.52", "volume": "3.1", "tokens_per_call": "1.62", "cache": "-0.2", "mix": "0", "price": "0"},
}  # fmt: skip
PAGES = {
    "overview": "",
    "explore": "explore?by=team&split=sku",
    "changed": "changed?by=team",
    "models": "models",
    "estimate": "estimate?candidates=openai%2Fgpt-4o&calls_per_day=9000&input_tokens=1000&output_tokens=200",
    "decisions": "decisions",
    "agents": "agents",
    "outcomes": "outcomes",
    "workflow": "outcomes?workflow=refund",
    "units": "units?by=sku",
    "allocation": "allocation?centre=search",
    "statement": "statement?centre=search",
    "invoices": "invoices",
    "plan": "plan",
    "export": "export",
    "events": "events",
    "event": f"event?source={SOURCE}&id={ID.replace('#', '%23').replace('&', '%26')}",
    "run": "run",
    "budgets": "budgets",
    "incidents": "incidents",
    "incident": f"incident?id={INCIDENT}",
    "catalog": "catalog",
    "model": "model?provider=openai&sku=gpt-4o",
    "changes": "changes?from=0",
    "inbox": "inbox",
    "quality": "quality",
    "unbooked": "unbooked",
    "resubmit": "resubmit?source=bot&id=req-7",
    "corrections": "corrections",
    "true-ups": "true-ups",
    "channels": "channels",
    "rules": "rules",
    "rule": "rule?id=first-seen",
    "keys": "keys",
    "dimensions": "dimensions",
    "terms": "terms",
    "privacy": "privacy",
    "audit": "audit",
}
"""Its places in the portal; of its budget and its channel only the answer of `fill` knows the ids."""


async def fill(book: Book, client: httpx.AsyncClient) -> dict[str, str]:
    """Fills acme, by a client that may change it; the pages to look at, by name."""
    now = datetime.now(UTC)
    await _spend(book, now)
    await publish(book, *PRICES)
    await book.entry(event(at=now, team="payments"), "0.01", LINES)
    await book.partition(0, log_end=1, read_at=now, booked=1)
    await book.accounts(0, "acme", priced=1)
    await book.unbooked("acme", "bot", "req-7", "rejected", "usage: input_tokens must be 0 or more", "k1")
    await incident(book, "acme", INCIDENT, opened_at=now - timedelta(hours=5))
    await incident(book, "acme", UUID(int=8), state="resolved", opened_at=now - timedelta(days=3))
    await book.connection.execute(
        "UPDATE incidents SET title = 'support spends 9 times what it usually does', details = $1, "
        'scope = \'{"team": "support"}\' WHERE id = $2',
        json.dumps(EXPLAINED),
        INCIDENT,
    )
    for asked in (
        {"name": "Everything", "amount": "400"},
        {"name": "Search", "amount": "60", "filter": {"team": "search"}},
        {"name": "Each agent", "amount": "20", "each": "agent", "period": "day"},
    ):
        made = (await client.post("/v1/budgets", json=asked)).json()
        if asked["name"] == "Everything":
            budget = made
    spent = Decimal((await client.get(f"/v1/budgets/{budget['id']}")).json()["spent"])
    fan = {
        "p10": spent * 2,
        "p50": spent * 2 + 60,
        "p90": spent * 2 + 150,
        "spent": spent,
        "run_rate": spent * 2,
    }
    await forecast(book, budget, "latest_forecasts", amount=Decimal(400), cut_off=now, **fan)
    channel = await client.post(
        "/v1/channels",
        json={"name": "on-call", "kind": "webhook", "settings": {"url": "https://hooks.example/x"}},
    )
    await _say(client, now)
    await client.post("/v1/dimensions", json={"name": "cost_centre", "reason": "finance books by it"})
    return {
        **PAGES,
        "budget": f"budget?id={budget['id']}",
        "channel": f"channel?id={channel.json()['id']}",
    }


async def _say(client: httpx.AsyncClient, now: datetime) -> None:
    """A plan, a saved view, a decision and a workflow."""
    pool = {
        "name": "database",
        "filter": {"provider": "pinecone"},
        "rule": "fixed",
        "weights": {"search": 60, "support": 25},
    }
    plan = {"first_day": f"{now:%Y-%m}-01", "pools": [pool], "reason": "agreed with the teams"}
    decision = {
        "title": "support on a smaller model", "reason": "answers are as good", "filter": {"team": "support"},
        "from_model": "openai/gpt-4o", "to_model": "openai/gpt-4o-mini", "owner": "ada", "effective_day": f"{now:%Y-%m-%d}",
    }  # fmt: skip
    flow = {"workflow": "refund", "reason": "as measured in May"}
    for answer in (
        await client.put("/v1/allocation-plans/team", json=plan),
        await client.post(
            "/v1/views", json={"name": "Ours", "question": "range=month_to_date&group_by=team"}
        ),
        await client.post("/v1/models/decisions", json=decision),
        await client.put("/v1/workflows/settings", json={**flow, "outcome": "refund_resolved"}),
        await client.put(
            "/v1/workflows/versions",
            json={**flow, "version": "by hand", "kind": "baseline", "baseline": BY_HAND},
        ),
    ):
        assert answer.is_success, answer.text


async def _spend(book: Book, now: datetime) -> None:
    """Twice an hour, more by day than by night, each week a little more."""
    for back in range(DAYS * 24):
        at = now - timedelta(hours=back)
        busy = Decimal(4 if 8 <= at.hour < 18 else 1) * (1 if at.weekday() < 5 else Decimal("0.4"))
        for place, (team, workflow, agent, provider, sku, cost_class, amount) in enumerate(USES):
            if back % (place + 1) or (team == "research" and back > 30):
                continue
            cost = (Decimal(amount) * busy * Decimal(DAYS * 24 - back // 2) / 4000).quantize(
                Decimal("0.000001")
            )
            usage = {"input_tokens": 9000, "cache_read_tokens": 21000, "output_tokens": 2500}
            await book.spend(
                "acme", at.isoformat(), str(cost * Decimal("1.1")), contracted=str(cost), events=int(busy * 3) + 1,
                team=team, workflow=workflow, agent=agent, provider=provider, sku=sku, cost_class=cost_class,
                usage=usage if cost_class == "model" else {"requests": 40},
            )  # fmt: skip
