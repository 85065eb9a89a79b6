"""Where notifications may go: the allow-list of ``global.egress_allow``."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from alerts.errors import EgressRefused

_HOST = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?")


def readable(entry: str) -> str:
    """Return an entry of the list; raise ValueError for one that is neither a host nor a network."""
    if _network(entry) is None and (not _HOST.fullmatch(entry.lower()) or entry[-1].isdigit()):
        raise ValueError("neither a host nor a network; write hooks.slack.com, *.example.org or 10.1.0.0/16")
    return entry


@dataclass(frozen=True)
class Egress:
    """The list: hosts by name (``*.`` is any host below), and addresses by network. None allows everything.

    Examples
    --------
    >>> egress = Egress(("*.slack.com", "10.0.0.0/8"))
    >>> egress.names("hooks.slack.com"), egress.names("slack.com"), egress.holds("10.1.2.3")
    (True, False, True)
    """

    allow: tuple[str, ...] | None = None

    @cached_property
    def _networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        return tuple(network for entry in self.allow or () if (network := _network(entry)) is not None)

    @property
    def asks_addresses(self) -> bool:
        """Whether the address of a host it does not name may still allow it."""
        return bool(self._networks)

    def names(self, host: str) -> bool:
        """Return whether a host is allowed by its name, or by the address that it is."""
        if self.allow is None:
            return True
        name = host.lower().rstrip(".")
        return any(_covers(entry.lower().rstrip("."), name) for entry in self.allow) or self.holds(host)

    def holds(self, address: str) -> bool:
        """Return whether an address is in one of the networks; a name is in none."""
        try:
            found = ip_address(address.strip("[]"))
        except ValueError:
            return False
        # ::ffff:10.0.0.1 is 10.0.0.1.
        mapped = getattr(found, "ipv4_mapped", None) or found
        return self.allow is None or any(mapped in network for network in self._networks)

    def demand(self, host: str, addresses: Iterable[str] = ()) -> tuple[str, ...]:
        """Return the addresses that may be reached under a host's name.

        Raises
        ------
        EgressRefused
            If neither its name is allowed nor any of its addresses.
        """
        found = tuple(addresses)
        if self.names(host):
            return found
        kept = tuple(address for address in found if self.holds(address))
        if not kept:
            raise EgressRefused(
                "the receiver's host is not in global.egress_allow; add it there, if it is right"
            )
        return kept


def _covers(entry: str, name: str) -> bool:
    return name.endswith(entry[1:]) if entry.startswith("*.") else name == entry


def _network(entry: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(entry, strict=False)
    except ValueError:
        return None
