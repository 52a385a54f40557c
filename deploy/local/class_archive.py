"""Lets a broker start in half the time: the JVM keeps what it learned of Kafka's classes for the next start.

The first broker that ends in an orderly way writes the archive (class data sharing, Java 13 and newer), every
later one maps it. A Java without the base archive that this builds on just goes without, as one does whose
archive no longer fits its jars: the JVM checks.
"""

import hashlib
import secrets
import subprocess
from pathlib import Path

from deploy.local.kafka_jars import FOLDER, LOCK

QUIET = "-Xlog:cds*=off"
CHECK_SECONDS_MAX = 20


def jvm_options(java: Path) -> list[str]:
    """The options for a JVM with exactly Kafka's class path: use the archive, or make it at the end."""
    about = f"{java.resolve()} {java.stat().st_mtime_ns} {FOLDER} {LOCK.read_text()}"
    archive = FOLDER.parent / f"classes-{hashlib.sha256(about.encode()).hexdigest()[:16]}.jsa"
    if not archive.exists():
        _adopt(java, archive)
    if archive.exists():
        return [f"-XX:SharedArchiveFile={archive}", QUIET]
    return [f"-XX:ArchiveClassesAtExit={archive}.{secrets.token_hex(4)}", QUIET]


def _adopt(java: Path, archive: Path) -> None:
    """Takes the first complete archive that an earlier broker left; a half-written one is removed."""
    for left in archive.parent.glob(f"{archive.name}.*"):
        check = [str(java), f"-XX:SharedArchiveFile={left}", "-Xshare:on", "-cp", f"{FOLDER}/*", "-version"]
        done = subprocess.run(check, capture_output=True, timeout=CHECK_SECONDS_MAX, check=False)  # noqa: S603
        if done.returncode == 0 and not archive.exists():
            left.rename(archive)
        else:
            left.unlink(missing_ok=True)
