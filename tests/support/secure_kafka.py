"""Apache Kafka behind TLS and SASL, with an authorizer: every way in, in one process.

The plain listener is for the tests themselves: who comes through it is a super user.
"""

from pathlib import Path

from brokers import KafkaBroker
from certificates import Authority, Issued

from driftline.embedded import HOST, free_port

#: Who may do what is up to the tests; each user's password is its name and this.
USERS = ("driftline", "producer", "profile", "judge", "desk", "stranger")
SCRAM_USER = "driftline"

_LISTENERS = {"TLS": "SSL", "MUTUAL": "SSL", "SASL": "SASL_SSL", "CLEAR": "SASL_PLAINTEXT"}
_PROPERTIES = """\
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port},{listeners}
advertised.listeners=PLAINTEXT://{host}:{port},{listeners}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,{protocols}
inter.broker.listener.name=PLAINTEXT
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
ssl.keystore.type=PEM
ssl.keystore.location={server}
ssl.truststore.type=PEM
ssl.truststore.location={authority}
ssl.principal.mapping.rules=RULE:^CN=(.*)$/$1/,DEFAULT
listener.name.mutual.ssl.client.auth=required
listener.name.sasl.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
listener.name.clear.sasl.enabled.mechanisms=PLAIN
listener.name.sasl.plain.sasl.jaas.config={plain}
listener.name.clear.plain.sasl.jaas.config={plain}
listener.name.sasl.scram-sha-256.sasl.jaas.config={scram}
listener.name.sasl.scram-sha-512.sasl.jaas.config={scram}
listener.name.sasl.oauthbearer.sasl.jaas.config={oauth}
"""
_MODULES = "org.apache.kafka.common.security"


def password(user: str) -> str:
    """Return a user's password."""
    return f"{user}-hunter2"


class SecureKafka(KafkaBroker):
    """A broker that trusts whom the authority signs, and knows `USERS`."""

    name = "secure-kafka"

    def __init__(self, libs: Path, folder: Path) -> None:
        super().__init__(libs)
        self.authority = Authority(folder)
        self._server: Issued = self.authority.issue("server")
        self._ports: dict[str, int] = {}
        scram = f"[name={SCRAM_USER},password={password(SCRAM_USER)}]"
        self.format_options = [
            "--add-scram", f"SCRAM-SHA-256={scram}", "--add-scram", f"SCRAM-SHA-512={scram}"
        ]  # fmt: skip

    def at(self, listener: str) -> str:
        """Return ``host:port`` of a listener: TLS, MUTUAL, SASL or CLEAR."""
        return f"{HOST}:{self._ports[listener]}"

    def properties(self, port: int, home: Path) -> str:
        self._ports = {name: free_port() for name in _LISTENERS}
        users = " ".join(f'user_{user}="{password(user)}"' for user in USERS)
        return super().properties(port, home) + _PROPERTIES.format(
            host=HOST,
            port=port,
            controller_port=free_port(),
            listeners=",".join(f"{name}://{self.at(name)}" for name in _LISTENERS),
            protocols=",".join(f"{name}:{protocol}" for name, protocol in _LISTENERS.items()),
            server=self._server.both,
            authority=self.authority.cert,
            plain=f"{_MODULES}.plain.PlainLoginModule required {users};",
            scram=f"{_MODULES}.scram.ScramLoginModule required;",
            oauth=f"{_MODULES}.oauthbearer.OAuthBearerLoginModule required;",
        )
