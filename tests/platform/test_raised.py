"""What an exception says may be what was sent: logs and traces have its kind and where it was raised."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from spendmeter.platform import telemetry
from spendmeter.platform.raised import told

ROOT = Path(__file__).parents[2]
CANARY = "cny-7f3a"


def refused_by_postgres() -> asyncpg.PostgresError:
    error = asyncpg.UniqueViolationError("duplicate key value violates unique constraint")
    error.detail = f"Key (tenant, name)=(acme, {CANARY}) already exists."
    return error


def raised(error: BaseException) -> str:
    try:
        raise error
    except type(error) as caught:
        return told((type(caught), caught, caught.__traceback__))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (refused_by_postgres(), "asyncpg.exceptions.UniqueViolationError"),
        (asyncpg.DataError(f"invalid input for query argument $1: '{CANARY}'"), "asyncpg.exceptions.DataError"),
        (KeyError(CANARY), "KeyError"),
        (ValueError(f"invalid literal for int() with base 10: '{CANARY}'"), "ValueError"),
        (ExceptionGroup(CANARY, [KeyError(CANARY)]), "ExceptionGroup"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)  # fmt: skip
def test_what_may_be_a_value_is_not_told(error: Exception, kind: str) -> None:
    lines = raised(error).splitlines()
    assert kind in lines
    assert CANARY not in str(lines)


def test_what_cannot_be_one_is_and_so_is_all_that_came_before_and_lies_in_it() -> None:
    def deep() -> None:
        try:
            int(CANARY)
        except ValueError as error:
            raise RuntimeError("the server ended by itself") from error

    def both() -> None:
        try:
            deep()
        except RuntimeError as error:
            raise ExceptionGroup(CANARY, [error, KeyError(CANARY)]) from None

    with pytest.raises(ExceptionGroup) as caught:
        both()
    text = told((type(caught.value), caught.value, caught.value.__traceback__))
    found = [line for line in text.splitlines() if line.startswith(("V", "R", "K", "E"))]
    assert found == ["ExceptionGroup", "ValueError", "RuntimeError: the server ended by itself", "KeyError"]
    assert "in deep" in text
    assert CANARY not in text.replace("int(CANARY)", "")


def test_no_log_line_of_a_process_repeats_one_not_even_its_last() -> None:
    """Of ours, of a library's, of asyncio's about a task that nobody awaited, of the interpreter's at its end."""
    script = (
        "import asyncio, gc, logging\n"
        "from spendmeter.platform.settings import Settings\n"
        "from spendmeter.platform.telemetry import log, start_telemetry\n"
        "start_telemetry('test', Settings())\n"
        f"value = '{CANARY}'.upper()\n"
        "async def broken(): int(value)\n"
        "async def forgotten():\n"
        "    task = asyncio.create_task(broken())\n"
        "    await asyncio.sleep(0)\n"
        "    del task\n"
        "    gc.collect()\n"
        "try: int(value)\n"
        "except ValueError as error:\n"
        "    log().error('an import broke', exc_info=error)\n"
        "    logging.getLogger('uvicorn.error').error('Exception in ASGI application\\n', exc_info=error)\n"
        "asyncio.run(forgotten())\n"
        "int(value)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert CANARY.upper() not in done.stdout + done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["event"] for line in lines] == [
        "an import broke", "Exception in ASGI application", "Task exception was never retrieved", "ended by a bug",
    ]  # fmt: skip
    assert all(line["exception"].endswith("ValueError") for line in lines)


def test_a_span_has_the_kind_of_what_was_raised_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    spans, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    monkeypatch.setattr(telemetry, "tracer", lambda: provider.get_tracer("test"))

    def book(what: Any) -> None:
        with telemetry.current_span("ledger book"):
            raise what

    with pytest.raises(asyncpg.UniqueViolationError):
        book(refused_by_postgres())
    (span,) = spans.get_finished_spans()
    assert (span.name, span.status.is_ok, span.status.description) == (
        "ledger book", False, "asyncpg.exceptions.UniqueViolationError",
    )  # fmt: skip
    assert CANARY not in span.to_json()


def test_every_span_of_the_services_is_one_of_these() -> None:
    makers = {
        path.name
        for folder in ("services", "spendmeter")
        for path in (ROOT / folder).rglob("*.py")
        if "start_as_current_span" in path.read_text("utf-8")
    }
    assert makers == {"telemetry.py"}
