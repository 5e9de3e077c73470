"""The demo's guests and how they behave: who answers what, who shares where, who clicks on it. Always the same."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from amplify.demo import texts

GUESTS = 1_450
SCORES = range(11)
# Roughly a good hotel: NPS about +40.
WEIGHTS = (1, 1, 1, 2, 2, 4, 6, 13, 16, 24, 30)
CHANNELS = {"whatsapp": 32, "copy": 14, "facebook": 14, "x": 11, "mail": 9, "bluesky": 7, "linkedin": 7, "mastodon": 6}
LANDING = "https://www.brisa.example/stay"


@dataclass(frozen=True)
class Guest:
    """Somebody who stays at the hotels; invented, at a domain that cannot exist (RFC 2606)."""

    number: int
    name: str
    locale: str
    location: str
    line: str
    # How many people somebody knows follows a long tail: a few know very many.
    reach: float

    @property
    def email(self) -> str:
        """An address nobody can have."""
        return f"{self.name.lower().replace(' ', '.')}.{self.number}@guests.example"


def guests(random: Random) -> list[Guest]:
    """Everybody."""
    return [_guest(random, number) for number in range(GUESTS)]


def _guest(random: Random, number: int) -> Guest:
    location = random.choice(list(texts.LOCATIONS))
    spanish = random.random() < (0.75 if location in texts.SPANISH_PLACES else 0.12)
    return Guest(
        number=number,
        name=f"{random.choice(texts.FIRST)} {random.choice(texts.LAST)}",
        locale="es" if spanish else "en",
        location=location,
        line=random.choices(list(texts.LINES), (5, 3, 2))[0],
        reach=min(random.paretovariate(1.3), 40.0),
    )


def score(random: Random) -> int:
    """An NPS answer, 0-10."""
    return random.choices(SCORES, WEIGHTS)[0]


def comment(random: Random, guest: Guest, given: int) -> str:
    """What two in five write, fitting the score."""
    if random.random() > 0.42:
        return ""
    pool = texts.PRAISE if given >= 9 else texts.MIXED if given >= 7 else texts.COMPLAINT
    return random.choice(pool[guest.locale])


def channels(random: Random) -> list[str]:
    """One to three networks, the liked ones more often."""
    wanted = random.choices(list(CHANNELS), list(CHANNELS.values()), k=random.choices((1, 2, 3), (7, 3, 1))[0])
    return list(dict.fromkeys(wanted))


def clicks(random: Random, guest: Guest, channel: str, link_id: int, shared_at: datetime) -> list[dict[str, Any]]:
    """The requests one share brings: machines within seconds, people over days, some of them twice."""
    found = [
        _click(random, link_id, shared_at + timedelta(seconds=random.uniform(1, 20)), agent, machine=True)
        for agent in texts.MACHINES.get(channel, ())
        for _ in range(random.randint(1, 12 if channel == "mastodon" else 3))
    ]
    for _ in range(round(random.expovariate(1 / (2.2 * guest.reach)))):
        at = shared_at + timedelta(hours=random.expovariate(1 / 30))
        click = _click(random, link_id, at, random.choice(texts.PEOPLE))
        found.append(click)
        if random.random() < 0.15:
            found.append({**click, "token": _token(random), "at": at + timedelta(minutes=random.uniform(1, 600))})
    return found


def crowd(random: Random, link_id: int, at: datetime) -> list[dict[str, Any]]:
    """Forty visits in an hour, all at once and from nowhere: a radio show, or somebody who bought them."""
    moments = (at + timedelta(seconds=random.uniform(0, 3_600)) for _ in range(40))
    return [_click(random, link_id, moment, random.choice(texts.PEOPLE)) for moment in sorted(moments)]


def _click(random: Random, link_id: int, at: datetime, agent: str, *, machine: bool = False) -> dict[str, Any]:
    return {
        "token": _token(random),
        "link_id": link_id,
        "at": at,
        "method": "HEAD" if machine and random.random() < 0.2 else "GET",
        "user_agent": agent,
        "visitor": f"{random.getrandbits(128):032x}",
        "language": random.choice(("en", "es")),
    }


def _token(random: Random) -> uuid.UUID:
    return uuid.UUID(int=random.getrandbits(128), version=4)
