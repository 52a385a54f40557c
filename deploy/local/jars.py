"""Jars of Maven Central, each pinned by SHA-256, fetched without Maven and without Java.

A lock has one line a jar; a folder holds exactly the jars of its lock. When it verifies, nothing touches the
network. Whose jars: `kafka_jars.py`, `portal_jars.py`.
"""

import hashlib
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

DOWNLOADS_AT_ONCE = 8
ATTEMPTS_MAX = 3


class JarRefused(Exception):
    """A jar that the lock does not know, or knows with other bytes."""


@dataclass(frozen=True, kw_only=True, order=True)
class Jar:
    """One line of a lock: `group:artifact:version sha256=HEX`."""

    coordinate: str
    sha256: str

    @property
    def filename(self) -> str:
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


def locked(lock: Path) -> tuple[Jar, ...]:
    """The jars that a lock names; ValueError for a line of another form."""
    jars = []
    for line in lock.read_text().splitlines():
        coordinate, _, sha256 = line.partition(" sha256=")
        if coordinate.count(":") != 2 or len(sha256) != 64:
            raise ValueError(f"{lock.name}: {line!r} is not 'group:artifact:version sha256=HEX'")
        jars.append(Jar(coordinate=coordinate, sha256=sha256))
    return tuple(jars)


def missing(folder: Path, jars: Iterable[Jar]) -> tuple[Jar, ...]:
    """The jars that are not in the folder yet; JarRefused when it holds one that is not exactly as locked."""
    wanted = {jar.filename: jar for jar in jars}
    for path in folder.glob("*.jar"):
        if path.name not in wanted:
            raise JarRefused(f"{path}: the lock does not list this jar; remove it")
        if (found := sha256_of(path)) != wanted[path.name].sha256:
            raise JarRefused(
                f"{path}: SHA-256 is {found}, the lock says {wanted[path.name].sha256}; remove it"
            )
    return tuple(jar for name, jar in wanted.items() if not (folder / name).exists())


def provide(folder: Path, lock: Path, whose: str) -> int:
    """Brings every locked jar into the folder; returns how many had to be fetched."""
    folder.mkdir(parents=True, exist_ok=True)
    absent = missing(folder, locked(lock))
    if not absent:
        return 0
    with (
        tempfile.TemporaryDirectory(dir=folder.parent) as scratch,
        ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool,
    ):
        fetches = [pool.submit(_fetch, jar, folder, Path(scratch)) for jar in absent]
        for done, fetch in enumerate(as_completed(fetches), 1):
            fetch.result()
            progress(f"{whose}: {done} of {len(absent)} jars fetched and verified")
    return len(absent)


def write_lock(lock: Path, coordinates: Iterable[str], whose: str) -> int:
    """Pins the bytes that these coordinates have now; returns the number of jars."""
    wanted = sorted(coordinates)
    jars = []
    for coordinate in wanted:
        jars.append(Jar(coordinate=coordinate, sha256=sha256_of(_download(coordinate, None))))
        progress(f"{whose}: {len(jars)} of {len(wanted)} jars resolved")
    lock.write_text("".join(f"{jar.coordinate} sha256={jar.sha256}\n" for jar in jars))
    return len(jars)


def _fetch(jar: Jar, folder: Path, scratch: Path) -> None:
    """Copies one jar into the folder from the machine's own Maven cache, which jgo fills when it has to.

    A cache that another program spoiled (a download cut short) gets one fresh download as a second chance.
    """
    source = _download(jar.coordinate, None)
    if sha256_of(source) != jar.sha256:
        source = _download(jar.coordinate, scratch)
    if (found := sha256_of(source)) != jar.sha256:
        raise JarRefused(f"{jar.coordinate}: SHA-256 is {found}, the lock says {jar.sha256}")
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


def sha256_of(path: Path) -> str:
    """Of a file, in hexadecimal digits; OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def progress(line: str) -> None:
    """One line that is rewritten on a terminal and kept out of logs, which want only the outcome."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{line}")
        sys.stderr.flush()
