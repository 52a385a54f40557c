"""spendmeter tail."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from typing import Annotated

import typer

from cli._filters import FilterOption, filters
from cli._passing import is_wanted, line_of, passing
from cli._running import fail, running_state
from cli._terminal import say, say_as_json_line
from spendmeter.contracts.topics import USAGE_RATED
from spendmeter.platform.kafka_access import KafkaAccess

POLL_MS = 500
START_S_MAX = 10.0


def command(
    filter: FilterOption = None,
    last: Annotated[
        int, typer.Option(min=0, help="Begin with so many that passed before, of each partition.")
    ] = 0,
    count: Annotated[int, typer.Option(min=0, help="Stop after so many. Default: at Ctrl-C.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print each as JSON on a line.")] = False,
) -> None:
    """Show rated events as they pass: when, what it cost, of what, whose.

    Reads Kafka: KAFKA_BOOTSTRAP_SERVERS and its fellows, else the running system's. Filters by tenant,
    status (priced, free, reported, provisional, unpriced, rejected), source, id, run, and every dimension;
    of one name several values: any of them.

    \b
    Examples:
      spendmeter tail --filter tenant=acme --filter team=search
      spendmeter tail --filter status=unpriced --filter status=rejected --last 1000 --json
    """
    wanted = filters(filter or ())
    environment = os.environ if os.environ.get("KAFKA_BOOTSTRAP_SERVERS") else running_state().environment
    topic = environment.get("SPENDMETER_TOPIC_PREFIX", "") + USAGE_RATED.name

    async def tail(access: KafkaAccess) -> None:
        shown = 0
        async for record in records(access, topic, last):
            said = passing(record)
            if said is None or not is_wanted(said, wanted):
                continue
            if as_json:
                say_as_json_line(said)
            else:
                say(line_of(said))
            shown += 1
            if shown == count:
                return

    try:
        asyncio.run(tail(KafkaAccess.of(environment)))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
    except (OSError, ValueError) as error:
        fail(f"Kafka cannot be read: {str(error) or type(error).__name__}")


async def records(access: KafkaAccess, topic: str, last: int) -> AsyncIterator[bytes]:
    """What is written to the topic from now on, for ever, and the last so many of each partition before. In
    no group: it holds nobody up, and nobody knows of it. Raises OSError where Kafka cannot be read."""
    from aiokafka import AIOKafkaConsumer
    from aiokafka.errors import KafkaError

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what goes wrong is said once, by us
    reader = AIOKafkaConsumer(
        topic,
        **access.options(),
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="latest",
    )
    try:
        async with asyncio.timeout(START_S_MAX):
            await reader.start()
            places = list(reader.assignment())  # without a group: every partition
            beginnings, ends = await reader.beginning_offsets(places), await reader.end_offsets(places)
        if not places:
            raise OSError(f"there is no topic {topic}")
        for place in places:
            reader.seek(place, max(beginnings[place], ends[place] - last))
        while True:
            for batch in (await reader.getmany(timeout_ms=POLL_MS)).values():
                for record in batch:
                    yield record.value
    except KafkaError as trouble:
        raise OSError(str(trouble)) from trouble
    finally:
        await reader.stop()
