"""What the application as a whole may not do to a request."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient


def test_no_request_starts_a_thread(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    client.get("/healthz")  # what is made once is made
    started: list[str] = []
    start: Callable[..., Any] = threading.Thread.start

    def noted(thread: threading.Thread) -> None:
        started.append(thread.name)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", noted)
    assert client.get("/login").status_code == 200
    assert started == []
