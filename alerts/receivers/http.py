"""One POST, and what its failures mean: what the HTTP receivers share."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from ssl import SSLContext

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, InvalidURL
from aiohttp.client_exceptions import ClientConnectorError

from alerts.outcome import Failed, Retry

#: What is read of an answer, in bytes; no receiver says more than it has to.
_BODY_READ = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: ``body`` holds its first 64 kB."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


async def post(
    session: ClientSession,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    timeout_ms: int,
    who: str,
    tls: SSLContext | bool = True,
) -> Answer | Retry | Failed:
    """Post once, and return the answer, or what its failure means for the delivery.

    Redirects are not followed: they could lead inside the network, with the secrets in ``headers``. No
    reason holds the address, as that may be secret.

    Parameters
    ----------
    timeout_ms
        Limit of the whole try, in ms.
    who
        What reasons call the other side, such as ``PagerDuty``.
    tls
        The TLS context; True for the usual one.
    """
    try:
        async with session.post(
            url,
            data=body,
            headers=headers,
            timeout=ClientTimeout(total=timeout_ms / 1000),
            allow_redirects=False,
            ssl=tls,
        ) as response:
            return Answer(response.status, response.headers, await _read(response))
    except InvalidURL:
        return Failed(f"the address of {who} is not one that can be called; write https://host/path")
    except ClientConnectorError as error:
        return Retry(0, f"{who} cannot be reached ({type(error).__name__})")
    except TimeoutError:
        return Retry(0, f"{who} did not answer within {timeout_ms} ms", maybe_delivered=True)
    except ClientError as error:
        reason = f"the connection to {who} broke ({type(error).__name__})"
        return Retry(0, reason, maybe_delivered=True)


async def _read(response: ClientResponse) -> bytes:
    parts: list[bytes] = []
    # The status has said what came of it: that its explanation breaks off changes nothing.
    with suppress(ClientError, TimeoutError):
        while sum(map(len, parts)) < _BODY_READ and (part := await response.content.read(_BODY_READ)):
            parts.append(part)
    return b"".join(parts)[:_BODY_READ]
