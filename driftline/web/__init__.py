"""The dashboard and the JSON API: pages made on the server, out of what Redis projects."""

from driftline.web.app import create_app
from driftline.web.server import serve

__all__ = ["create_app", "serve"]
