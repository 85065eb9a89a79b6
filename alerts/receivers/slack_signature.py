"""The signature that shows a request comes from Slack."""

import hashlib
import hmac

#: How far the time a request was signed at may be from ours, in seconds.
SKEW_S = 300


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Return ``v0=<hex>``: HMAC-SHA256 over ``v0:<timestamp>:<body>``, keyed with the app's signing secret.

    References
    ----------
    https://docs.slack.dev/authentication/verifying-requests-from-slack
    """
    signed = b"v0:" + timestamp.encode("utf-8", "surrogatepass") + b":" + body
    return "v0=" + hmac.new(secret.encode("utf-8", "surrogatepass"), signed, hashlib.sha256).hexdigest()


def is_from_slack(secret: str, timestamp: str, signature: str, body: bytes, now_s: float) -> bool:
    """Return whether Slack has signed this body, at most five minutes from now; takes the same time for any signature.

    Examples
    --------
    >>> is_from_slack("key", "1000", sign("key", "1000", b"payload=1"), b"payload=1", 1_299)
    True
    >>> is_from_slack("key", "1000", sign("key", "1000", b"payload=1"), b"payload=1", 1_301)
    False
    """
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    given, right = signature.encode("utf-8", "surrogatepass"), sign(secret, timestamp, body).encode()
    return hmac.compare_digest(given, right) and abs(now_s - int(timestamp)) <= SKEW_S
