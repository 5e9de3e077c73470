"""A private Redis on a UNIX socket, spoken to in its own protocol (redis.io/docs/reference/protocol-spec)."""

import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from bench import servers


def is_there() -> bool:
    """Whether this machine has a Redis to compare with."""
    return shutil.which("redis-server") is not None


class Asker(Protocol):
    """Who takes commands to Redis, and what comes back."""

    def ask(self, *words: object) -> Any: ...
    def ask_all(self, commands: list[tuple[object, ...]]) -> list[Any]: ...


class Redis:
    """One connection. Replies come as bytes, int, list or None."""

    def __init__(self, path: Path, pid: int) -> None:
        self.path, self.pid = path, pid
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._replies = self._socket.makefile("rb")

    def ask(self, *words: object) -> Any:
        """One command."""
        return self.ask_all([words])[0]

    def ask_all(self, commands: list[tuple[object, ...]]) -> list[Any]:
        """Several commands on one journey."""
        self._socket.sendall(b"".join(map(_packed, commands)))
        return [self._reply() for _ in commands]

    def close(self) -> None:
        self._replies.close()
        self._socket.close()

    def _reply(self) -> Any:
        line = self._replies.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"$":
            return None if rest == b"-1" else self._replies.read(int(rest) + 2)[:-2]
        if kind == b":":
            return int(rest)
        if kind == b"*":
            return [self._reply() for _ in range(int(rest))]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        return rest


class Client:
    """The same by redis-py with its parser in C, as a service in Python would ask."""

    def __init__(self, server: Redis) -> None:
        found = str(servers.installed("redis", "redis[hiredis]"))
        if found not in sys.path:
            sys.path.append(found)
        client: Any = import_module("redis")
        self._client = client.Redis(unix_socket_path=str(server.path), single_connection_client=True, protocol=2)

    def ask(self, *words: object) -> Any:
        """One command."""
        return self._client.execute_command(*words)

    def ask_all(self, commands: list[tuple[object, ...]]) -> list[Any]:
        """Several commands on one journey."""
        journey = self._client.pipeline(transaction=False)
        for command in commands:
            journey.execute_command(*command)
        return list(journey.execute())


def _packed(words: tuple[object, ...]) -> bytes:
    texts = [str(word).encode() for word in words]
    return b"*%d\r\n" % len(texts) + b"".join(b"$%d\r\n%s\r\n" % (len(text), text) for text in texts)


@contextmanager
def server(kept: Path | None = None) -> Iterator[Redis]:
    """Without persistence, in a folder that goes away; or with what an earlier one saved in the folder that is kept."""
    with tempfile.TemporaryDirectory(prefix="amplify-redis-") as folder:
        path = Path(folder) / "redis"
        command = ("redis-server", "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(kept or folder))
        with servers.process(*command) as child:
            redis = _ready(path, child.pid)
            try:
                yield redis
            finally:
                redis.close()


def _ready(path: Path, pid: int, seconds: float = 120.0) -> Redis:
    """A connection, when it is there and has read what was saved."""
    until = time.monotonic() + seconds
    while True:
        try:
            redis = Redis(path, pid)
            redis.ask("DBSIZE")
        except (OSError, RuntimeError):
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return redis
