"""Which addresses may be connected to: links come from strangers and must not lead into the own network."""

import ipaddress
import socket
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from ingestion_pipeline.errors import PrivateAddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_PROXY_PORTS = {"https": 443, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080}


def is_web_address(url: str) -> bool:
    """Tell whether `url` is an http or https URL with a host: `file:`, `ftp:` and `data:` are not."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def shown(url: str) -> str:
    """Return a link as messages show it: without its query, in which private feeds have a token."""
    address, mark, _ = url.partition("?")
    return f"{address}?…" if mark else address


@contextmanager
def private_addresses_refused(proxy: str | None = None) -> Iterator[None]:
    """Refuse every connection of Python sockets to an address that is not public, while the block runs.

    The check is at the connect, so redirects and names that resolve to private addresses are covered. It holds for the
    whole process, all threads. Unix sockets, `proxy` and the proxies of the environment stay allowed; what may be
    reached behind a proxy is for the proxy to decide. What connects without Python (libcurl, libpq) is not seen.

    Raises `PrivateAddress` at the connect.
    """
    _guard.enter(proxy)
    try:
        yield
    finally:
        _guard.leave()


class _Guard:
    """An audit hook can never be removed: one for the process, switched by the number of open blocks."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.installed = False
        self.open_blocks = 0
        self.proxies: frozenset[tuple[str, int]] = frozenset()

    def enter(self, proxy: str | None) -> None:
        proxies = _proxy_addresses(proxy)
        with self.lock:
            if not self.installed:
                sys.addaudithook(self.hook)
                self.installed = True
            self.proxies = proxies
            self.open_blocks += 1

    def leave(self) -> None:
        with self.lock:
            self.open_blocks -= 1

    def hook(self, event: str, args: tuple[Any, ...]) -> None:
        if event != "socket.connect" or not self.open_blocks:
            return
        connecting, target = args
        if connecting.family in {socket.AF_INET, socket.AF_INET6}:
            try:
                self.check(target[0], target[1])
            except PrivateAddress:
                connecting.close()  # `socket.create_connection` does so for an OSError only
                raise

    def check(self, host: str, port: int) -> None:
        for address in _addresses(host, port):
            if not _is_public(address) and (str(address), port) not in self.proxies:
                raise PrivateAddress(
                    f"A connection to {address} was refused: it is not a public address.",
                    "Set ALLOW_PRIVATE_ADDRESSES=true if links into the own network are to be followed.",
                )


def _is_public(address: Address) -> bool:
    return (_inner_ipv4(address) or address).is_global


def _inner_ipv4(address: Address) -> ipaddress.IPv4Address | None:
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def _addresses(host: str, port: int) -> set[Address]:
    """Addresses of `host`; a name comes here only from code that leaves the look-up to `connect` itself."""
    try:
        return {ipaddress.ip_address(host)}
    except ValueError:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return {ipaddress.ip_address(entry[4][0]) for entry in found}


def _proxy_addresses(own: str | None) -> frozenset[tuple[str, int]]:
    found: set[tuple[str, int]] = set()
    of_environment = (value for scheme, value in urllib.request.getproxies().items() if scheme != "no")
    for value in filter(None, (own, *of_environment)):
        proxy = urlsplit(value if "://" in value else f"http://{value}")
        port = proxy.port or _PROXY_PORTS.get(proxy.scheme, 80)
        with suppress(socket.gaierror):  # an unknown proxy fails at its use, in words that name it
            found |= {(str(address), port) for address in _addresses(proxy.hostname or "", port)}
    return frozenset(found)


_guard = _Guard()
