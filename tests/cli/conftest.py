"""Commands in processes of their own, as people run them."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Amplify = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(new_database: Callable[[], str], tmp_path: Path) -> dict[str, str]:
    """A development install in an empty folder, on a database of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AMPLIFY_", "PROMETHEUS_"))}
    return {**kept, "AMPLIFY_DATABASE_URL": new_database(), "AMPLIFY_DATA_DIR": str(tmp_path / "var")}


@pytest.fixture
def amplify(environment: dict[str, str]) -> Amplify:
    """Run `amplify ...` to its end."""

    def run(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "amplify", *arguments]
        environ = {**environment, **{name: str(value) for name, value in more.items()}}
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=120)  # noqa: S603

    return run
