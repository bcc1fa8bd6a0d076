"""The ICE candidates in the node's answers (RFC 8839 section 5.1)."""

from __future__ import annotations

import ipaddress
import time

import ifaddr

_FRESH_SECONDS = 30.0
_HOST_TYPE_PREFERENCE = 126

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class Addresses:
    """The addresses to advertise: the configured public ones first, then all interfaces, loopback last.

    Browsers send from interface addresses, so loopback alone does not suffice even on one machine. The interfaces are
    read again after 30 s, because networks come and go.
    """

    def __init__(self, *, public: tuple[str, ...] = (), ipv6: bool = True) -> None:
        self._public = [ipaddress.ip_address(text) for text in public]
        self._ipv6 = ipv6
        self._known: list[IpAddress] = []
        self._read_at: float | None = None

    def current(self, *, now: float | None = None) -> list[IpAddress]:
        """Return the addresses to advertise."""
        now = time.monotonic() if now is None else now
        if self._read_at is None or now - self._read_at > _FRESH_SECONDS:
            self._read_at = now
            self._known = self._usable([*self._public, *_ordered(interface_addresses())])
        return self._known

    def candidates(self, *, port: int) -> list[str]:
        """Return the candidate lines, best first, without the leading `a=`."""
        return [
            candidate_line(number=number, address=address, port=port) for number, address in enumerate(self.current())
        ]

    def _usable(self, addresses: list[IpAddress]) -> list[IpAddress]:
        return [a for a in dict.fromkeys(addresses) if a.version == 4 or self._ipv6]


def interface_addresses() -> list[IpAddress]:
    """Return the addresses of this machine, except IPv6 link-local ones, which need a scope to be reachable."""
    found: list[IpAddress] = []
    for adapter in ifaddr.get_adapters():
        for entry in adapter.ips:
            text = entry.ip if isinstance(entry.ip, str) else entry.ip[0]
            address = ipaddress.ip_address(text)
            if not (address.version == 6 and address.is_link_local):
                found.append(address)
    return found


def candidate_line(*, number: int, address: IpAddress, port: int) -> str:
    """Return one host candidate. The priority formula is RFC 8445 section 5.1.2.1."""
    priority = (_HOST_TYPE_PREFERENCE << 24) + ((65535 - number) << 8) + 255
    return f"candidate:{number + 1} 1 udp {priority} {address} {port} typ host"


def _ordered(addresses: list[IpAddress]) -> list[IpAddress]:
    return sorted(addresses, key=lambda a: (a.is_loopback, a.version == 6))
