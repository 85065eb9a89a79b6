"""Errors of the web front.

::

    WebError               a `DriftlineError`
    ├── StoreUnavailable   Redis cannot be reached, or does not answer in time
    └── CannotListen       the address is taken or not ours
"""

from driftline.errors import DriftlineError


class WebError(DriftlineError):
    """Root of what the web front raises."""


class StoreUnavailable(WebError):
    """Redis did not answer; pages and API say so with status 503."""


class CannotListen(WebError):
    """The web server could not take its address."""
