"""Calls to others: what is answered, and that no address that somebody gives us leads inside."""

import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import pytest

from amplify.core.errors import Invalid
from amplify.core.outgoing import AddressRefused, Client, NoAnswer
from amplify.core.settings import Settings

INNER = [
    "127.0.0.1",
    "127.1.2.3",
    "0.0.0.0",  # noqa: S104 (an address to be refused)
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b:1::7f00:1",
    "2002:7f00:1::",
    "2001:0:1::1",
    "fe80::1",
    "fec0::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
]
OUTER = ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"]


def resolving_to(*addresses: str) -> Callable[..., list[Any]]:
    """A name server that always gives these."""

    def resolve(_host: str, port: int, **_: Any) -> list[Any]:
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
            for one in addresses
        ]

    return resolve


def _request(connection: socket.socket) -> bytes:
    """All of one request: its body may come in a packet of its own."""
    request = connection.recv(65_536)
    length = re.search(rb"Content-Length: (\d+)", request)
    while length and len(request.partition(b"\r\n\r\n")[2]) < int(length[1]) and (more := connection.recv(65_536)):
        request += more
    return request


@contextmanager
def answering(*pieces: bytes, pause: float = 0.0) -> Iterator[tuple[int, list[bytes]]]:
    """A server that sends these bytes, whatever it is asked: its port, and what it was sent."""
    heard: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                heard.append(_request(connection))
                try:
                    for piece in pieces:
                        connection.sendall(piece)
                        time.sleep(pause)
                except OSError:
                    pass

    thread = Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], heard
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@pytest.fixture
def inside() -> Client:
    return Client(allow_loopback=True, timeout_seconds=5)


