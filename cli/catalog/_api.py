"""The API behind the commands: its answers, or the end of the command with what it says."""

from pathlib import Path
from typing import Any, NoReturn

import httpx

from cli._event import provider_and_sku
from cli._http import problem_of, problem_text, request
from cli._running import environment_values, fail
from cli._terminal import as_text
from cli.catalog._print import budget_line, finding_line

TIMEOUT_S = 120.0
"""A large file is read, compiled and priced against a month of events before the answer."""


def contents(file: Path) -> bytes:
    """The file; ends the command where the api would refuse its size."""
    from spendmeter.pricing.catalog.formats import FILE_BYTES_MAX

    if (size := file.stat().st_size) > FILE_BYTES_MAX:
        fail(f"{file} has {size:,} bytes, and a price file has at most {FILE_BYTES_MAX:,}")
    return file.read_bytes()


def send_file(
    file: Path, note: str, withdraw: list[str] | None, replace: bool, tenant: str, *, dry_run: bool = False
) -> Any:
    """The api's review of a price file: a proposal, or on a dry run none."""
    query: dict[str, Any] = {"name": file.name, "note": note, "withdraw": withdraw or []}
    query |= {"replace": str(replace).lower(), "dry_run": str(dry_run).lower()}
    return ask("POST", "proposals", tenant, query, content=contents(file))


def ask(
    method: str, path: str, tenant: str, query: Any = None, *, body: Any = None, content: bytes | None = None
) -> Any:
    """The api's answer; ends the command with what it says when it refuses."""
    url, key = environment_values("SPENDMETER_API_URL", "SPENDMETER_ADMIN_KEY")
    more = {"params": query, "json": body, "content": content}
    url = f"{url.rstrip('/')}/v1/catalog/{path}"
    answer = request(method, url, key, tenant=tenant, timeout_s=TIMEOUT_S, **more)
    if answer.is_error:
        refuse(answer)
    return answer.json()


_FLAGS = {
    "confirm": "add --confirm where all of that is meant",
    "budgets": "add --budget ID=AMOUNT, or --budget ID=close, for each of these",
    "replace": "add --replace to withdraw whatever else is in force about what the file states",
}
"""What the api says that a refused request needs, as this command line says it."""


def refuse(answer: httpx.Response) -> NoReturn:
    """Ends the command with the api's refusal and the flag that it asks for."""
    problem = problem_of(answer)
    flag = _FLAGS.get(problem.get("needs", ""))
    budgets = [budget_line(each) for each in problem.get("budgets", [])]
    findings = map(finding_line, problem.get("findings", []))
    lines = [*problem_text(answer).split("\n"), *findings, *budgets, *([flag] if flag else [])]
    fail(as_text(lines), problem | ({"flag": flag} if flag else {}))


def ask_model(model: str, tenant: str) -> Any:
    """What the catalog has of PROVIDER/SKU."""
    provider, sku = provider_and_sku(model)
    return ask("GET", "model", tenant, {"provider": provider, "sku": sku})
