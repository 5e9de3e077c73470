"""The web process beside what is measured: it serves a board to somebody who looks at it ten times a second."""

import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.leaderboards.board_links import make_link
from amplify.leaderboards.boards import WHOLE_BRAND
from bench import servers

EVERY_SECONDS, SHOWN = 0.1, 100


@dataclass
class Pages:
    """How it went: seconds of each answer, and the memory of the process and its children at the start."""

    pid: int
    seconds: list[float] = field(default_factory=list)
    first_mb: float = 0.0

    def memory_mb(self) -> float:
        """Of the process and its children."""
        return sum(map(servers.memory_mb, servers.family(self.pid)))

    def grown_mb(self) -> float:
        return self.memory_mb() - self.first_mb

    def look(self, url: str, until: threading.Event) -> None:
        while not until.wait(EVERY_SECONDS):
            began = time.perf_counter()
            urllib.request.urlopen(url, timeout=60).close()
            self.seconds.append(time.perf_counter() - began)


@contextmanager
def looked_at(engine: Engine, address: str) -> Iterator[Pages]:
    """`amplify serve --no-worker` on this database, and a thread that asks it for the first hundred."""
    with Session(engine) as session, session.begin():
        brand = session.scalars(sa.select(Brand)).one()
        _link, secret = make_link(
            session, brand, name="Bench", board=WHOLE_BRAND, shown=SHOWN, days=30, password="", actor="bench"
        )
    port, until = servers.free_port(), threading.Event()
    base = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="amplify-pages-") as folder:
        env = {
            "AMPLIFY_DATABASE_URL": address, "AMPLIFY_DATA_DIR": folder, "AMPLIFY_BASE_URL": base,
            "AMPLIFY_PORT": str(port),
        }  # fmt: skip
        command = (sys.executable, "-m", "amplify", "serve", "--no-worker")
        with servers.process(*command, env=env, log=Path(folder) / "serve.log") as child:
            servers.wait_until_it_answers(f"{base}/healthz", child, 60)
            pages = Pages(child.pid)
            url = f"{base}/shared/{secret}/board.json"
            for _ in range(20):
                urllib.request.urlopen(url, timeout=60).close()
            pages.first_mb = pages.memory_mb()
            thread = threading.Thread(target=pages.look, args=(url, until))
            thread.start()
            try:
                yield pages
            finally:
                until.set()
                thread.join()
