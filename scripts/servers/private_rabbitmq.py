"""A RabbitMQ node of our own, from the installed rabbitmq-server, beside any node of the system.

It has its own node name, ports, epmd, cookie and data folder, and listens on loopback only. The program in /usr/sbin
switches to the user rabbitmq, so we start the script behind it directly, under our own user.
"""

import secrets
import shutil
import time
from pathlib import Path

from scripts.servers.apt import install
from scripts.servers.broker import BrokerServer
from scripts.servers.folder import RunFolder
from scripts.servers.lifecycle import Lifecycle, ServersUnavailableError, say, wait_until
from scripts.servers.management import Management
from scripts.servers.ports import free_ports, listening
from scripts.servers.process import ServerProcess

_DEPLOYED = Path(__file__).parents[1] / "deploy" / "rabbitmq"
_ADMIN = "admin"  # the name of its role
_PLACES = ("/usr/lib/rabbitmq/bin", "/opt/homebrew/opt/rabbitmq/sbin", "/usr/local/opt/rabbitmq/sbin")
_ERLANG_OPTIONS = "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none"


class PrivateRabbitmq(Lifecycle):
    """The lifecycle of a private node."""

    def __init__(self, folder: RunFolder) -> None:
        self._home = folder.path / "rabbitmq"
        self._password = secrets.token_hex(16)
        self._amqp, self._http, self._epmd_port, self._dist, self._prometheus = free_ports(5)
        self._epmd = ServerProcess("epmd", folder, self._epmd_command(), self._environment())
        self._node = ServerProcess("rabbitmq", folder, [str(_program())], self._environment())

    def start(self) -> None:
        """Write the configuration the first time, then start epmd and the node."""
        say("rabbitmq: starting a private node ...")
        started = time.monotonic()
        self._configure()
        self._epmd.start()
        wait_until(lambda: listening(self._epmd_port), self._epmd.alive, timeout_seconds=10)
        self._node.start()
        if not wait_until(self._ready, self._node.alive, timeout_seconds=120):
            raise ServersUnavailableError(f"the private RabbitMQ node did not start:\n{self._node.last_output()}")
        say(f"rabbitmq: private node on 127.0.0.1:{self._amqp}, ready in {time.monotonic() - started:.1f} s")

    def stop(self) -> None:
        """Let the node close its queues, then end it and its epmd."""
        self._node.stop()
        self._epmd.stop()

    def kill(self) -> None:
        """Kill the node and its helpers with SIGKILL."""
        self._node.kill()
        self._epmd.kill()

    @property
    def amqp_url(self) -> str:
        """The administrator's URL of the default virtual host."""
        return f"amqp://{_ADMIN}:{self._password}@127.0.0.1:{self._amqp}/%2F"

    @property
    def management_url(self) -> str:
        """The URL of the management interface, with the administrator's password."""
        return f"http://{_ADMIN}:{self._password}@127.0.0.1:{self._http}"

    def _ready(self) -> bool:
        # The listener for AMQP opens last.
        return listening(self._amqp) and Management(self.management_url).answers()

    def _configure(self) -> None:
        if self._home.exists():
            return
        self._home.mkdir(mode=0o700)
        settings = {
            "listeners.tcp.default": f"127.0.0.1:{self._amqp}",
            "management.tcp.ip": "127.0.0.1",
            "management.tcp.port": self._http,
            "prometheus.tcp.ip": "127.0.0.1",
            "prometheus.tcp.port": self._prometheus,
            "default_user": _ADMIN,
            "default_pass": self._password,
            "disk_free_limit.absolute": "200MB",
            "log.file.level": "warning",
        }
        lines = [f"{name} = {value}\n" for name, value in settings.items()]
        (self._home / "rabbitmq.conf").write_text((_DEPLOYED / "rabbitmq.conf").read_text() + "".join(lines))
        shutil.copyfile(_DEPLOYED / "enabled_plugins", self._home / "enabled_plugins")

    def _environment(self) -> dict[str, str]:
        return {
            "HOME": str(self._home),
            "PATH": "/opt/homebrew/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_NODENAME": f"oms-{self._amqp}@localhost",
            "RABBITMQ_MNESIA_BASE": str(self._home / "data"),
            "RABBITMQ_LOG_BASE": str(self._home / "log"),
            "RABBITMQ_CONFIG_FILE": str(self._home / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self._home / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._home / "enabled_plugins"),
            "RABBITMQ_DIST_PORT": str(self._dist),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _ERLANG_OPTIONS,
        }

    def _epmd_command(self) -> list[str]:
        return [_epmd_program(), "-address", "127.0.0.1", "-port", str(self._epmd_port)]


def private_rabbitmq(folder: RunFolder) -> BrokerServer:
    """Return a node that is not started yet. Installs RabbitMQ if it is missing and we may."""
    lifecycle = PrivateRabbitmq(folder)
    return BrokerServer(lifecycle.amqp_url, lifecycle, lifecycle.management_url)


def _program() -> Path:
    """Return the node's own start script.

    Raises ServersUnavailableError if RabbitMQ is missing and cannot be installed.
    """
    program = _installed()
    if program is None:
        install("RabbitMQ", "rabbitmq-server")
        program = _installed()
    if program is None:
        raise ServersUnavailableError("RabbitMQ is installed, but its script is in none of: " + ", ".join(_PLACES))
    return program


def _installed() -> Path | None:
    for place in _PLACES:
        program = Path(place) / "rabbitmq-server"
        if program.exists():
            return program
    elsewhere = shutil.which("rabbitmq-server")
    return Path(elsewhere) if elsewhere else None


def _epmd_program() -> str:
    return shutil.which("epmd") or str(next(Path("/usr/lib/erlang").glob("erts-*/bin/epmd"), "epmd"))
