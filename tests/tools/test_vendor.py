"""The vendored files are the pinned ones, and every icon that a template names is among them."""

import re
from pathlib import Path

import pytest

from amplify.core import ui
from tools import vendor


def test_the_committed_files_are_the_locked_ones() -> None:
    assert vendor.problems(vendor.read(vendor.WANTED), vendor.read(vendor.LOCK)) == []


def test_a_changed_file_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {"packages": {"a": {"npm": "a", "version": "1", "files": {"x": "x.js"}}}, "sprite": {"path": "s.svg"}}
    lock = {"packages": {"a": {"version": "1"}}, "files": {"x.js": vendor.sha512(b"good"), "s.svg": vendor.sha512(b"")}}
    monkeypatch.setattr(vendor, "ROOT", tmp_path)
    (tmp_path / "s.svg").write_bytes(b"")
    (tmp_path / "x.js").write_bytes(b"good")
    assert vendor.problems(wanted, lock) == []

    (tmp_path / "x.js").write_bytes(b"evil")
    assert vendor.problems(wanted, lock) == ["x.js: not the locked content"]

    (tmp_path / "x.js").unlink()
    assert vendor.problems(wanted, lock) == ["x.js: missing"]


def test_a_version_that_was_not_fetched_is_noticed() -> None:
    wanted = vendor.read(vendor.WANTED)
    wanted["packages"]["htmx"]["version"] = "9.9.9"
    assert vendor.problems(wanted, vendor.read(vendor.LOCK)) == ["htmx: version 9.9.9 is wanted but not locked"]


def test_a_tarball_other_than_the_locked_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendor, "pack", lambda spec, folder: b"other bytes")
    with pytest.raises(vendor.Refused, match=r"htmx.org 2.0.11 is not the tarball that was locked"):
        vendor.fetch({"npm": "htmx.org", "version": "2.0.11"}, {"version": "2.0.11", "integrity": "sha512-x"}, tmp_path)


def test_every_icon_that_a_template_names_is_vendored() -> None:
    named = set()
    for template in (vendor.ROOT / "templates").rglob("*.html"):
        named |= set(re.findall(r"""\bicon\(["']([a-z0-9-]+)["'][,)]""", template.read_text()))
    assert named
    assert named - ui.icons() == set()


def test_every_vendored_library_comes_with_its_licence() -> None:
    for name, package in vendor.read(vendor.WANTED)["packages"].items():
        assert any("LICENSE" in target for target in package["files"].values()), name
