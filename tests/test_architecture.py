"""The contracts on imports can fail: each one catches a violation that is planted in a copy of the house."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the package and of its contracts, to plant things in."""
    leave_out = shutil.ignore_patterns("static", "__pycache__")
    shutil.copytree(ROOT / "amplify", tmp_path / "amplify", ignore=leave_out)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def inspect(house: Path, contract: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache", "--no-logo", "--contract", contract]
    return subprocess.run(command, cwd=house, capture_output=True, text=True, check=False)  # noqa: S603


@pytest.mark.parametrize("contract", ["floors", "jobs", "no-web-below-views"])
def test_the_house_as_built_keeps_the_contract(house: Path, contract: str) -> None:
    found = inspect(house, contract)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize(
    ("contract", "where", "line", "said"),
    [
        ("floors", "core/clock.py", "import amplify.rewards.models", "amplify.core.clock -> amplify.rewards.models"),
        ("floors", "brands/models.py", "import amplify.delivery.models", "amplify.brands is not allowed to import"),
        ("floors", "attic/__init__.py", "", "amplify.attic"),
        ("jobs", "brands/models.py", "import dbos", "amplify.brands.models -> dbos"),
        ("no-web-below-views", "surveys/models.py", "import flask", "amplify.surveys.models -> flask"),
    ],
    ids=["up", "brands know no messages", "room without a floor", "job engine", "web in a model"],
)
def test_a_planted_violation_is_caught(house: Path, contract: str, where: str, line: str, said: str) -> None:
    file = house / "amplify" / where
    file.parent.mkdir(exist_ok=True)
    with file.open("a", encoding="utf-8") as text:
        text.write(f"\n{line}\n")
    found = inspect(house, contract)
    assert found.returncode == 1
    assert said in found.stdout
