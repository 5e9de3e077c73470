"""The locks answer to pyproject.toml, hold nothing unpinned or unhashed, and name no place to fetch from."""

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tools import lock

PIN = re.compile(r"^(?P<name>[a-z0-9.-]+)==(?P<version>[^ ]+)", re.MULTILINE)


def text_of(name: str) -> str:
    return (lock.REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")


def pins(name: str) -> dict[str, set[Version]]:
    """Versions by package; there are two where one depends on the Python version."""
    found: dict[str, set[Version]] = {}
    for match in PIN.finditer(text_of(name)):
        found.setdefault(match["name"], set()).add(Version(match["version"]))
    return found


@pytest.mark.parametrize("name", lock.LOCKS)
def test_every_stated_requirement_is_pinned_within_its_bounds(name: str) -> None:
    pinned = pins(name)
    for requirement in map(Requirement, lock.wanted(name)):
        versions = pinned[canonicalize_name(requirement.name)]
        assert all(version in requirement.specifier for version in versions), requirement


@pytest.mark.parametrize("name", lock.LOCKS)
def test_the_lock_was_made_from_pyproject_as_it_is(name: str) -> None:
    assert lock.is_current(name)


def test_a_new_dependency_makes_the_lock_stale(tmp_path: Path) -> None:
    changed = tmp_path / "pyproject.toml"
    stated = (lock.ROOT / "pyproject.toml").read_text(encoding="utf-8")
    changed.write_text(stated.replace("dependencies = [", 'dependencies = [\n    "newcomer>=1",', 1), encoding="utf-8")
    assert not lock.is_current("base", changed)
    assert not lock.is_current("test", changed)
    assert lock.is_current("build", changed)


@pytest.mark.parametrize("name", lock.LOCKS)
def test_every_pin_has_a_hash(name: str) -> None:
    entries = re.split(r"\n(?=[a-z])", text_of(name).split("\n", 4)[4])
    assert len(entries) == len(PIN.findall(text_of(name)))
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", entry) for entry in entries)


@pytest.mark.parametrize("name", lock.LOCKS)
def test_no_lock_names_an_index_or_an_address(name: str) -> None:
    assert not re.search(r"://|--(extra-)?index|--find-links", text_of(name))


def test_what_runs_is_what_was_tested() -> None:
    tested = pins("test")
    assert all(tested[name] == versions for name, versions in pins("base").items())
