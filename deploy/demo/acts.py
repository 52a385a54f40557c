"""What people said while the story went on, put to the api: each act once, however often the demo starts."""

import asyncio
import time
from collections.abc import Callable, Collection
from datetime import date, datetime, timedelta
from hashlib import blake2b
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import stamina

from deploy.demo import provider_bill
from deploy.demo.bill import FILE_NAME, LABELS, TENANT, bill
from deploy.demo.sender import RETRY_WAIT_S_MAX, worth_another
from deploy.demo.story import STORY, StoryAct
from deploy.demo.tenants import DATA, DemoBudget

THERE_ALREADY = 409
NOT_YET_KNOWN = 401
"""What a key that was just made is answered, for some seconds."""
BILL, PROVIDER_BILL, BUDGETS = "bill", "provider's bill", "budgets"
ASKED_EVERY_S = 0.5
FOLDED_S_MAX = 120.0
"""Views are folded from the book some seconds after it is written, in large pieces. What is behind for longer
has another reason, and what is said is worked out from what there is."""
FOLDED_OF, FOLDED_BY = "route-ticket", "openai/gpt-5-mini"
"""The workflow that the story's decision is about, and to which model it moved."""


def digest(act: StoryAct) -> str:
    """By which an act is known."""
    return blake2b(msgspec.json.encode(act), digest_size=8).hexdigest()


def dated(value: Any, first_day: date) -> Any:
    """A body in which each {"day": N} is the date N days after the story's first day."""
    if isinstance(value, dict):
        if value.keys() == {"day"} and isinstance(value["day"], int):
            return (first_day + timedelta(days=value["day"])).isoformat()
        return {name: dated(each, first_day) for name, each in value.items()}
    return [dated(each, first_day) for each in value] if isinstance(value, list) else value


