"""The one way by which we call others over HTTP, to addresses that brands and browsers gave us.

    answer = Client.of(settings).request("POST", url, body=b"{}", headers={"content-type": "application/json"})

It never reaches inside: the name is resolved once, every address behind it must be public, and the connection goes to
the very address that was checked. Redirects are answers like others, proxies are not asked, the whole call has one
deadline, and no more of the body is read than was agreed. Never call it inside a transaction.
"""

import io
import json
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

from amplify.core.errors import Invalid
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.settings import Settings

# They carry an IPv4 address that a gateway would call, or are inner by an older rule; `is_global` says yes to them.
DISGUISES = tuple(IPv6Network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "::/96", "fec0::/10"))
Address = IPv4Address | IPv6Address
Resolver = Callable[..., list[Any]]


class AddressRefused(Exception):
    """We do not call this address: not https, not public, or not readable. Trying again is useless."""


class NoAnswer(Exception):
    """The other side cannot be reached, or broke off. `may_have_arrived`: it may have done what it was asked."""

    def __init__(self, text: str, *, may_have_arrived: bool) -> None:
        super().__init__(text)
        self.may_have_arrived = may_have_arrived


@dataclass(frozen=True)
class Answer:
    """Status, headers (names in lower case) and the body, cut at the length agreed."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        """2xx."""
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        """The body to be read by people."""
        return self.body.decode("utf-8", "replace")

    @property
    def retry_after_seconds(self) -> float | None:
        """What the other side asked for, if it said so in seconds."""
        said = self.headers.get("retry-after", "")
        return float(said) if said.isascii() and said.isdigit() else None

    def json(self) -> Any:
        """The body read as JSON. Raises ValueError."""
        return json.loads(self.body)


class _Target(NamedTuple):
    is_tls: bool
    host: str
    port: int
    path: str
    host_header: str


@cache
def _authorities() -> ssl.SSLContext:
    """Reading the machine's certificates takes 20 ms and more: once per process."""
    return ssl.create_default_context()


@dataclass(frozen=True)
class Client:
    """How far calls may go. `allow_loopback` is for tests and the demo: then plain http is fine there, too."""

    allow_loopback: bool = False
    timeout_seconds: float = 10.0
    longest_body: int = 1_000_000
    resolve: Resolver = socket.getaddrinfo
    tls: ssl.SSLContext = field(default_factory=_authorities)

    @classmethod
    def of(cls, settings: Settings) -> "Client":
        """The client of this installation."""
        return cls(allow_loopback=settings.outgoing_to_loopback)

    def check(self, name: str, url: str) -> None:
        """For forms: what can be said without asking a name server. Raises Invalid(name, "outgoing-address")."""
        try:
            target = _read(url)
            if _is_numeric(target.host):
                self._check_address(target, target.host)
            elif not self.allow_loopback and (not target.is_tls or "." not in target.host.rstrip(".")):
                raise AddressRefused("not public")
        except AddressRefused as error:
            message = _l("Please give a public address that begins with https://.")
            raise Invalid(name, "outgoing-address", message) from error

    def request(
        self, method: str, url: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask, and give the answer whatever its status. Raises AddressRefused or NoAnswer.

        (And ValueError for a header that cannot be written: that is a mistake in our code.)
        """
        target = _read(url)
        until = time.monotonic() + self.timeout_seconds
        wire = self._connect(target, until)
        given = {"Accept-Encoding": "identity", "User-Agent": "Amplify", **(headers or {}), "Host": target.host_header}
        connection = HTTPConnection(target.host, target.port)
        connection.sock = wire
        try:
            connection.request(method, target.path, body, {**given, "Connection": "close"})
            return self._answer(connection.getresponse())
        except (OSError, HTTPException) as error:
            said = f"{target.host} broke off: {type(error).__name__}"
            raise NoAnswer(said, may_have_arrived=True) from error
        finally:
            connection.close()
            wire.hang_up()

    def _answer(self, response: HTTPResponse) -> Answer:
        body = response.read(self.longest_body)
        if response.length and len(body) < self.longest_body:
            raise IncompleteRead(body, response.length)
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)

    def _connect(self, target: _Target, until: float) -> "_Wire":
        last: Exception | None = None
        for family, address in self._addresses(target):
            wire = _Wire(socket.socket(family, socket.SOCK_STREAM), until)
            try:
                wire.open(address, self.tls if target.is_tls else None, target.host)
                return wire
            except OSError as error:
                last = error
                wire.hang_up()
        said = f"no connection to {target.host}: {last}"
        raise NoAnswer(said, may_have_arrived=False) from last

    def _addresses(self, target: _Target) -> list[tuple[int, Any]]:
        """Where to connect. One address that is not public refuses all: it is the attack, or a mistake."""
        try:
            found = self.resolve(target.host, target.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise NoAnswer(f"the name {target.host} is not known", may_have_arrived=False) from error
        for *_, address in found:
            self._check_address(target, address[0])
        return [(family, address) for family, *_, address in found]

    def _check_address(self, target: _Target, text: str) -> None:
        address = _plain(ip_address(text.partition("%")[0]))
        if self.allow_loopback and address.is_loopback:
            return
        if not is_public(address):
            raise AddressRefused(f"{target.host} is no public address")
        if not target.is_tls:
            raise AddressRefused("only https:// is called")


class _Wire:
    """A connection whose every wait ends at one deadline; what `http.client` needs of a socket."""

    def __init__(self, sock: socket.socket, until: float) -> None:
        self._sock, self._until = sock, until

    def open(self, address: Any, tls: ssl.SSLContext | None, host: str) -> None:
        """Raises OSError (also for a certificate that does not fit)."""
        self.hurry().connect(address)
        if tls is not None:
            self._sock = tls.wrap_socket(self.hurry(), server_hostname=host)

    def hurry(self) -> socket.socket:
        """The socket, told how long it may still take."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        self._sock.settimeout(left)
        return self._sock

    def sendall(self, data: Any) -> None:
        self.hurry().sendall(data)

    def makefile(self, *_: Any) -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self))

    def close(self) -> None:
        """Said by `http.client` as soon as it knows that no second answer follows; the body is still to be read."""

    def hang_up(self) -> None:
        """The call is over."""
        self._sock.close()


class _Incoming(io.RawIOBase):
    def __init__(self, wire: _Wire) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._wire.hurry().recv_into(buffer)


def is_public(address: Address) -> bool:
    """Whether this is an address of the open internet: not private, shared, link-local or loopback, nor in disguise."""
    address = _plain(address)
    disguised = isinstance(address, IPv6Address) and any(address in net for net in DISGUISES)
    return address.is_global and not address.is_multicast and not disguised


def _plain(address: Address) -> Address:
    """::ffff:127.0.0.1 is 127.0.0.1."""
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _is_numeric(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _read(url: str) -> _Target:
    """The parts of an address that we can call. Raises AddressRefused."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise AddressRefused("this is no address") from error
    if parts.scheme not in ("http", "https") or not host or parts.username is not None or not _is_printable(url):
        raise AddressRefused("only https:// addresses without a name and password are called")
    is_tls = parts.scheme == "https"
    shown = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
    return _Target(is_tls, host, port or (443 if is_tls else 80), _path(parts), shown)


def _path(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _is_printable(url: str) -> bool:
    return url.isascii() and all(33 <= ord(char) < 127 for char in url) and "\\" not in url
