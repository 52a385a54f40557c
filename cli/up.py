"""spendmeter up."""

import os
import signal
import time
from types import FrameType
from typing import Annotated

import typer

from cli._running import fail, home
from cli._terminal import say
from cli._welcome import welcome
from deploy.local.home import Home
from deploy.local.processes import gone
from deploy.local.services import LEDGERS_MAX
from deploy.local.state import SystemState, read_state
from spendmeter.platform.kafka_access import KafkaAccess
from spendmeter.platform.settings import Settings

STATE_SECONDS_MAX = 60.0
"""How long a new supervisor may take to write its first state (it may have orphans to stop first)."""


def command(
    no_demo: Annotated[bool, typer.Option("--no-demo", help="Send no demo traffic.")] = False,
    history: Annotated[
        int,
        typer.Option(
            envvar="SPENDMETER_DEMO_HISTORY_DAYS",
            metavar="DAYS",
            min=0,
            max=365,
            help="What the demo tells of first; 0 = none, and then all of its traffic costs something.",
        ),
    ] = 60,
    ledgers: Annotated[
        int,
        typer.Option(
            envvar="SPENDMETER_LEDGERS", min=1, max=LEDGERS_MAX, help="How many ledgers share the partitions."
        ),
    ] = 1,
    detach: Annotated[bool, typer.Option("--detach", help="Return when everything is ready.")] = False,
    kafka: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Use this Kafka, not the embedded one.")
    ] = None,
    database: Annotated[
        str | None, typer.Option(metavar="URL", help="Use this Postgres: the owner's URL of a database.")
    ] = None,
) -> None:
    """Start Kafka, Postgres and the eight services, and show what happens until Ctrl-C.

    \b
    Examples:
      spendmeter up
      spendmeter up --no-demo --detach
      spendmeter up --history 0
      spendmeter up --ledgers 2
      spendmeter up --kafka broker:9092 --database postgresql://owner:secret@db:5432/spendmeter
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    place, mine = home(), False
    state = read_state(place)
    try:
        if state is not None and state.running:
            say(f"Spendmeter runs already (supervisor pid {state.supervisor_pid}).")
        else:
            mine = True
            state = _start(
                place, no_demo=no_demo, history=history, ledgers=ledgers, kafka=kafka, database=database
            )
        state = _follow(place, state)
        say(*welcome(state.environment, home=str(place.root)).splitlines())
        if not detach:
            from cli import _progress

            say("", f"Ctrl-C {'stops everything' if mine else 'leaves it running'}.", "")
            _progress.show(place, state)
    except KeyboardInterrupt:
        _leave(place, mine=mine)


def _start(
    place: Home, *, no_demo: bool, history: int, ledgers: int, kafka: str | None, database: str | None
) -> SystemState:
    """Starts a supervisor and returns its first state."""
    from deploy.local import control
    from deploy.local.supervisor import Options

    settings = Settings()
    options = Options(
        home=str(place.root),
        kafka=KafkaAccess.of({**os.environ, "KAFKA_BOOTSTRAP_SERVERS": kafka}) if kafka else None,
        database=database,
        demo=not no_demo,
        history_days=history,
        topic_prefix=settings.topic_prefix,
        partitions=settings.partitions,
        ledgers=ledgers,
    )
    try:
        supervisor = control.start(place, options)
    except OSError as trouble:
        fail(f"{place.root} cannot be used: {trouble}")
    deadline = time.monotonic() + STATE_SECONDS_MAX
    while True:
        state = read_state(place)
        if state is not None and state.supervisor_pid == supervisor.pid:
            return state
        if supervisor.poll() is not None or time.monotonic() > deadline:
            fail(f"the supervisor did not start: see {place.logs / 'supervisor.log'}")
        time.sleep(0.05)


def _follow(place: Home, state: SystemState) -> SystemState:
    """Prints the steps until everything is ready; ends the command when the start fails."""
    shown = 0
    while True:
        for message in [message for message in state.messages if message.number > shown]:
            say(f"  {message.text}")
            shown = message.number
        if state.phase == "ready":
            return state
        if state.phase != "starting" or not state.running:
            gone(state.supervisor, STATE_SECONDS_MAX)  # it stops what it had started
            why = state.failure or "the supervisor ended"
            fail(f"Spendmeter did not start: {why}\nLogs: {place.logs}")
        time.sleep(0.1)
        state = read_state(place) or state


def _leave(place: Home, *, mine: bool) -> None:
    """What Ctrl-C does: whoever started the system stops it, whoever only watched it leaves it running."""
    if not mine:
        say("", "Still running. Stop it: make down, or spendmeter down")
        return
    from deploy.local import control

    say("", "Stopping ...")
    control.stop(place)
    say(
        f"Stopped. What was booked survives in {place.data}",
        "Start again: make up      Remove the data: make clean",
    )


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
