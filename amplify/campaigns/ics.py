"""A calendar file (RFC 5545): each mark is an event of its own in UTC, so that no time zone has to be explained."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from amplify.campaigns.planner import KINDS, Mark

LINE = 75  # octets, without the line break (RFC 5545, 3.1)


def calendar(name: str, marks: Iterable[Mark], now: datetime, host: str, base_url: str) -> str:
    """The file. `host` makes the ids unique in the world, `base_url` is where the pages are."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Amplify//Campaigns//EN", f"X-WR-CALNAME:{escaped(name)}"]
    for mark in marks:
        lines += _event(mark, now, host, base_url)
    return "".join(f"{folded}\r\n" for line in [*lines, "END:VCALENDAR"] for folded in fold(line))


def escaped(text: str) -> str:
    """A text value (3.3.11)."""
    text = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return text.replace("\r\n", "\n").replace("\n", "\\n")


def fold(line: str) -> Iterator[str]:
    """Lines of at most 75 octets; the ones that continue begin with a space. No character is cut."""
    part = b""
    for character in line:
        octets = character.encode()
        if len(part) + len(octets) > LINE:
            yield part.decode()
            part = b" "
        part += octets
    yield part.decode()


def _event(mark: Mark, now: datetime, host: str, base_url: str) -> list[str]:
    campaign, at = mark.campaign, _utc(mark.at)
    # The same before and after it happened, so that a file read again replaces the events of the one before.
    which = "end" if mark.kind in ("end", "ended") else _utc(mark.due or mark.at)
    return [
        "BEGIN:VEVENT",
        f"UID:campaign-{campaign.id}-{which}@{host}",
        f"DTSTAMP:{_utc(now)}",
        f"DTSTART:{at}",
        f"SUMMARY:{escaped(f'{KINDS[mark.kind]}: {campaign.name}')}",
        f"STATUS:{ {'draft': 'TENTATIVE', 'skipped': 'CANCELLED'}.get(mark.kind, 'CONFIRMED') }",
        f"URL:{base_url}/console/campaigns/{campaign.id}",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
    ]


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
