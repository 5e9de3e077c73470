"""Where the files that are not code live, in a checkout and in an installed wheel alike."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
CHECKOUT = PACKAGE.parent


def _room(name: str) -> Path:
    """A top-level folder of the checkout; an installed wheel carries it inside the package instead."""
    beside = CHECKOUT / name
    return beside if (CHECKOUT / "pyproject.toml").is_file() and beside.is_dir() else PACKAGE / name


TEMPLATES = _room("templates")
CONFIG = _room("config")
LOCALES = CONFIG / "locales"
STATIC = PACKAGE / "static"
MIGRATIONS = PACKAGE / "migrations"
