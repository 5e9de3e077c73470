"""The hand-written tables (tests/fixtures/clicks/*.toml): families of agents, each with its label and its source."""

import re
import tomllib
from random import Random
from typing import Any
from zlib import crc32

from pydantic import BaseModel, ConfigDict

from tools.clicks.requests import FOLDER

TABLES = ("people", "apps", "machines", "scenes")
# One family of three is put aside, by its name and before anybody looked at what the rules make of it.
HELD_OUT_OF = 3
PLACE = re.compile(r"\{(\w+)\}")


class Family(BaseModel):
    """Requests of one kind. Ranges are (least, most)."""

    model_config = ConfigDict(extra="forbid")

    name: str
    label: str = "human"
    source: str
    notes: str = ""
    agents: list[str]
    count: int = 36
    method: str = "GET"
    gpc: bool = False
    channel: str = ""
    purposes: list[str] = [""]
    referrers: list[str] = [""]
    scene: str = "alone"
    links: tuple[int, int] = (1, 1)
    seconds: tuple[float, float] = (0, 0)
    mailed: tuple[float, float] | None = None

    @property
    def part(self) -> str:
        return "open" if crc32(self.name.encode()) % HELD_OUT_OF else "held out"


def families() -> list[Family]:
    """All of them, in the tables' order."""
    return [Family(**found) for table in TABLES for found in _read(table)["family"]]


def values() -> dict[str, list[str]]:
    """What stands for the places in agents."""
    return _read("values")


def filled(template: str, values: dict[str, list[str]], random: Random) -> str:
    """The template with a value for each place; the same value where a place comes twice."""
    chosen: dict[str, str] = {}

    def choose(place: re.Match[str]) -> str:
        return chosen.setdefault(place[1], random.choice(values[place[1]]))

    return PLACE.sub(choose, template)


def _read(table: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / f"{table}.toml").read_text())
