"""A real installation for tests that cross processes: `amplify serve` on a free port, its commands, its mail server."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from standardwebhooks import Webhook

from tests.delivery.mailserver import MailServer, free_port, listening


class Installation:
    """One install: its address, its environment, and what it mailed."""

    def __init__(self, environ: dict[str, str], mails: MailServer) -> None:
        self.environ, self.mails = environ, mails
        self.url = environ["AMPLIFY_BASE_URL"]

    def engine(self) -> sa.Engine:
        """Its database, for what a test cannot wait for."""
        url = sa.make_url(self.environ["AMPLIFY_DATABASE_URL"])
        return sa.create_engine(url if "sqlite" in url.drivername else url.set(drivername="postgresql+psycopg"))

    def run(self, *arguments: str) -> Any:
        """`amplify ... --json`; its answer."""
        command = [sys.executable, "-m", "amplify", *arguments, "--json"]
        done = subprocess.run(command, env=self.environ, capture_output=True, text=True, check=False, timeout=120)  # noqa: S603
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any, dict[str, str]]:
        """Status, body (read, if it is JSON) and headers of a request; redirects are not followed."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, body, names, method=method)  # noqa: S310
        opener = urllib.request.build_opener(_Stay)
        try:
            with opener.open(request, timeout=30) as answer:
                return answer.status, _read(answer), dict(answer.headers)
        except urllib.error.HTTPError as error:
            return error.code, _read(error), dict(error.headers)

    def post_signed(self, path: str, secret: str, body: Any) -> tuple[int, Any, dict[str, str]]:
        """POST JSON signed as Standard Webhooks say."""
        raw = json.dumps(body)
        now, message_id = datetime.now(UTC), uuid4().hex
        key = secret if secret.startswith("whsec_") else b64encode(secret.encode()).decode()
        headers = {
            "content_type": "application/json",
            "webhook_id": message_id,
            "webhook_timestamp": str(int(now.timestamp())),
            "webhook_signature": Webhook(key).sign(message_id, now, raw),
        }
        return self.ask("POST", path, raw.encode(), **headers)


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _read(answer: Any) -> Any:
    raw = answer.read()
    return json.loads(raw) if "json" in answer.headers.get("Content-Type", "") else raw.decode()


def until(what: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Ask again until there is an answer that is true; it is given. Fails after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.1)
    raise AssertionError(f"not in {seconds:.0f} s")


@contextmanager
def installed(database_url: str, folder: Path, **settings: str) -> Iterator[Installation]:
    """`amplify serve` (pages and one worker) on this database, mailing to a server of ours; stopped at the end."""
    port = free_port()
    with listening() as mails, (folder / "serve.log").open("wb") as log:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AMPLIFY_")}
        environ = kept | {
            "AMPLIFY_DATABASE_URL": database_url,
            "AMPLIFY_DATA_DIR": str(folder / "var"),
            "AMPLIFY_PORT": str(port),
            "AMPLIFY_BASE_URL": f"http://127.0.0.1:{port}",
            "AMPLIFY_MAIL": "smtp",
            "AMPLIFY_SMTP_HOST": mails.host,
            "AMPLIFY_SMTP_PORT": str(mails.port),
            **{f"AMPLIFY_{name.upper()}": value for name, value in settings.items()},
        }
        server = subprocess.Popen([sys.executable, "-m", "amplify", "serve"], env=environ, stdout=log, stderr=log)
        one = Installation(environ, mails)
        try:
            until(lambda: _is_up(one, server, folder), 60)
            yield one
        finally:
            server.terminate()
            assert server.wait(40) == 0, (folder / "serve.log").read_text()


def _is_up(one: Installation, server: "subprocess.Popen[bytes]", folder: Path) -> bool:
    assert server.poll() is None, (folder / "serve.log").read_text()
    try:
        return one.ask("GET", "/readyz")[0] == 200
    except OSError:
        return False


@contextmanager
def shop() -> Iterator[tuple[str, list[str]]]:
    """A shop's landing page: its address, and the paths people came to."""
    visits: list[str] = []

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            visits.append(self.path)
            body = b"<!doctype html><html lang=en><title>Shop</title><h1>Welcome</h1>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/stay", visits
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
