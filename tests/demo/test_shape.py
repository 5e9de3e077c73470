"""A demo that an earlier version made is recognised as such."""

from pathlib import Path

import pytest

from amplify.core import paths
from amplify.demo.shape import fits, mark


def test_a_demo_fits_the_version_that_made_it(tmp_path: Path) -> None:
    mark(tmp_path)
    assert fits(tmp_path)


def test_a_demo_of_before_the_mark_does_not_fit(tmp_path: Path) -> None:
    assert not fits(tmp_path)


def test_a_demo_made_with_other_tables_does_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark(tmp_path)
    changed = tmp_path / "migrations" / "versions"
    changed.mkdir(parents=True)
    (changed / "0001_first.py").write_text("# one column more")
    monkeypatch.setattr(paths, "MIGRATIONS", changed.parent)
    assert not fits(tmp_path)