class Acts:
    """As whom they are said: an operator's key that may govern each tenant."""

    def __init__(self, client: httpx.AsyncClient, key: str, first_day: date) -> None:
        self._client = client
        self._key = key
        self._first_day = first_day

    async def until_ready(self) -> None:
        """Returns once the api is: what is started beside it is started by then, or nearly."""
        (await self._ask("GET", "/ready", TENANT)).raise_for_status()

    async def say(
        self,
        known: Collection[str],
        done: Callable[[str], None],
        tell: Callable[[str], None],
        *,
        booked: bool,
    ) -> None:
        """Say what is not `known` of what is to be said before the history is booked, or after. What the api
        refuses is told, and tried again at the next start."""
        for act in STORY.acts:
            name = digest(act)
            if act.booked is not booked or name in known:
                continue
            answer = await self._ask(act.method, act.path, act.tenant, json=dated(act.body, self._first_day))
            if answer.is_success or answer.status_code == THERE_ALREADY:
                done(name)
            else:
                tell(_refusal(f"{act.method} {act.path}", answer))

    async def import_bill(
        self, known: Collection[str], done: Callable[[str], None], tell: Callable[[str], None], days: int
    ) -> None:
        """Import a bill of all days before the first one, by a key that lives for a day; once."""
        if BILL in known or days < 1:
            return
        file = bill(self._first_day - timedelta(days=days), self._first_day)
        answer = await self._import(f"/v1/imports/focus?file={FILE_NAME}&map={quote(LABELS)}", file)
        if answer.is_success:
            done(BILL)
        else:
            tell(_refusal("its bill", answer))

    async def import_provider_bill(
        self, known: Collection[str], done: Callable[[str], None], tell: Callable[[str], None], days: int
    ) -> None:
        """Import what OpenAI charged for these days, to be held against the book; once."""
        if PROVIDER_BILL in known or days < 1:
            return
        file = await asyncio.to_thread(provider_bill.provider_bill, self._first_day, days)
        query = f"provider={provider_bill.PROVIDER}&file={provider_bill.FILE_NAME}"
        answer = await self._import(f"/v1/invoices?{query}", file)
        if answer.is_success:
            done(PROVIDER_BILL)
        else:
            tell(_refusal("the bill of its provider", answer))

    async def _import(self, path: str, file: bytes) -> httpx.Response:
        """By a key that lives for a day."""
        body = {"name": "the demo's bills", "scopes": ["import"], "expires_days": 1}
        made = await self._ask("POST", "/v1/keys", TENANT, json=body)
        if not made.is_success:
            return made
        return await self._ask("POST", path, TENANT, key=made.json()["key"], content=file)

    async def set_budgets(
        self, known: Collection[str], done: Callable[[str], None], tell: Callable[[str], None]
    ) -> None:
        """Set the story's budgets, so that each is first looked at with its whole period; once, and of a name
        that is there already none."""
        if BUDGETS in known:
            return
        refused = False
        for tenant in DATA.tenants:
            there = {each["name"] for each in (await self._read("/v1/budgets", tenant))["budgets"]}
            for budget in STORY.budgets:
                if budget.tenant == tenant and budget.name not in there:
                    answer = await self._ask("POST", "/v1/budgets", tenant, json=_stated(budget))
                    if not answer.is_success:
                        refused = True
                        tell(_refusal(f"budget {budget.name}", answer))
        if not refused:
            done(BUDGETS)

    async def until_booked(self, sent_at: datetime) -> None:
        """Returns when all that was accepted by then is booked, of every tenant."""
        while True:
            complete = (await self._read("/v1/spend?range=today&usage=false"))["complete_through"]
            if complete is not None and datetime.fromisoformat(complete) >= sent_at:
                return
            await asyncio.sleep(ASKED_EVERY_S)

    async def until_folded(self, days: int) -> None:
        """Returns when views have as many calls of the days before the first one as the book."""
        since = self._first_day - timedelta(days=days)
        asked = f"from={since}T00:00:00Z&to={self._first_day}T00:00:00Z&filter.workflow={FOLDED_OF}"
        began = time.monotonic()
        while time.monotonic() - began < FOLDED_S_MAX:
            booked = (await self._read(f"/v1/spend?{asked}&usage=false"))["totals"]
            folded = (await self._read(f"/v1/models/compare?{asked}&candidates={FOLDED_BY}"))["traffic"]
            if sum(each["events"] for each in booked) == sum(each["calls"] for each in folded):
                return
            await asyncio.sleep(ASKED_EVERY_S)

    async def _read(self, path: str, tenant: str = TENANT) -> Any:
        return (await self._ask("GET", path, tenant)).raise_for_status().json()

    async def _ask(
        self, method: str, path: str, tenant: str, *, key: str = "", **more: Any
    ) -> httpx.Response:
        headers = {
            "Authorization": f"Bearer {key or self._key}",
            "X-Spendmeter-Tenant": tenant,
            "Cache-Control": "no-cache",
        }
        async for attempt in stamina.retry_context(
            on=_worth_another, attempts=None, timeout=None, wait_max=RETRY_WAIT_S_MAX
        ):
            with attempt:
                answer = await self._client.request(method, path, headers=headers, **more)
                if answer.is_server_error or (key and answer.status_code == NOT_YET_KNOWN):
                    answer.raise_for_status()
        return answer


def _stated(budget: DemoBudget) -> dict[str, Any]:
    return {
        "name": budget.name,
        "filter": budget.filter,
        "amount": str(budget.amount_usd),
        "period": budget.period,
        "thresholds_percent": list(map(str, budget.thresholds_percent)),
    }


def _refusal(what: str, answer: httpx.Response) -> str:
    return f"history: {what} is answered {answer.status_code}: {answer.text[:300]}"


def _worth_another(error: Exception) -> bool:
    late = isinstance(error, httpx.HTTPStatusError) and error.response.status_code == NOT_YET_KNOWN
    return late or worth_another(error)
