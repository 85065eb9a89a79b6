"""Certificates for tests, made by the `openssl` command."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

_EXTENSIONS = """\
basicConstraints=critical,CA:false
keyUsage=critical,digitalSignature,keyEncipherment
extendedKeyUsage=serverAuth,clientAuth
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
subjectAltName={names}
"""


@dataclass(frozen=True)
class Issued:
    """A certificate and its key (PKCS #8), each PEM; ``both`` holds them in one file."""

    cert: Path
    key: Path
    both: Path


class Authority:
    """Signs certificates; its own stands in ``cert``."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self.folder = folder
        self.cert, self._key = folder / f"{name}.pem", folder / f"{name}.key"
        _openssl(
            "req", "-x509", *_NEW_KEY, "-nodes", "-keyout", self._key, "-out", self.cert, "-days", "2",
            "-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        )  # fmt: skip

    def issue(
        self, name: str, names: str = "DNS:localhost,IP:127.0.0.1", password: str | None = None
    ) -> Issued:
        """Return a certificate for a common name, good for servers called ``names`` and for clients."""
        made = Issued(*(self.folder / f"{name}.{kind}" for kind in ("pem", "key", "both")))
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text(_EXTENSIONS.format(names=names))
        secret = ["-nodes"] if password is None else ["-passout", f"pass:{password}"]
        _openssl(
            "req", *_NEW_KEY, *secret, "-keyout", made.key, "-out", request, "-subj", f"/CN={name}",
        )  # fmt: skip
        _openssl(
            "x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self._key, "-CAcreateserial",
            "-days", "2", "-extfile", extensions, "-out", made.cert,
        )  # fmt: skip
        made.both.write_bytes(made.key.read_bytes() + made.cert.read_bytes() + self.cert.read_bytes())
        return made


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")


def _openssl(*arguments: object) -> None:
    ran = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
