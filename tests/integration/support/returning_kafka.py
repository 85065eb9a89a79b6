"""An Apache Kafka that comes back with its data on the ports it had, and has a second way in, through a proxy."""

import re
from pathlib import Path

from brokers import KafkaBroker

from driftline.embedded import HOST, free_port

_SECOND_LISTENER = """\
listeners=PLAINTEXT://{host}:{port},PROXIED://{host}:{target_port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port},PROXIED://{host}:{proxy_port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT
"""


class ReturningKafka(KafkaBroker):
    """Keeps its files in a folder of the test's.

    Parameters
    ----------
    proxy_port
        Clients that come in through a proxy on this port are led back to it; `target_port` is where it leads.
    """

    def __init__(self, libs: Path, folder: Path, proxy_port: int) -> None:
        super().__init__(libs)
        self.target_port = free_port()
        self._folder = folder
        self._proxy_port = proxy_port
        self._first_port = 0
        self._command: list[str] = []

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self._first_port}"

    def command(self, port: int, home: Path) -> list[str]:
        if not self._command:
            self._first_port = port
            self._command = super().command(port, self._folder)
            self._add_listener(self._folder / "server.properties")
        return self._command

    def answers(self, port: int) -> bool:
        return super().answers(self._first_port)

    def _add_listener(self, properties: Path) -> None:
        text = properties.read_text()
        found = re.search(r"CONTROLLER://[^:]+:(\d+)", text)
        assert found
        second = _SECOND_LISTENER.format(
            host=HOST, port=self._first_port, target_port=self.target_port,
            controller_port=found[1], proxy_port=self._proxy_port,
        )  # fmt: skip
        properties.write_text(text + second)
