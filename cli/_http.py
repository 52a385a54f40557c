"""HTTP to the services: where they are, with which key, what a refusal says, and again when they are away."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx

from cli._running import environment_values, fail
from cli._terminal import as_text

TIMEOUT_S = 20.0
LOCAL_TIMEOUT_S = 5.0
RETRY_S_MAX = 120.0
RETRY_WAIT_S_MAX = 2.0
ERRORS_SHOWN_MAX = 5


@dataclass(frozen=True, kw_only=True)
class Access:
    """The system to talk to: base URLs without a slash at the end, and a key that may ingest and read."""

    ingest_url: str
    api_url: str
    key: str = field(repr=False)


class NoAnswer(Exception):
    """What was asked for cannot be had; the text says why."""


class Refusal(Exception):
    """An answer that sending again cannot change: its text is for people, `problem` for programs."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(problem_text(answer))
        self.problem = problem_of(answer)

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The bad events, each with its index, field and reason; none where something else is wrong."""
        return _event_errors(self.problem)


def access() -> Access:
    """From SPENDMETER_INGEST_URL, SPENDMETER_API_URL and SPENDMETER_API_KEY, else from the running system.
    Ends the command when neither says it."""
    names = ("SPENDMETER_INGEST_URL", "SPENDMETER_API_URL", "SPENDMETER_API_KEY")
    ingest, api, key = environment_values(*names)
    return Access(ingest_url=ingest.rstrip("/"), api_url=api.rstrip("/"), key=key)


def request(
    method: str, url: str, key: str, *, tenant: str = "", timeout_s: float = TIMEOUT_S, **more: Any
) -> httpx.Response:
    """The answer, whatever it says; ends the command when there is none. `more`: of httpx.request."""
    headers = _bearer(key) | ({"X-Spendmeter-Tenant": tenant} if tenant else {})
    try:
        return httpx.request(method, url, headers=headers, timeout=timeout_s, **more)
    except httpx.HTTPError as error:
        fail(f"{url} does not answer: {error or type(error).__name__}")


def get_json(url: str, key: str = "") -> Any:
    """The JSON behind one of our own addresses. Raises NoAnswer when it is not answered 200."""
    try:
        answer = _local_client().get(url, headers=_bearer(key) if key else {})
        answer.raise_for_status()
        return answer.json()
    except httpx.HTTPStatusError as refusal:
        raise NoAnswer(f"{url} answered {refusal.response.status_code}") from refusal
    except (httpx.HTTPError, ValueError) as trouble:
        raise NoAnswer(f"{url} does not answer: {trouble}") from trouble


@cache
def _local_client() -> httpx.Client:
    return httpx.Client(timeout=LOCAL_TIMEOUT_S, trust_env=False)


def client(access: Access) -> httpx.AsyncClient:
    """A client that authenticates; use as a context manager."""
    return httpx.AsyncClient(timeout=TIMEOUT_S, headers=_bearer(access.key))


async def post_events(client: httpx.AsyncClient, access: Access, events: Sequence[dict[str, Any]]) -> None:
    """Return when ingest has accepted them all. Sends again, with the same ids, while ingest is away or
    busy. Raises Refusal, or httpx.HTTPError when it stays away for RETRY_S_MAX."""
    import stamina

    stamina.instrumentation.set_on_retry_hooks([])  # a terminal is no place for its log lines
    async for attempt in stamina.retry_context(
        on=_may_be_accepted_later, attempts=None, timeout=RETRY_S_MAX, wait_max=RETRY_WAIT_S_MAX
    ):
        with attempt:
            answer = await client.post(f"{access.ingest_url}/api/v1/events", json=events)
            if answer.is_client_error:
                raise Refusal(answer)
            answer.raise_for_status()


def problem_of(answer: httpx.Response) -> dict[str, Any]:
    """The problem+json of an answer; its status and text alone where it is none."""
    try:
        problem = answer.json()
    except ValueError:
        problem = None
    return problem if isinstance(problem, dict) else {"status": answer.status_code, "detail": answer.text}


def problem_text(answer: httpx.Response) -> str:
    """The same in words."""
    problem = problem_of(answer)
    if "title" not in problem or "detail" not in problem:
        return f"{answer.status_code} from {answer.request.url}"
    errors = _event_errors(problem)  # of others the detail speaks
    shown = errors[:ERRORS_SHOWN_MAX]
    lines = [f"{answer.status_code} {problem['title']}: {problem['detail']}"]
    lines += [f"  event {each['index']}: {each['field']} {each['reason']}" for each in shown]
    if more := len(errors) - len(shown):
        lines.append(f"  and {more} more")
    return as_text(lines)


def _event_errors(problem: Mapping[str, Any]) -> list[dict[str, Any]]:
    errors = problem.get("errors", [])
    return [error for error in errors if isinstance(error, dict) and error.get("index") is not None]


def _bearer(key: str) -> dict[str, str]:
    """Who types a command looks for what it has just done: no answer that somebody else was given."""
    return {"Authorization": f"Bearer {key}", "Cache-Control": "no-cache"}


def _may_be_accepted_later(error: Exception) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.is_server_error
    return isinstance(error, httpx.TransportError)
