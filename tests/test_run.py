"""run.py makes its environment once, heals what was interrupted, and then becomes the command it starts.

Each test works on a small checkout of its own: empty locks, and a package that a builder of ten lines installs,
so nothing is fetched.
"""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

RUN = Path(__file__).resolve().parent.parent / "run.py"
PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "builder"\nbackend-path = ["."]\n'
BUILDER = """
import pathlib, zipfile
def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "amplify-1-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder, name), "w") as wheel:
        wheel.writestr("amplify.pth", str(pathlib.Path.cwd()))
        about = {"METADATA": "Name: amplify\\nVersion: 1", "WHEEL": "Wheel-Version: 1.0\\nTag: py3-none-any"}
        about["entry_points.txt"] = "[console_scripts]\\namplify = amplify.__main__:main"
        for file, text in {**about, "RECORD": ""}.items():
            wheel.writestr("amplify-1.dist-info/" + file, "Metadata-Version: 2.1\\n" * (file == "METADATA") + text)
    return name
"""
PACKAGE = """
import os, signal, sys, time
def stop(number, frame):
    os.write(1, f"closed by {signal.Signals(number).name}\\n".encode())  # print may be in the middle of a line
    sys.exit(7)
def main():
    print("started with", *sys.argv[1:], flush=True)
    if "--wait" in sys.argv:
        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGTERM, stop)
        print("waiting", flush=True)
        time.sleep(60)
    sys.exit(3)
if __name__ == "__main__":
    main()
"""


def plant(root: Path) -> Path:
    """A checkout with everything run.py looks at, not started yet."""
    for name, text in {"pyproject.toml": PYPROJECT, "builder.py": BUILDER, "amplify/__main__.py": PACKAGE}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    (root / "requirements").mkdir()
    for lock in ("build", "base", "test"):
        (root / "requirements" / f"{lock}.txt").write_text(f"# nothing to {lock}\n", encoding="utf-8")
    (root / "run.py").write_bytes(RUN.read_bytes())
    return root


def start(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "run.py"), *arguments]
    offline = {**os.environ, "PIP_NO_INDEX": "1"}
    return subprocess.run(command, env=offline, capture_output=True, text=True, check=False)  # noqa: S603


def load(root: Path) -> ModuleType:
    """The checkout's run.py as a module, to ask it what it would do."""
    spec = importlib.util.spec_from_file_location("planted_run", root / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A checkout after its first start, and what that start said."""
    root = plant(tmp_path_factory.mktemp("checkout") / "amplify")
    return root, start(root, "demo", "--port", "0")


@pytest.fixture
def ready(first: tuple[Path, subprocess.CompletedProcess[str]]) -> Iterator[ModuleType]:
    """run.py of a checkout that is installed; the note, the lock and the interpreter are put back afterwards."""
    run = load(first[0])
    assert run.is_ready("base")
    files = {file: file.read_bytes() for file in (run.STAMP, run.requirements("base"))}
    interpreter = run.PYTHON.readlink()
    yield run
    for file, content in files.items():
        file.write_bytes(content)
    if not run.PYTHON.exists():
        run.PYTHON.symlink_to(interpreter)


def test_the_first_start_installs_and_hands_the_arguments_and_the_exit_code_over(
    first: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    root, done = first
    assert "making .venv" in done.stdout, done.stderr
    assert done.stdout.endswith("started with demo --port 0\n")
    assert done.returncode == 3
    assert (root / ".venv" / "bin" / "amplify").exists()


def test_the_second_start_hands_over_at_once(ready: ModuleType) -> None:
    assert start(ready.ROOT, "demo").stdout == "started with demo\n"


def test_the_package_is_compiled_also_where_python_itself_writes_nothing(
    ready: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    new = ready.ROOT / "amplify" / "new.py"
    new.write_text("A_LINE = 1\n")
    start(ready.ROOT, "demo")
    assert list(new.parent.glob("__pycache__/new.*.pyc"))


def test_an_interrupted_installation_is_started_over(ready: ModuleType) -> None:
    ready.write_stamp("installing")
    (ready.VENV / "half").touch()
    done = start(ready.ROOT, "demo")
    assert "an installation was interrupted" in done.stdout
    assert done.returncode == 3
    assert not (ready.VENV / "half").exists()


def test_a_changed_lock_is_installed_into_the_environment_that_stands(ready: ModuleType) -> None:
    with ready.requirements("base").open("a") as lock:
        lock.write("# changed\n")
    assert not ready.is_ready("base")
    (ready.VENV / "kept").touch()
    assert start(ready.ROOT, "demo").returncode == 3
    assert ready.is_ready("base")
    assert (ready.VENV / "kept").exists()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"checkout": "/elsewhere"}, "the checkout was moved"),
        ({"python": "3.9"}, None),
        ({"state": "installing"}, "an installation was interrupted"),
    ],
    ids=["moved", "other Python in the note", "killed"],
)
def test_a_note_that_does_not_fit_is_not_trusted(ready: ModuleType, change: dict[str, str], reason: str | None) -> None:
    ready.STAMP.write_text(json.dumps({**ready.read_stamp(), **change}))
    assert not ready.is_ready("base")
    assert ready.why_remake() == reason


def test_an_environment_whose_python_is_gone_is_made_again(ready: ModuleType) -> None:
    ready.PYTHON.unlink()
    assert not ready.is_ready("base")
    assert ready.why_remake() == "it does not work"


def test_an_unreadable_note_counts_as_none(ready: ModuleType) -> None:
    ready.STAMP.write_bytes(b"\xff{")
    assert ready.read_stamp() == {}
    assert not ready.is_ready("base")


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_the_command_and_its_exit_code_comes_back(ready: ModuleType, sent: signal.Signals) -> None:
    command = [sys.executable, str(ready.ROOT / "run.py"), "demo", "--wait"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
    assert child.stdout is not None
    for line in child.stdout:
        if line == "waiting\n":
            break
    child.send_signal(sent)
    said, _ = child.communicate(timeout=10)
    assert said == f"closed by {sent.name}\n"
    assert child.returncode == 7


def test_an_unknown_command_is_refused_and_the_known_ones_are_listed(tmp_path: Path) -> None:
    done = start(plant(tmp_path), "dmeo")
    assert done.returncode == 1
    assert "there is no command 'dmeo'; there are: demo, test, bench, faults." in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_failed_installation_says_why_and_where_to_read_more(ready: ModuleType) -> None:
    ready.requirements("base").write_text("nowhere-to-be-found==1 --hash=sha256:" + "0" * 64)
    done = start(ready.ROOT, "demo")
    assert done.returncode == 1
    assert "No matching distribution found for nowhere-to-be-found==1" in done.stderr
    assert "No matching distribution" in ready.LOG.read_text()
    assert ready.why_remake() == "an installation was interrupted"
