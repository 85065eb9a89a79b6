"""The signature that shows a webhook comes from us and was not changed on the way."""

import hashlib
import hmac

#: The header: ``t=<seconds since 1970>,v1=<hex>``.
SIGNATURE = "Driftline-Signature"


def sign(secret: str, body: bytes, at_s: int) -> str:
    """Return the header's value: HMAC-SHA256 over ``<seconds>.<body>``, keyed with the secret in UTF-8.

    The time is signed too, so that who records a request cannot send it again later.

    Examples
    --------
    >>> sign("secret", b"{}", 1_795_424_400)[:31]
    't=1795424400,v1=f96422263217ee7'
    """
    key = secret.encode("utf-8", "surrogatepass")
    digest = hmac.new(key, f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"
