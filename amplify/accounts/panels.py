"""What the console's first page shows: each floor adds its figures and its next steps when its views are imported."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from amplify.brands.models import Brand


@dataclass(frozen=True)
class Tile:
    """One figure with what it is made of; see partials/_stat.html."""

    label: Any
    value: str
    part: int | None = None
    whole: int | None = None
    window: Any = ""
    interval: tuple[str, str] | None = None
    small_n: bool = False
    href: str = ""
    note: Any = ""


@dataclass(frozen=True)
class Step:
    """Something left to do, and where."""

    title: Any
    text: Any
    href: str
    action: Any
    icon: str = "list-checks"


TilesOf = Callable[[Session, Brand], list[Tile]]
StepOf = Callable[[Session, Brand], Step | None]

_tiles: dict[str, tuple[int, TilesOf]] = {}
_steps: dict[str, tuple[int, StepOf]] = {}


def add_tiles(name: str, order: int, make: TilesOf) -> None:
    """Figures for the first page, sorted by `order`; said again, they are replaced."""
    _tiles[name] = (order, make)


def add_step(name: str, order: int, make: StepOf) -> None:
    """A next step, shown while `make` returns one."""
    _steps[name] = (order, make)


def tiles(session: Session, brand: Brand) -> list[Tile]:
    """Every figure, in order."""
    makers = [make for _order, make in sorted(_tiles.values(), key=lambda entry: entry[0])]
    return [tile for make in makers for tile in make(session, brand)]


def steps(session: Session, brand: Brand) -> list[Step]:
    """Every step that is still to do, in order."""
    makers = [make for _order, make in sorted(_steps.values(), key=lambda entry: entry[0])]
    return [step for make in makers if (step := make(session, brand))]
