"""spendmeter verify."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from cli._running import home
from cli._terminal import say, say_as_json
from deploy.local.state import read_state
from spendmeter.platform.kafka_access import KafkaAccess
from spendmeter.verify.progress import Progress
from spendmeter.verify.report import Report

if TYPE_CHECKING:
    from spendmeter.verify.run import Request

_NOT_CHECKED = 2


def kafka_access(kafka: str | None, running: Mapping[str, str], ours: Mapping[str, str]) -> KafkaAccess:
    """How to reach the broker that was asked for: another than the running system's gets no password of
    its, but that of our own environment."""
    access = KafkaAccess.of(running)
    if kafka in (None, access.servers):
        return access
    return KafkaAccess.of({**ours, "KAFKA_BOOTSTRAP_SERVERS": kafka})


def command(
    submissions: Annotated[
        list[Path] | None, typer.Option(help="A sender's log, .jsonl or .jsonl.gz; may be repeated.")
    ] = None,
    prices: Annotated[Path | None, typer.Option(help="The table of literal prices (TOML).")] = None,
    roots: Annotated[
        list[Path] | None, typer.Option(help="Roots that were kept, as spendmeter chain writes them.")
    ] = None,
    kafka: Annotated[
        str | None, typer.Option(help="HOST:PORT, with KAFKA_SASL_*; else the running system's.")
    ] = None,
    database: Annotated[str | None, typer.Option(help="The owner's URL; else the running system's.")] = None,
    topic_prefix: Annotated[str, typer.Option(envvar="SPENDMETER_TOPIC_PREFIX")] = "",
    archive: Annotated[
        Path | None, typer.Option(help="The folder of archived months (spendmeter archive).")
    ] = None,
    settle: Annotated[float, typer.Option(help="Seconds that events in flight may take.", min=0)] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for programs.")] = False,
) -> None:
    """Prove the book: every event booked once, and priced to the last digit.

    Recomputes everything from the bytes on usage.events, the sender's log and a table of literal prices, by
    code that shares nothing with the services. Says on stderr how far it has come. Exit code 0: all checked,
    all right. 1: something is wrong, and named. 2: something could not be checked, and counted.

    \b
    Examples:
      spendmeter verify
      spendmeter verify --submissions sent.jsonl.gz --prices prices.toml
      spendmeter verify --roots acme-roots.jsonl
      spendmeter verify --json | jq .invariants.I4
    """
    import asyncpg
    from aiokafka.errors import KafkaError
    from rich.console import Console

    from cli._verify import show
    from spendmeter.verify import literals
    from spendmeter.verify.run import Request

    state = read_state(home())
    known = state.environment if state is not None and state.running else os.environ
    access = kafka_access(kafka, known, os.environ)
    database = database or known.get("DATABASE_URL")
    if not access.servers or not database:
        _stop("nothing runs here: name --kafka HOST:PORT and --database URL")
    try:
        request = Request(
            kafka=access,
            database=database,
            topic_prefix=topic_prefix,
            submissions=submissions or (),
            literals=literals.load(prices) if prices else None,
            roots=roots or (),
            archive=archive,
            settle_s=settle,
        )
        report = asyncio.run(_watched(request))
    except (OSError, KeyError, ValueError, KafkaError, asyncpg.PostgresError) as trouble:
        _stop(f"nothing was checked: {type(trouble).__name__}: {trouble}")
    if as_json:
        say_as_json(report.as_json())
    else:
        show(report, Console(highlight=False))
    raise typer.Exit(report.exit_code)


async def _watched(request: Request) -> Report:
    from rich.console import Console

    from cli._verify import shown
    from spendmeter.verify.run import verify

    progress = Progress()
    async with shown(progress, Console(stderr=True, highlight=False, markup=False)):
        return await verify(request, progress)


def _stop(why: str) -> NoReturn:
    say(why, err=True)
    raise typer.Exit(_NOT_CHECKED)
