"""An older backup of the database is put in its place, while Kafka keeps what came since."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from contextlib import suppress
from urllib.parse import unquote, urlsplit

from deploy.local.postgres import PACKAGED
from tests.faults.kinds.frozen import corrections_of
from tests.faults.trial import Scene
from tests.flow.system import UP_SECONDS_MAX, System

SINCE_S = 20.0
"""So long events come, and some are corrected, that the backup does not have."""


def back_up(system: System) -> None:
    """While it is written to."""
    url = urlsplit(system.owner_url)
    command = [
        PACKAGED / "bin" / "pg_basebackup",
        "-D",
        system.folder / "backup",
        "-X",
        "stream",
        "-c",
        "fast",
    ]
    command += ["-h", "127.0.0.1", "-p", str(url.port), "-U", str(url.username)]
    environment = os.environ | {"PGPASSWORD": unquote(url.password or "")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"no backup: {done.stderr}"


def restore(system: System) -> None:
    """Put the backup in the database's place; Kafka stays as it is."""
    system.stop()
    data, backup = system.folder / "data" / "postgres", system.folder / "backup"
    owner, mode = data.stat(), data.stat().st_mode
    shutil.rmtree(data)
    backup.rename(data)
    for path in (data, *data.rglob("*")):
        with suppress(FileNotFoundError):
            os.chown(path, owner.st_uid, owner.st_gid)
    data.chmod(mode & 0o777)
    system.cli("up", "--detach", "--no-demo", timeout=UP_SECONDS_MAX)


async def older(scene: Scene) -> str:
    """What came and what was corrected since comes again from the topics."""
    booked = "SELECT count(*) FROM entries"
    await asyncio.to_thread(back_up, scene.system)
    had = await scene.owner.fetchval(booked)
    await asyncio.sleep(SINCE_S * scene.scale)
    corrections = await corrections_of(scene, f"backup-{scene.seed}")
    await corrections.ask(scene.system, scene.owner)
    await corrections.settle(scene.owner)
    before = await scene.owner.fetchval(booked)
    await asyncio.to_thread(restore, scene.system)
    owner = await scene.system.database()
    try:
        came = await owner.fetchval(booked)
        await corrections.settle(owner)
    finally:
        await owner.close()
    return f"a backup of {had:,} entries put in the place of {before:,}; {came:,} when the services were up again"
