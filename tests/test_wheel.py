"""The wheel is whole: what stands beside the package in a checkout is inside it once installed."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what the wheel installs."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)  # noqa: S603
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


def test_an_installed_amplify_finds_its_files_inside_itself(installed: Path) -> None:
    code = "from amplify.core import paths as p; print(p.TEMPLATES, p.LOCALES, p.STATIC, p.MIGRATIONS, sep='\\n')"
    command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(installed)!r}); {code}"]
    said = subprocess.run(command, cwd=installed, check=True, capture_output=True, text=True).stdout  # noqa: S603
    folders = [Path(line) for line in said.splitlines()]
    assert [folder.is_relative_to(installed) and folder.is_dir() for folder in folders] == [True] * 4, folders


@pytest.mark.parametrize("room", ["templates", "config"])
def test_every_file_beside_the_package_is_in_the_wheel(installed: Path, room: str) -> None:
    beside = {file.relative_to(ROOT) for file in (ROOT / room).rglob("*") if file.is_file()}
    inside = {file.relative_to(installed / "amplify") for file in (installed / "amplify" / room).rglob("*")}
    assert beside
    assert beside <= inside


def test_the_command_and_the_licence_come_along(installed: Path) -> None:
    about = next(installed.glob("amplify-*.dist-info"))
    assert "amplify = amplify.cli:main" in (about / "entry_points.txt").read_text()
    assert (about / "licenses" / "LICENSE").is_file()
