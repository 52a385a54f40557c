"""The supervisor with real Kafka and Postgres and stand-ins for the services; the commands around it."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil
import pytest

from deploy.local import home as homes
from deploy.local.home import CLONE, Home
from deploy.local.keeper import BACKOFF_FIRST_S, BACKOFF_MAX_S, backoff_s
from deploy.local.processes import LOG_BYTES_MAX, Identity, bound, launch
from deploy.local.services import SERVICES
from deploy.local.state import Board, ProcessEntry, SystemState, read_state
from deploy.local.supervisor import OPTIONS_VARIABLE, Options
from spendmeter.platform.kafka_access import KafkaAccess

STANDINS = Path(__file__).with_name("standins")
OFFLINE = Path(__file__).with_name("offline.py")


def eventually(what: str, condition: Callable[[], bool], within_s: float = 120) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.05)


@dataclass
class System:
    """A home, the folder its stand-ins write to, and the supervisor that was started last."""

    home: Home
    folder: Path
    supervisor: subprocess.Popen[bytes] | None = None

    def start(self, *wrapper: str, **options: object) -> None:
        asked = Options(home=str(self.home.root), demo=False, **options)  # type: ignore[arg-type]
        environment = os.environ | {
            OPTIONS_VARIABLE: msgspec.json.encode(asked).decode(),
            "PYTHONPATH": str(CLONE),
            "STANDIN_FOLDER": str(self.folder),
        }
        command = [*wrapper, sys.executable, str(STANDINS / "launch.py")]
        self.supervisor = subprocess.Popen(command, env=environment, start_new_session=True)

    def wait_until_ready(self) -> None:
        assert self.supervisor is not None
        pid = self.supervisor.pid
        eventually("ready", lambda: self.state.supervisor_pid == pid and self.state.phase == "ready")

    @property
    def state(self) -> SystemState:
        return read_state(self.home) or SystemState(supervisor_pid=0, supervisor_started_s=0)

    def process(self, name: str) -> ProcessEntry:
        return next(entry for entry in self.state.processes if entry.name == name)

    def said(self, text: str) -> bool:
        return any(text in message.text for message in self.state.messages)

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"SPENDMETER_HOME": str(self.home.root)}
        command = [CLONE / "bin" / "spendmeter", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)

    def kill_everything(self) -> list[psutil.Process]:
        assert self.supervisor is not None
        victims = [entry.identity.process() for entry in self.state.processes]
        self.supervisor.kill()
        self.supervisor.wait()
        for victim in filter(None, victims):
            victim.kill()
        return [victim for victim in victims if victim]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Started once, with the port that it wants for the ledger already taken."""
    folder = tmp_path_factory.mktemp("a system")
    system = System(home=Home(folder / "home of it"), folder=folder)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        facts = homes.recall(system.home)
        homes.remember(system.home, homes.with_ports(facts, {"ledger": _port(taken)}))
        system.start()
        try:
            system.wait_until_ready()
            yield system
        finally:
            assert system.supervisor is not None
            system.supervisor.terminate()
            system.supervisor.wait(120)
            system.cli("down")


def _port(server: socket.socket) -> int:
    return int(server.getsockname()[1])


def test_everything_is_recorded_as_ready_in_the_order_of_its_start(system: System) -> None:
    names = [entry.name for entry in system.state.processes]
    assert set(names[:2]) == {"kafka", "postgres"}
    assert tuple(names[2:]) == SERVICES
    assert {entry.state for entry in system.state.processes} == {"ready"}


def test_a_taken_port_is_left_alone_and_the_move_is_said_and_remembered(system: System) -> None:
    moved = system.process("ledger").port
    assert system.said(f"is taken: ledger uses {moved}")
    assert homes.recall(system.home).ports["ledger"] == moved


def test_each_service_gets_its_own_role_and_rating_none(system: System) -> None:
    given = {name: json.loads((system.folder / f"{name}.json").read_text()) for name in SERVICES}
    assert "DATABASE_URL" not in given["rating"]
    for name in set(SERVICES) - {"rating"}:
        assert f"//spendmeter_{name}:" in given[name]["DATABASE_URL"]
    assert {env["KAFKA_BOOTSTRAP_SERVERS"] for env in given.values()} == {
        f"127.0.0.1:{system.process('kafka').port}"
    }
    assert {env["SPENDMETER_HOST"] for env in given.values()} == {"127.0.0.1"}


