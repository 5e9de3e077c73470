"""What a replay came to: two figures for each part of the set, and a line for each family."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tools.clicks.families import families
from tools.clicks.replay import Judged

# What verdicts are right for a label. A machine is caught by whichever verdict keeps it from counting as a person.
OF_PEOPLE = {"human": ("human",), "return": ("duplicate",), "self": ("self",)}
COUNTED = ("human", "duplicate")
PARTS = ("open", "held out")


@dataclass(frozen=True)
class Figures:
    """Machines that were caught, and people whose click was lost, with what they are parts of."""

    machines: int
    caught: int
    people: int
    lost: int

    @property
    def recall(self) -> float:
        """Of the machines, the part that was not taken for people."""
        return self.caught / self.machines

    @property
    def loss(self) -> float:
        """Of people's clicks, the part that was not judged as what it was."""
        return self.lost / self.people


def is_right(judged: Judged) -> bool:
    """Whether a person's click was judged as what it was, or a machine's as no person's."""
    label = judged.request.label
    return judged.verdict in OF_PEOPLE[label] if label in OF_PEOPLE else judged.verdict not in COUNTED


def figures(judged: Sequence[Judged], part: str | None = None) -> Figures:
    """Over one part of the set, or over all of it."""
    mine = [one for one in judged if part in (None, one.request.part)]
    people = [one for one in mine if one.request.label in OF_PEOPLE]
    machines = [one for one in mine if one.request.label not in OF_PEOPLE]
    return Figures(len(machines), sum(map(is_right, machines)), len(people), len(people) - sum(map(is_right, people)))


def summary(judged: Sequence[Judged]) -> list[str]:
    """The figures as a table in Markdown."""
    lines = ["| part | machines | caught | recall | people | lost | loss |", "|---|--:|--:|--:|--:|--:|--:|"]
    for part in (*PARTS, None):
        f = figures(judged, part)
        counts = f"{f.machines:,} | {f.caught:,} | {f.recall:.2%} | {f.people:,} | {f.lost:,} | {f.loss:.2%}"
        lines.append(f"| {part or 'all'} | {counts} |")
    return lines


def table(judged: Sequence[Judged]) -> list[str]:
    """A line per family in Markdown: how many, how many were right, and what the others were taken for."""
    lines = ["| family | label | part | requests | right | otherwise | source |", "|---|---|---|--:|--:|---|---|"]
    for family in families():
        mine = [one for one in judged if one.request.family == family.name]
        wrong = Counter(f"{one.verdict} ({one.rule})" for one in mine if not is_right(one))
        otherwise = ", ".join(f"{n} {said}" for said, n in wrong.most_common())
        cells = (family.name, family.label, family.part, len(mine), len(mine) - wrong.total(), otherwise, family.source)
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines
