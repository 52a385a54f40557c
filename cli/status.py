"""spendmeter status."""

import asyncio
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from cli._counts import OUTCOMES, in_flight_text, proved_text, read_counts
from cli._http import NoAnswer
from cli._options import JsonOption
from cli._projections import behind_text, read_behind
from cli._rounded import rounded
from cli._running import home, running_state
from cli._terminal import say, say_as_json
from deploy.local.services import PROBE_SECONDS_MAX, SILENT, why_not_ready
from deploy.local.state import ProcessEntry, SystemState
from spendmeter.platform.kafka_access import KafkaAccess

KAFKA_SECONDS_MAX = 3.0
"""Kafka answers in milliseconds; what is away is said, and not waited for."""
SERVERS = ("kafka", "postgres")
"""Asked by the supervisor every two seconds; every other process is asked here."""


def command(
    as_json: JsonOption = False,
) -> None:
    """Show each process, the lag of each consumer group, and where the events are.

    \b
    Examples:
      spendmeter status
      spendmeter status --json | jq '.processes[] | select(.restarts > 0)'
    """
    state = running_state()
    report: dict[str, Any] = {"phase": state.phase, "home": str(home().root), "problems": []}
    report["processes"] = _processes(state)
    report["groups"], report["events"] = [], None
    correctors = [entry.port for entry in state.processes if entry.name == "corrector"]
    report["projections"] = read_behind(correctors[0]) if correctors else {}
    try:
        report["events"] = read_counts(state.environment)
    except NoAnswer as why:
        report["problems"].append(f"no event counts: {why}")
    try:
        report["groups"] = asyncio.run(_groups(state.environment))
    except (OSError, TimeoutError, LookupError) as why:
        report["problems"].append(f"no lag: Kafka cannot be asked ({str(why) or type(why).__name__})")
    say_as_json(report) if as_json else _show(report)


def _processes(state: SystemState) -> list[dict[str, Any]]:
    with ThreadPoolExecutor(len(state.processes) or 1) as pool:  # all at once: several may not answer
        states = list(pool.map(_state_now, state.processes))
    return [
        {
            "name": entry.name,
            "pid": entry.pid,
            "restarts": entry.restarts,
            "state": said,
            "trouble": lacking,
            "port": entry.port,
            "memory_bytes": _memory_bytes(entry),
            "log": entry.log,
        }
        for entry, (said, lacking) in zip(state.processes, states, strict=True)
    ]


def _state_now(entry: ProcessEntry) -> tuple[str, str]:
    """What the process is now, and what it lacks; of one that is silent, for how long."""
    if entry.state != "ready":
        return entry.state, ""
    lacking = (entry.trouble or None) if entry.name in SERVERS else why_not_ready(entry.port)
    if lacking is None:
        return "ready", ""
    if lacking != SILENT and entry.name not in SERVERS:
        return "not ready", lacking
    if not entry.trouble:
        return "slow", f"no answer within {PROBE_SECONDS_MAX:g} s"
    return "frozen", f"no answer for {time.monotonic() - entry.worked_s:.0f} s"


def _memory_bytes(entry: ProcessEntry) -> int:
    """Of the process and its children; pages that they share count once where the system can tell."""
    import psutil

    process, total = entry.identity.process(), 0
    with suppress(psutil.Error):
        for part in [process, *process.children(recursive=True)] if process else []:
            memory = part.memory_full_info()
            total += getattr(memory, "pss", memory.uss)
    return total


async def _groups(environment: dict[str, str]) -> list[dict[str, Any]]:
    """The lag of every consumer group: what each has not committed yet, summed over its partitions."""
    from aiokafka import AIOKafkaConsumer
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.errors import KafkaError

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what goes wrong is said once, by us
    options = KafkaAccess.of(environment).options()
    admin, reader = AIOKafkaAdminClient(**options), AIOKafkaConsumer(**options)
    try:
        async with asyncio.timeout(KAFKA_SECONDS_MAX):
            await admin.start()
            await reader.start()
            groups = []
            for group, *_ in sorted(await admin.list_consumer_groups()):
                offsets = await admin.list_consumer_group_offsets(group)
                committed = {at: meta.offset for at, meta in offsets.items() if meta.offset >= 0}
                ends = await reader.end_offsets(list(committed)) if committed else {}
                lag = sum(max(0, ends[at] - offset) for at, offset in committed.items())
                groups.append({"group": group, "lag": lag, "partitions": len(committed)})
            return groups
    except KafkaError as trouble:
        raise OSError(str(trouble)) from trouble
    finally:
        await reader.stop()
        await admin.close()


def _figures(counts: dict[str, Any]) -> Iterator[str]:
    for name in ("in", *OUTCOMES, "holes"):
        yield f"{name} unknown" if counts[name] is None else f"{name} {counts[name]:,}"


def _remarked(money: dict[str, Any]) -> str:
    """What was priced without regard to how it was served, in one currency."""
    kinds = ", ".join(f"{kind} {rounded(each['effective'])}" for kind, each in money["by_kind"].items())
    return (
        f"at prices that do not say how it was served: {rounded(money['effective'])} {money['currency']} "
        f"of {money['events']:,} events ({kinds}); see spendmeter catalog inbox"
    )


def _headline(report: dict[str, Any]) -> str:
    """The system's phase; that it is ready is said while every process is."""
    lacking = [each["name"] for each in report["processes"] if each["state"] != "ready"]
    if report["phase"] == "ready" and lacking:
        return f"running, but not all of it is ready: {', '.join(lacking)}"
    return str(report["phase"])


def _show(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    say(f"Spendmeter: {_headline(report)} (home {report['home']})")
    processes = Table("process", "pid", "state", "restarts", "memory", "port", box=None, pad_edge=False)
    for entry in report["processes"]:
        memory = f"{entry['memory_bytes'] / 1e6:.0f} MB"
        state = ": ".join(filter(None, (entry["state"], entry["trouble"])))
        row = (entry["name"], entry["pid"], state, entry["restarts"], memory, entry["port"])
        processes.add_row(*map(str, row))
    console.print(processes)
    if report["groups"]:
        groups = Table("consumer group", "lag", "partitions", box=None, pad_edge=False)
        for group in report["groups"]:
            groups.add_row(group["group"], str(group["lag"]), str(group["partitions"]))
        console.print(groups)
    if report["events"]:
        counts = report["events"]
        say("events: " + ", ".join([*_figures(counts), f"in flight {in_flight_text(counts)}"]))
        say(f"the book: {proved_text(counts['proved_until'])} (spendmeter proof)")
        if counts["conflict"] or counts["rejected"]:
            say("what was not booked, why, and what to do: spendmeter unbooked")
        for money in counts["remarks"]:
            say(_remarked(money))
    if report["projections"]:
        say(behind_text(report["projections"]))
    for problem in report["problems"]:
        say(problem)
