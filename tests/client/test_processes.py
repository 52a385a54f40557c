"""Forked workers, pools, gunicorn, and what is sent when a process ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from spendmeter_client import Meter
from tests.client.stand_in import StandIn
from tests.house.sources import ROOT
from tests.ports import free_port

CLIENT = ROOT / "clients" / "python" / "src"
AT_ONCE = """
import os, sys
from spendmeter_client import Meter
meter = Meter(linger_s=60, exit_s=30)
def record(name):
    meter.record(provider="openai", model="gpt-4o", usage={"input_tokens": 5}, id=name)
"""


def started(server: StandIn, program: str) -> subprocess.Popen[str]:
    environment = os.environ | {
        "SPENDMETER_URL": server.url,
        "SPENDMETER_KEY": "k",
        "PYTHONPATH": str(CLIENT),
    }
    return subprocess.Popen(
        [sys.executable, "-c", AT_ONCE + program], env=environment, stderr=subprocess.PIPE, text=True
    )


def ran(server: StandIn, program: str) -> str:
    """What it printed to stderr; it has to end by itself, and well."""
    process = started(server, program)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    return errors


def test_what_waits_is_sent_when_the_program_ends(server: StandIn) -> None:
    assert ran(server, "for n in range(3): record(str(n))") == ""
    assert server.ids() == ["0", "1", "2"]


def test_what_waits_is_sent_when_the_program_fails(server: StandIn) -> None:
    process = started(server, "record('a'); raise SystemExit(3)")
    process.communicate(timeout=30)
    assert (process.returncode, server.ids()) == (3, ["a"])


def test_what_an_exit_handler_records_is_sent(server: StandIn) -> None:
    ran(server, "import atexit\nrecord('first')\natexit.register(record, 'last')")
    assert sorted(server.ids()) == ["first", "last"]


def test_the_first_thing_recorded_may_be_in_an_exit_handler(server: StandIn) -> None:
    ran(server, "import atexit\natexit.register(lambda: (record('only'), meter.flush(5)))")
    assert server.ids() == ["only"]


def test_a_program_without_a_server_ends_soon_and_says_what_is_lost(server: StandIn) -> None:
    began = time.monotonic()
    program = f"meter = Meter('http://127.0.0.1:{free_port()}', exit_s=0.3)\nrecord('a')"
    errors = ran(server, program)
    assert time.monotonic() - began < 10
    assert "dropped 1 event(s), not delivered before the end" in errors


def test_a_child_sends_its_own_and_never_its_parents(server: StandIn) -> None:
    ran(
        server,
        """
record("parent before")
child = os.fork()
if child == 0:
    assert meter.stats.recorded == 0
    record("child")
    sys.exit(0)
os.waitpid(child, 0)
record("parent after")
""",
    )
    assert sorted(server.ids()) == ["child", "parent after", "parent before"]


def test_a_child_that_is_forked_while_its_parent_sends_is_not_held_up(server: StandIn) -> None:
    ran(
        server,
        """
import threading
going = True
def work():
    n = 0
    while going:
        record(f"parent {threading.get_ident()} {n}"); n += 1
        meter.stats
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
children = []
for child in range(20):
    pid = os.fork()
    if pid == 0:
        record(f"child {child}")
        os._exit(0 if meter.flush(10) else 1)
    children.append(pid)
failed = [pid for pid in children if os.waitpid(pid, 0)[1]]
going = False
for thread in threads: thread.join()
meter.flush(20)
assert not failed, failed
""",
    )
    ids = server.ids()
    assert len(set(ids)) == len(ids)
    assert {name for name in ids if name.startswith("child")} == {f"child {n}" for n in range(20)}


def test_workers_of_celery_which_leave_by_their_signal_and_without_atexit_send_what_they_recorded(
    server: StandIn,
) -> None:
    ran(
        server,
        """
import types
class Signal:  # of celery's what is used of it
    def __init__(self): self.receivers = []
    def connect(self, receiver, weak=True): self.receivers.append(receiver)
    def send(self, **said): [receiver(signal=self, **said) for receiver in self.receivers]
shutdown = Signal()
sys.modules["celery.signals"] = types.SimpleNamespace(worker_process_shutdown=shutdown)
record("parent")
child = os.fork()
if child == 0:
    record("task")
    shutdown.send(pid=os.getpid(), exitcode=0)
    os._exit(0)
os.waitpid(child, 0)
""",
    )
    assert sorted(server.ids()) == ["parent", "task"]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_of_multiprocessing_send_what_they_recorded_when_they_end(
    server: StandIn, tmp_path: Path, method: str
) -> None:
    program = tmp_path / "program.py"
    program.write_text(f"""{AT_ONCE}
if __name__ == "__main__":
    import multiprocessing
    record("parent")
    context = multiprocessing.get_context({method!r})
    children = [context.Process(target=record, args=(f"child {{n}}",)) for n in range(3)]
    for child in children: child.start()
    for child in children: child.join()
    sys.exit(any(child.exitcode for child in children))
""")
    environment = os.environ | {
        "SPENDMETER_URL": server.url,
        "SPENDMETER_KEY": "k",
        "PYTHONPATH": str(CLIENT),
    }
    done = subprocess.run(
        [sys.executable, program], env=environment, capture_output=True, text=True, timeout=60
    )
    assert (sorted(server.ids()), done.returncode, done.stderr) == (
        ["child 0", "child 1", "child 2", "parent"], 0, "",
    )  # fmt: skip


def test_the_workers_of_a_gunicorn_send_what_they_recorded_when_it_is_stopped(
    server: StandIn, tmp_path: Path
) -> None:
    (tmp_path / "shop.py").write_text(f"""{AT_ONCE}
record("master")
def app(environ, start_response):
    record(environ["PATH_INFO"] + " " + str(os.getpid()))
    start_response("204 No Content", [])
    return []
""")
    port = free_port()
    environment = os.environ | {
        "SPENDMETER_URL": server.url, "SPENDMETER_KEY": "k", "PYTHONPATH": f"{CLIENT}:{tmp_path}",
    }  # fmt: skip
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "--preload",
        "-w",
        "2",
        "-b",
        f"127.0.0.1:{port}",
        "shop:app",
    ]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        paths = [f"/{n}" for n in range(40)]
        threads = [
            threading.Thread(target=httpx.get, args=(f"http://127.0.0.1:{port}{path}",)) for path in paths
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    named = [name.split() for name in server.ids()]
    assert sorted(name[0] for name in named) == sorted([*paths, "/ready", "master"])


def test_a_meter_that_nobody_holds_any_more_sends_what_it_was_told(server: StandIn) -> None:
    Meter(server.url, "k", linger_s=0.05).record(provider="openai", model="gpt-4o", usage={"input_tokens": 5})
    until = time.monotonic() + 10
    while not server.taken:
        assert time.monotonic() < until
        time.sleep(0.01)


def _wait_for(port: int) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/ready").close()  # it is recorded as well
        except httpx.TransportError:
            assert time.monotonic() < until
            time.sleep(0.05)
