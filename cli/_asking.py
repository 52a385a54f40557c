"""What commands that ask the api share: as which key, its answer, and its refusal in a command's words."""

from collections.abc import Mapping
from typing import IO, Annotated, Any

import httpx
import typer

from cli._http import problem_of, problem_text, request
from cli._running import environment_values, fail
from cli._terminal import as_text

OfTenantOption = Annotated[
    str, typer.Option("--tenant", help="Whose; it goes as SPENDMETER_ADMIN_KEY, which is an operator's.")
]
TIMEOUT_S = 30.0
"""The api waits for the broker, and then for the corrector."""
FILE_TIMEOUT_S = 120.0
CHANGES = "SPENDMETER_ADMIN_KEY"
READS = "SPENDMETER_API_KEY"


def ask(
    method: str,
    path: str,
    tenant: str,
    query: Any = None,
    *,
    body: Any = None,
    file: IO[bytes] | None = None,
    key: str = CHANGES,
    flags: Mapping[str, str] | None = None,
) -> Any:
    """The api's answer, as the key that the environment names so; ends the command with what it says when it
    refuses. `body` goes as JSON, a `file` as it is. `flags`: field of the request to the argument that it was
    written in."""
    answer = answered(method, path, tenant, query, body=body, file=file, key=key)
    if not answer.is_success:
        fail(_refusal(answer, flags or {}), problem_of(answer))
    return answer.json() if answer.content else None  # what was removed has nothing to say


def answered(
    method: str,
    path: str,
    tenant: str,
    query: Any = None,
    *,
    body: Any = None,
    file: IO[bytes] | None = None,
    key: str = CHANGES,
) -> httpx.Response:
    """The same, refused or not, for a command that goes on all the same."""
    url, secret = environment_values("SPENDMETER_API_URL", key)
    url = f"{url.rstrip('/')}/v1/{path}"
    timeout_s = TIMEOUT_S if file is None else FILE_TIMEOUT_S
    more = {"params": query, "json": body, "content": file}
    return request(method, url, secret, tenant=tenant, timeout_s=timeout_s, **more)


def read(path: str, tenant: str, query: Any = None, *, flags: Mapping[str, str] | None = None) -> Any:
    """What a tenant's own key may read; that of another tenant, and of none, an operator's reads."""
    return ask("GET", path, tenant, query, key=CHANGES if tenant else READS, flags=flags)


def _refusal(answer: httpx.Response, flags: Mapping[str, str]) -> str:
    problem = problem_of(answer)
    errors = [each for each in problem.get("errors", ()) if each.get("field")]
    if flags and errors:
        return as_text(f"refused: {_flag(each['field'], flags)}: {each['reason']}" for each in errors)
    hint = "\nadd --tenant TENANT" if problem.get("title") == "No tenant" else ""
    return problem_text(answer) + hint


def _flag(field: str, flags: Mapping[str, str]) -> str:
    head, _, rest = field.partition(".")
    return field if head not in flags else f"{flags[head]} {rest}" if rest else flags[head]
