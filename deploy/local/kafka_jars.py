"""Provides Apache Kafka as one folder of jars (`jars.py`).

    python -m deploy.local.kafka_jars               fetch what is missing, verify everything
    python -m deploy.local.kafka_jars --write-lock  resolve ROOTS anew and rewrite kafka.lock

The jars belong to the clone, as .venv does: they are an installation, not somebody's state.
"""

import os
import sys
import time
from pathlib import Path

from deploy.local.jars import JarRefused, locked, missing, progress, provide, write_lock

ROOTS = ("org.apache.kafka:kafka_2.13:4.4.0", "org.slf4j:slf4j-simple:1.7.36")
"""Kafka itself, and a binding for its logging: the published dependencies have none, and it would be mute."""
LOCK = Path(__file__).with_name("kafka.lock")
FOLDER = Path(__file__).resolve().parents[2] / ".spendmeter" / "kafka" / "lib"


def verified(folder: Path = FOLDER) -> Path:
    """The folder, once it is proved to hold exactly the locked jars; JarRefused otherwise."""
    if absent := missing(folder, locked(LOCK)):
        raise JarRefused(f"{absent[0].coordinate} is not in {folder}: run 'make install'")
    return folder


def _resolved() -> set[str]:
    """The coordinates of ROOTS and of all they need."""
    import jgo

    return {
        f"{found.groupId}:{found.artifactId}:{found.version}" for root in ROOTS for found in jgo.resolve(root)
    }


def main() -> int:
    """The command: 0 when the folder verifies, 1 with the reason when it cannot."""
    started = time.monotonic()
    try:
        if "--write-lock" in sys.argv[1:]:
            print(f"kafka.lock: {write_lock(LOCK, _resolved(), 'Kafka')} jars pinned")
        fetched = provide(FOLDER, LOCK, "Kafka")
    except (JarRefused, ConnectionError, OSError, ValueError) as trouble:
        print(f"{os.linesep}{trouble}", file=sys.stderr)
        return 1
    progress("\n" if fetched else "")
    jars = len(locked(LOCK))
    seconds = time.monotonic() - started
    print(f"Kafka: {jars} jars verified against kafka.lock, {fetched} fetched ({seconds:.1f} s)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
