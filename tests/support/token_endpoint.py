"""An OAuth 2 token endpoint that looks at who asks, and tokens as Kafka's unsecured validator takes them."""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs


def unsecured_token(subject: str, lifetime_s: float = 300.0) -> str:
    """Return a token without a signature (RFC 7519, section 6)."""
    now_s = time.time()
    claims = {"sub": subject, "iat": now_s, "exp": now_s + lifetime_s}
    return f"{_encoded({'alg': 'none'})}.{_encoded(claims)}."


def _encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


class TokenServer:
    """Gives tokens to one client; ``asked`` has the forms of those who had the right secret.

    Parameters
    ----------
    status, answer
        What it says instead of a token, when given.
    """

    def __init__(
        self,
        client_id: str,
        secret: str,
        subject: str = "driftline",
        *,
        lifetime_s: float = 300.0,
        status: int = 200,
        answer: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.asked: list[dict[str, list[str]]] = []
        wanted = "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
                is_known = self.headers["authorization"] == wanted
                if is_known:
                    server.asked.append(form)
                token = {"access_token": unsecured_token(subject, lifetime_s), "expires_in": lifetime_s}
                self.send_response(status if is_known else 401)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.end_headers()
                if is_known:
                    self.wfile.write(json.dumps(token).encode() if answer is None else answer)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/token"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