def test_an_answer_has_its_status_its_headers_and_its_body(inside: Client) -> None:
    with answering(b'HTTP/1.1 201 Made\r\nX-One: 1\r\nContent-Length: 8\r\n\r\n{"a": 1}') as (port, heard):
        answer = inside.request("POST", f"http://127.0.0.1:{port}/in?x=1", body=b"hello", headers={"X-Two": "2"})
    assert (answer.status, answer.headers["x-one"], answer.json(), answer.is_success) == (201, "1", {"a": 1}, True)
    head, _, body = heard[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /in?x=1 HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{port}".encode() in head
    assert b"X-Two: 2" in head
    assert body == b"hello"


def test_a_redirect_is_an_answer_and_is_not_followed(inside: Client) -> None:
    with answering(b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n") as (
        port,
        heard,
    ):
        answer = inside.request("GET", f"http://127.0.0.1:{port}/")
    assert (answer.status, answer.is_success, len(heard)) == (302, False, 1)


def test_no_more_of_the_body_is_read_than_was_agreed() -> None:
    client = Client(allow_loopback=True, longest_body=10)
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x" * 1_000_000) as (port, _):
        assert client.request("GET", f"http://127.0.0.1:{port}/").body == b"x" * 10


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"])
def test_a_server_that_drips_is_left_at_the_deadline(head: bytes) -> None:
    client = Client(allow_loopback=True, timeout_seconds=0.5)
    with answering(head, *[b"x"] * 100, pause=0.1) as (port, _):
        began = time.monotonic()
        with pytest.raises(NoAnswer) as failed:
            client.request("GET", f"http://127.0.0.1:{port}/")
    assert failed.value.may_have_arrived
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"])
def test_a_broken_answer_says_that_the_request_may_have_arrived(answer: bytes, inside: Client) -> None:
    with answering(answer) as (port, _), pytest.raises(NoAnswer) as failed:
        inside.request("GET", f"http://127.0.0.1:{port}/")
    assert failed.value.may_have_arrived


def test_a_closed_port_says_that_nothing_has_arrived(inside: Client) -> None:
    with answering() as (port, _):
        pass
    with pytest.raises(NoAnswer) as failed:
        inside.request("GET", f"http://127.0.0.1:{port}/")
    assert not failed.value.may_have_arrived


@pytest.mark.parametrize("address", INNER)
def test_a_name_that_leads_inside_is_refused_before_anything_is_connected(address: str) -> None:
    client = Client(resolve=resolving_to(address))
    with pytest.raises(AddressRefused, match="no public address"):
        client.request("GET", "https://hooks.example.com/")


@pytest.mark.parametrize("address", OUTER)
def test_one_inner_address_among_public_ones_refuses_all(address: str) -> None:
    client = Client(resolve=resolving_to(address, "10.0.0.1"))
    with pytest.raises(AddressRefused, match="no public address"):
        client.request("GET", "https://hooks.example.com/")


@pytest.mark.parametrize(
    "address", [one for one in INNER if one not in ("127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1")]
)
def test_a_test_installation_reaches_its_own_machine_and_no_other_inner_address(address: str, inside: Client) -> None:
    client = Client(allow_loopback=True, resolve=resolving_to(address))
    with pytest.raises(AddressRefused, match="no public address"):
        client.request("GET", "http://hooks.example.com/")


def test_the_connection_goes_to_the_address_that_was_checked_and_the_name_is_asked_once() -> None:
    asked: list[str] = []

    def rebinding(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return resolving_to("127.0.0.1" if len(asked) == 1 else "10.0.0.1")(host, port)

    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (port, heard):
        client = Client(allow_loopback=True, resolve=rebinding)
        assert client.request("GET", f"http://hooks.example.com:{port}/").status == 200
    assert asked == ["hooks.example.com"]
    assert f"Host: hooks.example.com:{port}".encode() in heard[0]


def test_without_https_a_public_address_is_not_called() -> None:
    with pytest.raises(AddressRefused, match="https"):
        Client(resolve=resolving_to(OUTER[0])).request("GET", "http://hooks.example.com/")


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost", "[::1]", "127.0.0.1"])
def test_the_many_spellings_of_this_machine_are_refused(host: str) -> None:
    with pytest.raises((AddressRefused, NoAnswer)):
        Client().request("GET", f"https://{host}/")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "//example.com/",
        "https://",
        "https://user@example.com/",
        "https://user:word@example.com/",
        "https://example.com:99999/",
        "https://example.com\\@10.0.0.1/",
        "https://example.com/\r\nX-Evil: 1",
        "https://example.com/ space",
        "https://[::1",
        "https://ex\u00e4mple.com/",
    ],
)
def test_what_is_no_plain_https_address_is_refused_by_the_call_and_by_the_form(url: str) -> None:
    with pytest.raises(AddressRefused):
        Client(resolve=resolving_to(OUTER[0])).request("GET", url)
    with pytest.raises(Invalid) as refused:
        Client().check("url", url)
    assert (refused.value.field, refused.value.rule) == ("url", "outgoing-address")


@pytest.mark.parametrize(
    "url", ["http://hooks.example.com/", "https://10.0.0.1/", "https://[::1]/", "https://localhost/"]
)
def test_a_form_refuses_what_could_never_be_called(url: str) -> None:
    with pytest.raises(Invalid):
        Client().check("url", url)


def test_a_form_takes_a_public_https_address_and_in_tests_one_of_this_machine() -> None:
    Client().check("url", "https://hooks.example.com:8443/in?x=1")
    Client(allow_loopback=True).check("url", "http://127.0.0.1:8000/in")


def test_a_certificate_that_does_not_fit_is_no_answer() -> None:
    with answering(b"HTTP/1.1 200 OK\r\n\r\n") as (port, heard):
        client = Client(allow_loopback=True, timeout_seconds=3)
        with pytest.raises(NoAnswer) as failed:
            client.request("POST", f"https://127.0.0.1:{port}/", body=b"a secret")
    assert not failed.value.may_have_arrived
    assert b"a secret" not in b"".join(heard)


def test_only_an_installation_that_says_so_calls_its_own_machine() -> None:
    assert not Client.of(Settings()).allow_loopback
    assert Client.of(Settings(env="test", outgoing_to_loopback=True)).allow_loopback


def test_a_body_that_comes_after_its_headers_is_read_although_the_connection_ends_with_it() -> None:
    head = b"HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n"
    with answering(head, b"hello", pause=0.05) as (port, _heard):
        assert Client(allow_loopback=True).request("GET", f"http://127.0.0.1:{port}/").text == "hello"
