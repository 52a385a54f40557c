"""Provides Apache Kafka as one folder of jars, every one pinned by SHA-256, without Maven and without Java.

    python -m deploy.local.kafka_jars               fetch what is missing, verify everything
    python -m deploy.local.kafka_jars --write-lock  resolve ROOTS anew and rewrite kafka.lock

The jars belong to the clone, as .venv does: they are an installation, not somebody's state. When the folder
verifies, nothing touches the network.
"""

import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

ROOTS = ("org.apache.kafka:kafka_2.13:4.4.0", "org.slf4j:slf4j-simple:1.7.36")
"""Kafka itself, and a binding for its logging: the published dependencies have none, and it would be mute."""
LOCK = Path(__file__).with_name("kafka.lock")
FOLDER = Path(__file__).resolve().parents[2] / ".spendmeter" / "kafka" / "lib"
DOWNLOADS_AT_ONCE = 8
ATTEMPTS_MAX = 3


class JarRefused(Exception):
    """A jar that the lock does not know, or knows with other bytes."""


@dataclass(frozen=True, kw_only=True, order=True)
class Jar:
    """One line of the lock: `group:artifact:version sha256=HEX`."""

    coordinate: str
    sha256: str

    @property
    def filename(self) -> str:
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


def locked(text: str) -> tuple[Jar, ...]:
    """The jars that a lock's text names; ValueError for a line of another form."""
    jars = []
    for line in text.splitlines():
        coordinate, _, sha256 = line.partition(" sha256=")
        if coordinate.count(":") != 2 or len(sha256) != 64:
            raise ValueError(f"kafka.lock: {line!r} is not 'group:artifact:version sha256=HEX'")
        jars.append(Jar(coordinate=coordinate, sha256=sha256))
    return tuple(jars)


def missing(folder: Path, jars: Iterable[Jar]) -> tuple[Jar, ...]:
    """The jars that are not in the folder yet; JarRefused when it holds one that is not exactly as locked."""
    wanted = {jar.filename: jar for jar in jars}
    for path in folder.glob("*.jar"):
        if path.name not in wanted:
            raise JarRefused(f"{path}: kafka.lock does not list this jar; remove it")
        if (found := _sha256(path)) != wanted[path.name].sha256:
            raise JarRefused(
                f"{path}: SHA-256 is {found}, kafka.lock says {wanted[path.name].sha256}; remove it"
            )
    return tuple(jar for name, jar in wanted.items() if not (folder / name).exists())


def verified(folder: Path = FOLDER) -> Path:
    """The folder, once it is proved to hold exactly the locked jars; JarRefused otherwise."""
    if absent := missing(folder, locked(LOCK.read_text())):
        raise JarRefused(f"{absent[0].coordinate} is not in {folder}: run 'make install'")
    return folder


def provide(folder: Path = FOLDER) -> int:
    """Brings every locked jar into the folder; returns how many had to be fetched."""
    folder.mkdir(parents=True, exist_ok=True)
    absent = missing(folder, locked(LOCK.read_text()))
    if not absent:
        return 0
    with (
        tempfile.TemporaryDirectory(dir=folder.parent) as scratch,
        ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool,
    ):
        fetches = [pool.submit(_fetch, jar, folder, Path(scratch)) for jar in absent]
        for done, fetch in enumerate(as_completed(fetches), 1):
            fetch.result()
            _progress(f"Kafka: {done} of {len(absent)} jars fetched and verified")
    return len(absent)


def write_lock() -> int:
    """Resolves ROOTS with all they need and pins what was found; returns the number of jars."""
    import jgo

    coordinates = {
        f"{found.groupId}:{found.artifactId}:{found.version}" for root in ROOTS for found in jgo.resolve(root)
    }
    jars = []
    for coordinate in sorted(coordinates):
        jars.append(Jar(coordinate=coordinate, sha256=_sha256(_download(coordinate, None))))
        _progress(f"Kafka: {len(jars)} of {len(coordinates)} jars resolved")
    LOCK.write_text("".join(f"{jar.coordinate} sha256={jar.sha256}\n" for jar in jars))
    return len(jars)


def _fetch(jar: Jar, folder: Path, scratch: Path) -> None:
    """Copies one jar into the folder from the machine's own Maven cache, which jgo fills when it has to.

    A cache that another program spoiled (a download cut short) gets one fresh download as a second chance.
    """
    source = _download(jar.coordinate, None)
    if _sha256(source) != jar.sha256:
        source = _download(jar.coordinate, scratch)
    if (found := _sha256(source)) != jar.sha256:
        raise JarRefused(f"{jar.coordinate}: SHA-256 is {found}, kafka.lock says {jar.sha256}")
    partial = scratch / jar.filename
    shutil.copyfile(source, partial)
    partial.replace(folder / jar.filename)


def _download(coordinate: str, cache: Path | None) -> Path:
    import requests
    from jgo.config import GlobalSettings
    from jgo.maven import MavenContext

    settings = GlobalSettings.load()
    context = MavenContext(
        repo_cache=cache or settings.repo_cache, remote_repos=settings.repositories or None, timeout=30
    )
    group, artifact, version = coordinate.split(":")
    for attempt in range(1, ATTEMPTS_MAX + 1):
        try:
            return Path(context.project(group, artifact).at_version(version).artifact().resolve())
        except (requests.RequestException, RuntimeError) as trouble:
            if attempt == ATTEMPTS_MAX:
                raise ConnectionError(f"{coordinate} could not be fetched: {trouble}") from trouble
            time.sleep(attempt)
    raise AssertionError("unreachable")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _progress(line: str) -> None:
    """One line that is rewritten on a terminal and kept out of logs, which want only the outcome."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{line}")
        sys.stderr.flush()


def main() -> int:
    """The command: 0 when the folder verifies, 1 with the reason when it cannot."""
    started = time.monotonic()
    try:
        if "--write-lock" in sys.argv[1:]:
            print(f"kafka.lock: {write_lock()} jars pinned")
        fetched = provide()
    except (JarRefused, ConnectionError, OSError, ValueError) as trouble:
        print(f"{os.linesep}{trouble}", file=sys.stderr)
        return 1
    _progress("\n" if fetched else "")
    jars = len(locked(LOCK.read_text()))
    seconds = time.monotonic() - started
    print(f"Kafka: {jars} jars verified against kafka.lock, {fetched} fetched ({seconds:.1f} s)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