def test_env_prints_lines_that_a_shell_can_read(system: System) -> None:
    printed = system.cli("env").stdout
    script = printed + 'echo "$SPENDMETER_API_KEY $DATABASE_URL $SPENDMETER_PORTAL_URL"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    key, database, portal = done.stdout.split()
    assert key == "sm_demo_key"
    assert database.endswith("/spendmeter")
    assert portal == f"http://127.0.0.1:{system.process('api').port}/"


def test_status_tells_what_runs_and_what_it_could_not_ask(system: System) -> None:
    report = json.loads(system.cli("status", "--json").stdout)
    assert [entry["name"] for entry in report["processes"]] == [e.name for e in system.state.processes]
    assert all(entry["pid"] and entry["memory_bytes"] > 1e6 for entry in report["processes"])
    assert report["groups"] == []
    assert any("event counts" in problem for problem in report["problems"])
    assert "postgres" in system.cli("status").stdout


def test_a_second_up_attaches_and_its_end_stops_nothing(system: System) -> None:
    environment = os.environ | {"SPENDMETER_HOME": str(system.home.root), "PYTHONUNBUFFERED": "1"}
    command = [CLONE / "bin" / "spendmeter", "up"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as second:
        assert second.stdout is not None
        shown = ""
        while "Ctrl-C" not in shown:
            shown += second.stdout.readline() or pytest.fail(shown)
        second.send_signal(signal.SIGINT)
        shown += second.stdout.read()
    assert second.returncode == 0
    assert "runs already" in shown
    assert "Authorization: Bearer sm_demo_key" in shown
    assert "Still running" in shown
    assert system.state.running


def test_a_second_supervisor_of_one_home_gives_up(system: System) -> None:
    other = System(home=system.home, folder=system.folder)
    other.start()
    assert other.supervisor is not None
    assert other.supervisor.wait(120) == 1
    assert system.state.running


def test_a_killed_service_is_started_again_and_counted(system: System) -> None:
    before = system.process("rating")
    os.kill(before.pid, signal.SIGKILL)
    eventually("rating is back", lambda: _is_back(system, before))
    assert system.process("rating").restarts == before.restarts + 1
    assert system.said(f"rating (pid {before.pid}) was ended by SIGKILL: restart")


def test_a_service_that_cannot_stay_up_is_tried_ever_more_slowly(system: System) -> None:
    before = system.process("alerts")
    (system.folder / "fail-alerts").touch()
    os.kill(before.pid, signal.SIGKILL)
    eventually("three more tries", lambda: system.process("alerts").restarts >= before.restarts + 3)
    (system.folder / "fail-alerts").unlink()
    eventually("alerts is back", lambda: system.process("alerts").state == "ready")
    assert system.said("ended with status 7")


def test_a_killed_broker_and_a_killed_database_come_back_on_their_ports(system: System) -> None:
    before = [system.process(name) for name in ("kafka", "postgres")]
    for entry in before:
        os.kill(entry.pid, signal.SIGKILL)
    for entry in before:
        eventually(f"{entry.name} is back", lambda entry=entry: _is_back(system, entry))  # type: ignore[misc]
        assert system.process(entry.name).port == entry.port


def _is_back(system: System, before: ProcessEntry) -> bool:
    now = system.process(before.name)
    return now.state == "ready" and now.pid != before.pid


def test_after_a_kill_of_everything_the_next_start_works(system: System) -> None:
    for victim in system.kill_everything():
        eventually("gone", lambda victim=victim: not victim.is_running() or victim.status() == "zombie")  # type: ignore[misc]
    assert system.cli("status").returncode == 1
    system.start()
    system.wait_until_ready()


def test_what_a_killed_supervisor_left_is_stopped_before_the_next_start(system: System) -> None:
    assert system.supervisor is not None
    left = {entry.name: entry.identity for entry in system.state.processes}
    ports = {entry.name: entry.port for entry in system.state.processes}
    system.supervisor.kill()
    system.supervisor.wait()
    assert all(identity.process() for identity in left.values())
    system.start()
    system.wait_until_ready()
    assert not any(identity.process() for identity in left.values())
    assert system.said("left by a supervisor that was killed")
    assert {entry.name: entry.port for entry in system.state.processes} == ports


def test_down_stops_everything_and_says_what(system: System) -> None:
    ran = {entry.name: entry.identity for entry in system.state.processes}
    done = system.cli("down")
    assert done.returncode == 0
    assert all(name in done.stdout for name in ran)
    assert not any(identity.process() for identity in ran.values())
    assert system.state.phase == "stopped"
    assert system.cli("env").returncode == 1
    assert "spendmeter up" in system.cli("env").stderr


def test_a_second_start_needs_no_network(system: System) -> None:
    if subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode != 0:
        pytest.skip("this account may not make a network namespace")
    system.start("unshare", "-n", sys.executable, str(OFFLINE))
    system.wait_until_ready()
    assert {entry.state for entry in system.state.processes} == {"ready"}


def test_the_back_off_doubles_up_to_its_bound() -> None:
    assert [backoff_s(deaths) for deaths in (1, 2, 3)] == [BACKOFF_FIRST_S, 0.5, 1.0]
    assert backoff_s(1000) == BACKOFF_MAX_S


def test_a_process_with_a_reused_id_is_not_taken_for_the_recorded_one() -> None:
    mine = Identity.of(os.getpid())
    assert mine.process() is not None
    assert Identity(pid=mine.pid, started_s=mine.started_s - 60).process() is None
    assert Identity(pid=0, started_s=0.0).process() is None


def test_a_disk_that_takes_nothing_does_not_end_the_supervision(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.create()
    board = Board(home, Identity.of(os.getpid()))
    home.state.unlink()
    home.run.rmdir()
    board.say("the ledger died")
    assert board.state.messages[-1].text == "the ledger died"
    home.run.mkdir()
    board.enter("ready")
    assert read_state(home) == board.state


def test_a_log_is_cut_under_its_writer_and_its_last_part_kept(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    with log.open("ab") as writer:
        writer.write(b"a" * (LOG_BYTES_MAX + 1))
        writer.flush()
        bound(log)
        writer.write(b"after")
    assert log.read_bytes() == b"after"
    assert (tmp_path / "x.log.1").stat().st_size == LOG_BYTES_MAX + 1


def test_a_log_and_its_last_part_are_read_by_their_owner_alone(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(b"a" * (LOG_BYTES_MAX + 1))
    log.chmod(0o644)  # an earlier release's
    launch([sys.executable, "-c", "print('more')"], log, folder=tmp_path, environment={}).wait(60)
    log.write_bytes(b"a" * (LOG_BYTES_MAX + 1))
    bound(log)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("x.log*")}
    assert modes["x.log"] == modes["x.log.1"] == 0o600


def test_a_start_that_cannot_succeed_is_given_up_with_the_programs_last_words(tmp_path: Path) -> None:
    (tmp_path / "fail-rating").touch()
    system = System(home=Home(tmp_path / "home"), folder=tmp_path)
    system.start(
        kafka=KafkaAccess(servers="yours:9092"), database="postgresql://owner:secret@yours:5432/money"
    )
    assert system.supervisor is not None
    assert system.supervisor.wait(120) == 1
    assert system.state.phase == "failed"
    assert "rating ended 5 times" in system.state.failure
    assert "rating cannot start today" in system.state.failure
    assert {entry.state for entry in system.state.processes} == {"stopped"}


def test_with_your_own_kafka_and_postgres_only_the_services_run(tmp_path: Path) -> None:
    system = System(home=Home(tmp_path / "home"), folder=tmp_path)
    system.start(
        kafka=KafkaAccess(servers="yours:9092"), database="postgresql://owner:secret@yours:5432/money"
    )
    try:
        system.wait_until_ready()
        assert tuple(entry.name for entry in system.state.processes) == SERVICES
        given = json.loads((tmp_path / "ledger.json").read_text())
        assert given["KAFKA_BOOTSTRAP_SERVERS"] == "yours:9092"
        assert given["DATABASE_URL"].startswith("postgresql://money_ledger:")
        assert given["DATABASE_URL"].endswith("@yours:5432/money")
    finally:
        assert system.cli("down").returncode == 0
