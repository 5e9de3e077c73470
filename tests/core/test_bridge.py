"""The bridge gives an application what granian's own WSGI server gives it, over real sockets."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.delivery.mailserver import free_port

# What may differ: the port, and names that only granian gives.
OWN = {"SERVER_PORT", "GATEWAY_INTERFACE", "SERVER_SOFTWARE", "wsgi.url_scheme"}
HOST = b"Host: h:1\r\n"


class Servers(NamedTuple):
    """Ports of both, and where the bridge's process writes."""

    wsgi: int
    bridge: int
    log: Path


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    log = tmp_path_factory.mktemp("bridge") / "log"
    ports = (free_port(), free_port())
    with log.open("wb") as out:
        children = [
            subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "granian", "--interface", kind, "--port", str(port), "--log-level", "warning",
                 f"tests.core.bridged:{name}"], stdout=out, stderr=out,
            )
            for port, kind, name in zip(ports, ("wsgi", "rsgi"), ("app", "bridged"), strict=True)
        ]  # fmt: skip
        try:
            for port in ports:
                wait_for(port)
            yield Servers(*ports, log)
        finally:
            for child in children:
                child.terminate()
            for child in children:
                child.wait(20)


def wait_for(port: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if ask(port, b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("no answer")


def ask(port: int, raw: bytes) -> bytes:
    """Everything that comes back until the announced length is here, or the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(raw)
        got = b""
        while part := connection.recv(65536):
            got += part
            head, end, body = got.partition(b"\r\n\r\n")
            lengths = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            if end and (raw.startswith(b"HEAD") or b" 304 " in head or (lengths and len(body) >= lengths[0])):
                break
        return got


def told(answer: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return {key: value for key, value in found.items() if key not in OWN}


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /a%20b/%2F%25?q=%20a+b&x=%C3%A9 HTTP/1.1\r\n" + HOST,
        b"GET /caf\xc3\xa9/%C3%A9?x=\xc3\xa9 HTTP/1.1\r\n" + HOST,
        b"GET //double//x/../y?a=1&a=2;b HTTP/1.1\r\n" + HOST + b"X-A: 1\r\nX-B:  \t padded \r\n",
        b"GET http://other/abs?x HTTP/1.1\r\n" + HOST,
        b"GET / HTTP/1.0\r\n",
        b"GET /%00nul/%zz%2;p=1? HTTP/1.1\r\n" + HOST + b"Content-Type: text/plain\r\n",
        b"POST /p HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc",
        b"POST /p HTTP/1.1\r\n"
        + HOST
        + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n",
        b"GET /with-body HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc",
        b"DELETE /d HTTP/1.1\r\n" + HOST,
        b"OPTIONS * HTTP/1.1\r\n" + HOST,
        b"STRANGE /s HTTP/1.1\r\n" + HOST + b"Authorization: Bearer x\r\nX-A: 1\r\nX-A: 2\r\n",
    ],
)
def test_an_application_is_told_the_same(servers: Servers, raw: bytes) -> None:
    raw = raw if b"\r\n\r\n" in raw and not raw.endswith(b"0\r\n") else raw + b"\r\n"
    assert told(ask(servers.bridge, raw)) == told(ask(servers.wsgi, raw))


def test_a_header_with_an_underscore_never_passes_for_one_with_a_dash(servers: Servers) -> None:
    raw = b"GET / HTTP/1.1\r\n" + HOST + b"X_Forwarded_For: 6.6.6.6\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n"
    assert told(ask(servers.bridge, raw))["HTTP_X_FORWARDED_FOR"] == "1.1.1.1"


def test_cookies_of_several_lines_are_one_list(servers: Servers) -> None:
    raw = b"GET / HTTP/1.1\r\n" + HOST + b"Cookie: a=1\r\nCookie: b=2\r\n\r\n"
    assert told(ask(servers.bridge, raw))["HTTP_COOKIE"] == "a=1; b=2"


def test_both_cookies_of_an_answer_arrive(servers: Servers) -> None:
    head = ask(servers.bridge, b"GET / HTTP/1.1\r\n" + HOST + b"\r\n").partition(b"\r\n\r\n")[0].lower()
    assert head.count(b"set-cookie: ") == 2


def test_an_answer_without_a_body_has_none(servers: Servers) -> None:
    for port in (servers.wsgi, servers.bridge):
        head = ask(port, b"HEAD / HTTP/1.1\r\n" + HOST + b"\r\n").lower()
        assert head.endswith(b"\r\n\r\n")
        assert b"content-length: " in head
        unchanged = ask(port, b"GET /empty HTTP/1.1\r\n" + HOST + b"\r\n").lower()
        assert unchanged.startswith(b"http/1.1 304")
        assert b"transfer-encoding" not in unchanged


def test_one_connection_carries_many_requests(servers: Servers) -> None:
    with socket.create_connection(("127.0.0.1", servers.bridge), timeout=20) as connection:
        for _ in range(3):
            connection.sendall(b"GET /empty HTTP/1.1\r\n" + HOST + b"\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 304")


def test_a_part_leaves_as_soon_as_it_is_made(servers: Servers) -> None:
    with socket.create_connection(("127.0.0.1", servers.bridge), timeout=20) as connection:
        connection.sendall(b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\n")
        got, times = b"", []
        while b"data: 2" not in got:
            got += connection.recv(65536)
            times.append(time.monotonic())
    assert times[-1] - times[0] > 0.3
    assert b"content-length" not in got.lower()


def test_an_answer_that_breaks_in_the_middle_ends_and_the_server_goes_on(servers: Servers) -> None:
    got = ask(servers.bridge, b"GET /broken HTTP/1.0\r\n" + HOST + b"\r\n")
    assert b"data: 0" in got
    assert b"data: 1" not in got
    assert ask(servers.bridge, b"GET /empty HTTP/1.1\r\n" + HOST + b"\r\n").startswith(b"HTTP/1.1 304")


def test_a_long_answer_arrives_whole(servers: Servers) -> None:
    assert len(ask(servers.bridge, b"GET /large HTTP/1.1\r\n" + HOST + b"\r\n").partition(b"\r\n\r\n")[2]) == 3_000_000


def test_a_body_is_read_as_far_as_the_address_takes(servers: Servers) -> None:
    def sent(path: str, size: int) -> int:
        raw = f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {size}\r\n\r\n".encode() + b"x" * size
        return int(told(ask(servers.bridge, raw))["body"])

    assert sent("/other", 1_000) == 1_000
    assert sent("/other", 3_000) == 1_001  # one more than is taken: the application refuses it
    assert sent("/upload", 1_500_000) == 1_500_000


def test_half_a_body_is_never_handed_on(servers: Servers) -> None:
    with socket.create_connection(("127.0.0.1", servers.bridge), timeout=20) as connection:
        connection.sendall(b"POST /p HTTP/1.1\r\n" + HOST + b"Content-Length: 100\r\n\r\nabc")
        time.sleep(0.2)
    end = time.monotonic() + 10
    while "cut" not in servers.log.read_text():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("kind", "status"),
    [("application/json", b"200"), ("application/problem+json; charset=utf-8", b"200"), ("multipart/form-data", b"200"),
     ("application/x-www-form-urlencoded", b"411"), ("text/csv", b"411"), ("application/x-ndjson", b"411")],
)  # fmt: skip
def test_a_body_of_unknown_length_is_read_if_its_own_form_has_an_end(
    servers: Servers, kind: str, status: bytes
) -> None:
    raw = f"POST /p HTTP/1.1\r\nHost: h\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    assert ask(servers.bridge, raw + b"3\r\nabc\r\n0\r\n\r\n")[9:12] == status
