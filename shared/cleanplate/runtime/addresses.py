"""Which IP addresses a request may go to. Pure: names are resolved and connections made in `outbound`."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal

from cleanplate.contract.problems import AddressRefused

Reach = Literal["public", "private", "never"]

# The IANA special-purpose registries, and where clouds keep the credentials of a machine.
_METADATA = tuple(
    ip_network(text)
    for text in (
        "169.254.169.254",
        "168.63.129.16",  # Azure's, among public addresses
        "100.100.100.200",  # Alibaba's, among shared ones
        "fd00:ec2::254",  # Amazon's and Google's, among private ones
        "fd20:ce::254",
    )
)
_PRIVATE = tuple(
    ip_network(text)
    for text in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::1",
        "fc00::/7",
    )
)
_NEVER = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "169.254.0.0/16",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "2001::/23",  # Teredo among them
        "2001:db8::/32",
        "3fff::/20",
    )
)
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_SIX_TO_FOUR = IPv6Network("2002::/16")
_IPV4_LAST = tuple(IPv6Network(text) for text in ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96"))
_ISATAP = (b"\x00\x00\x5e\xfe", b"\x02\x00\x5e\xfe")


@dataclass(frozen=True)
class AddressFilter:
    """Decides on a resolved address, the one that will be connected to.

    Attributes:
        allow_private: whether private, shared and loopback addresses may be reached; link-local, multicast, reserved
            and metadata addresses never are.
        allowed_hosts: names or literal addresses, in lower case, that may be reached wherever they lead.
    """

    allow_private: bool = False
    allowed_hosts: frozenset[str] = frozenset()

    def check(self, address: str, *, host: str = "", field: str = "url") -> None:
        """Let the address pass or refuse it.

        Args:
            address: IPv4 or IPv6 as text.
            host: as the URL had it.
            field: the request's field that the problem names.

        Raises:
            AddressRefused: it must not be reached, or is not an address in its canonical form.
        """
        if host.lower().rstrip(".") in self.allowed_hosts:
            return
        found = reach(address)
        if found == "public" or (found == "private" and self.allow_private):
            return
        raise AddressRefused(f"leads to {host or address}, which this service must not reach", field=field)


def reach(address: str) -> Reach:
    """Say how far an address reaches; one that is not canonical text, such as 0x7f.1, is "never"."""
    try:
        return _reach(ip_address(address.partition("%")[0]))
    except ValueError:
        return "never"


def _reach(ip: IPv4Address | IPv6Address) -> Reach:
    if any(ip in network for network in _METADATA):
        return "never"
    if any(ip in network for network in _PRIVATE):
        return "private"
    if any(ip in network for network in _NEVER):
        return "never"
    if isinstance(ip, IPv4Address):
        return "public"
    inner = _embedded(ip)
    if inner is not None:
        return _reach(inner)
    return "public" if ip in _GLOBAL_UNICAST else "never"


def _embedded(ip: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that a mapped, translated, NAT64, 6to4 or global ISATAP address stands for."""
    packed = ip.packed
    if any(ip in network for network in _IPV4_LAST):
        return IPv4Address(packed[12:])
    if ip in _SIX_TO_FOUR:
        return IPv4Address(packed[2:6])
    return IPv4Address(packed[12:]) if ip in _GLOBAL_UNICAST and packed[8:12] in _ISATAP else None
