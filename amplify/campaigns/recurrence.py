"""When a campaign that repeats starts: the rule as it is written, and the wall times and instants it means.

The days are counted by dateutil's rrule (RFC 5545). Which instant a wall time means on the nights when the clocks
change is decided where every start's is (schedule.read_local).
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time
from itertools import islice
from typing import Annotated, Any, Literal, NamedTuple

from dateutil import rrule
from pydantic import BaseModel, ConfigDict, Field, model_validator

from amplify.campaigns.schedule import LAST_YEAR, read_local

KINDS = ("weekly", "monthly_weekday", "monthly_day")
NTHS = (1, 2, 3, 4, -1)  # -1: the last one
WEEKDAYS = (rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR, rrule.SA, rrule.SU)


class RepeatsIn(BaseModel):
    """How a campaign repeats, for ever or until a day (included) or for a count (skipped ones are counted too).

    `weekdays`: 0 is Monday; `nth`: which of them in the month, -1 the last; `day`: 31 is the last day of each month.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["weekly", "monthly_weekday", "monthly_day"]
    weekdays: Annotated[tuple[Annotated[int, Field(ge=0, le=6)], ...], Field(max_length=7)] = ()
    nth: Literal[1, 2, 3, 4, -1] = 1
    day: Annotated[int, Field(ge=1, le=31)] = 1
    until: date | None = None
    count: Annotated[int, Field(ge=1, le=1000)] | None = None

    @model_validator(mode="after")
    def _whole(self) -> "RepeatsIn":
        if self.kind != "monthly_day" and not self.weekdays:
            raise ValueError("weekdays: at least one")
        if self.until is not None and self.count is not None:
            raise ValueError("until or count, not both")
        return self

    def plain(self) -> dict[str, Any]:
        """As the row keeps it: only what its kind needs."""
        needed = {"weekly": ("weekdays",), "monthly_weekday": ("weekdays", "nth"), "monthly_day": ("day",)}[self.kind]
        kept = self.model_dump(mode="json", include={"kind", "until", "count", *needed}, exclude_none=True)
        return kept | ({"weekdays": sorted(set(self.weekdays))} if "weekdays" in kept else {})


def read_rule(repeats: Mapping[str, Any]) -> RepeatsIn | None:
    """The rule a row keeps, with all its fields; None for a campaign that starts once."""
    return RepeatsIn.model_validate(repeats) if repeats else None


class Due(NamedTuple):
    """One start to come: the wall time as the rule says it, the instant it means, and what the clocks do then."""

    local: str
    at: datetime
    case: str


def dues(repeats: Mapping[str, Any], starts_local: str, zone: str) -> Iterator[Due]:
    """Every start, in order: only `starts_local` for a campaign that does not repeat, else all days of the rule from
    that day on, at its time of day. Raises Invalid for a wall time that is none."""
    before: datetime | None = None
    for local in _locals(repeats, starts_local, zone):
        reading = read_local(local, zone)
        if before is None or reading.instant > before:
            yield Due(local, reading.instant, reading.case)
        before = reading.instant


def upcoming(
    repeats: Mapping[str, Any], starts_local: str, zone: str, after: datetime, ends: datetime | None, count: int = 3
) -> list[Due]:
    """The next `count` starts after an instant; none at or after the campaign's end."""
    return list(islice((due for due in _before(ends, dues(repeats, starts_local, zone)) if due.at > after), count))


def between(
    repeats: Mapping[str, Any], starts_local: str, zone: str, first: datetime, last: datetime, ends: datetime | None
) -> list[Due]:
    """The starts from one instant to another, both included; none at or after the campaign's end."""
    found = []
    for due in _before(ends, dues(repeats, starts_local, zone)):
        if due.at > last:
            break
        found += [due] if due.at >= first else []
    return found


def _before(ends: datetime | None, found: Iterator[Due]) -> Iterator[Due]:
    for due in found:
        if ends is not None and due.at >= ends:
            return
        yield due


def _locals(repeats: Mapping[str, Any], starts_local: str, zone: str) -> Iterator[str]:
    if not repeats:
        yield starts_local
        return
    read_local(starts_local, zone)  # says what is wrong with it
    for wall in _rule(repeats, datetime.fromisoformat(starts_local)):
        if wall.year > LAST_YEAR:
            return
        yield wall.strftime("%Y-%m-%dT%H:%M")


def _rule(repeats: Mapping[str, Any], first: datetime) -> rrule.rrule:
    until = date.fromisoformat(repeats["until"]) if repeats.get("until") else None
    limits = {"until": until and datetime.combine(until, time.max), "count": repeats.get("count")}
    return RULES[repeats["kind"]](repeats, {"dtstart": first, **limits})


def _weekly(repeats: Mapping[str, Any], limits: dict[str, Any]) -> rrule.rrule:
    return rrule.rrule(rrule.WEEKLY, byweekday=[WEEKDAYS[day] for day in repeats["weekdays"]], **limits)


def _monthly_weekday(repeats: Mapping[str, Any], limits: dict[str, Any]) -> rrule.rrule:
    chosen = [WEEKDAYS[day](repeats["nth"]) for day in repeats["weekdays"]]
    return rrule.rrule(rrule.MONTHLY, byweekday=chosen, **limits)


def _monthly_day(repeats: Mapping[str, Any], limits: dict[str, Any]) -> rrule.rrule:
    """Day 31 is the last one that a shorter month has."""
    day = repeats["day"]
    return rrule.rrule(rrule.MONTHLY, bymonthday=range(min(day, 28), day + 1), bysetpos=-1, **limits)


RULES: dict[str, Callable[[Mapping[str, Any], dict[str, Any]], rrule.rrule]] = {
    "weekly": _weekly,
    "monthly_weekday": _monthly_weekday,
    "monthly_day": _monthly_day,
}
