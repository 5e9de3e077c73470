"""What this machine can do at most, measured in the same run: rows on disk, mails on the wire."""

import re
import smtplib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from threading import Lock

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy.engine import Engine

from bench.servers import free_port

MESSAGE_ID = re.compile(rb"(?im)^message-id:\s*(\S+)")
SECONDS = 0.7
FILLING = "x" * 250  # about what a row of ours weighs


def rows_per_second(engine: Engine, per_commit: int) -> float:
    """Rows inserted per second, so many in one durable commit, by one connection with the driver's executemany."""
    mark = "?" if engine.dialect.name == "sqlite" else "%s"
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE IF EXISTS bench_rows")
        connection.exec_driver_sql("CREATE TABLE bench_rows (id INTEGER PRIMARY KEY, filling TEXT)")
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        batch = [(done + number, FILLING) for number in range(per_commit)]
        with engine.begin() as connection:
            connection.exec_driver_sql(f"INSERT INTO bench_rows VALUES ({mark}, {mark})", batch)  # noqa: S608
        done += per_commit
    rate = done / (time.perf_counter() - began)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE bench_rows")
    return rate


class Sink:
    """A mail server on this machine that only remembers Message-IDs."""

    def __init__(self) -> None:
        self.port = free_port()
        self.arrived: list[str] = []
        self._lock = Lock()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        found = MESSAGE_ID.search(content)
        with self._lock:
            self.arrived.append(found[1].decode() if found else "")
        return "250 OK"


@contextmanager
def mail_server() -> Iterator[Sink]:
    """The server, until the block ends."""
    sink = Sink()
    controller = Controller(sink, hostname="127.0.0.1", port=sink.port, server_hostname="sink", enable_SMTPUTF8=True)
    controller.start()
    try:
        yield sink
    finally:
        controller.stop()


def mails_per_second(sink: Sink) -> float:
    """Mails of the size of ours that smtplib alone puts through one open connection to this server."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@amplify.example", "b@guests.example", "Raw"
    mail["Message-ID"] = "<raw@amplify.example>"
    mail.set_content("x" * 60 + "\n")
    mail.add_alternative("\n".join(["x" * 70] * 100), subtype="html")
    done, began = 0, time.perf_counter()
    with smtplib.SMTP("127.0.0.1", sink.port, local_hostname="bench") as server:
        while time.perf_counter() - began < SECONDS:
            server.send_message(mail)
            done += 1
    return done / (time.perf_counter() - began)
