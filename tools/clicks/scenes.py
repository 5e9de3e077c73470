"""How the requests of a family come: alone, in a burst after a mail, after a post on X, in a crowd.

Everything is drawn from one seed, family by family, so that the set can be made again to the byte.
"""

from collections.abc import Callable, Iterator
from itertools import count
from random import Random
from typing import Any

from tools.clicks.families import Family, families, filled, values
from tools.clicks.requests import Request

SEED = 20261122
# The whole set takes six hours of one afternoon.
SECONDS = 6 * 3600
CHANNELS = ("x", "facebook", "linkedin", "whatsapp", "threads", "mastodon", "bluesky", "email", "copy")
# Links that everybody shares; each scene has an advocate of its own.
COMMON = 300
CROWD_SECONDS = 90


class Stage:
    """What a family's scenes are made with: chance, its agents, and numbers that no other scene has."""

    def __init__(self, family: Family, networks: Iterator[int], advocates: Iterator[int]) -> None:
        self.family, self._values = family, values()
        self.random = Random(f"{SEED} {family.name}")  # noqa: S311  nothing secret
        self._networks, self._advocates = networks, advocates
        self._turn = count()

    def agent(self) -> str:
        """The next agent of the family."""
        agents = self.family.agents
        return filled(agents[next(self._turn) % len(agents)], self._values, self.random)

    def network(self) -> int:
        return next(self._networks)

    def advocate(self) -> int:
        return next(self._advocates)

    def common(self) -> dict[str, Any]:
        """A link among the common ones."""
        channel = self.family.channel or self.random.choice(CHANNELS)
        return {"advocate": self.random.randrange(COMMON), "channel": channel}

    def moment(self) -> float:
        return self.random.uniform(0, SECONDS)

    def request(self, at: float, agent: str, network: int, **more: Any) -> Request:
        """One request of the family with its usual headers."""
        family, random = self.family, self.random
        usual: dict[str, Any] = {
            "since_mail": None,
            "method": family.method,
            "language": _language(self, agent),
            "referrer": filled(random.choice(family.referrers), self._values, random),
            "purpose": random.choice(family.purposes),
            "gpc": family.gpc,
            "own": False,
            "label": family.label,
            "family": family.name,
            "part": family.part,
        }
        return Request(**{**usual, **more, "at": round(at, 3), "agent": agent, "network": network})

    def spread(self, low: float, high: float) -> float:
        return self.random.uniform(low, high)


def _language(stage: Stage, agent: str) -> str:
    """Browsers send their person's language; most programs send none."""
    is_browser = agent.startswith("Mozilla/5.0") and stage.family.label not in ("bot", "preview", "head")
    return stage.random.choice(stage._values["language"]) if is_browser else ""


def alone(stage: Stage) -> Iterator[Request]:
    """One visitor, one request, some link."""
    yield stage.request(stage.moment(), stage.agent(), stage.network(), **stage.common())


def burst(stage: Stage) -> Iterator[Request]:
    """One visitor opens links of one advocate, a while after a mail that leads to them."""
    family, start = stage.family, stage.moment()
    links = stage.random.sample(CHANNELS, stage.random.randint(*family.links))
    over = stage.spread(*family.seconds)
    mailed = start - stage.spread(*family.mailed) if family.mailed else None
    agent, network, advocate = stage.agent(), stage.network(), stage.advocate()
    for n, channel in enumerate(links):
        at = start + over * n / max(1, len(links) - 1)
        since = None if mailed is None else round(at - mailed, 3)
        yield stage.request(at, agent, network, advocate=advocate, channel=channel, since_mail=since)


def x_post(stage: Stage) -> Iterator[Request]:
    """X's fetcher, then HEADs with browsers' agents from other networks, then some of these again with GET."""
    start, link = stage.moment(), {"advocate": stage.advocate(), "channel": "x"}
    yield stage.request(start, "Twitterbot/1.0", stage.network(), **link, label="preview", language="")
    askers = [(stage.agent(), stage.network()), (stage.agent(), stage.network()), ("", stage.network())]
    for agent, network in askers:
        at = start + stage.spread(0.2, 3)
        yield stage.request(at, agent, network, **link, method="HEAD", label="head")
        if agent and stage.random.random() < 0.5:
            yield stage.request(at + stage.spread(0.1, 4), agent, network, **link)


def returns(stage: Stage) -> Iterator[Request]:
    """A person, and the same person again within the day."""
    first, agent, network, link = stage.moment() / 2, stage.agent(), stage.network(), stage.common()
    yield stage.request(first, agent, network, **link)
    for _ in range(stage.random.randint(1, 3)):
        yield stage.request(first + stage.spread(2, SECONDS / 2), agent, network, **link, label="return")


def own(stage: Stage) -> Iterator[Request]:
    """The advocate, known by their cookie, tries the links one after the other."""
    return (request._replace(own=True) for request in burst(stage))


def ahead(stage: Stage) -> Iterator[Request]:
    """The browser loads the link ahead; then the person follows it."""
    at, agent, network, link = stage.moment(), stage.agent(), stage.network(), stage.common()
    purpose = stage.random.choice(("Sec-Purpose: prefetch", "Sec-Purpose: prefetch;prerender"))
    yield stage.request(at, agent, network, **link, purpose=purpose, label="prefetch")
    yield stage.request(at + stage.spread(0.5, 20), agent, network, **link)


def crowd(stage: Stage) -> Iterator[Request]:
    """One of many on the same link; beside every tenth, X asks by HEAD as one of the usual browsers."""
    at = SECONDS / 2 + stage.spread(0, CROWD_SECONDS)
    agent, link = stage.agent(), {"advocate": COMMON, "channel": "x"}
    yield stage.request(at, agent, stage.network(), **link)
    if stage.random.random() < 0.1:
        yield stage.request(at + stage.spread(-1, 1), agent, stage.network(), **link, method="HEAD", label="head")


def two_links(stage: Stage) -> Iterator[Request]:
    """A person who reads a friend on two networks: seconds apart at least, mostly much more."""
    start, agent, network, advocate = stage.moment() / 2, stage.agent(), stage.network(), stage.advocate()
    for n, channel in enumerate(stage.random.sample(CHANNELS, 2)):
        later = n * stage.random.choice((stage.spread(3, 12), stage.spread(60, SECONDS / 2)))
        yield stage.request(start + later, agent, network, advocate=advocate, channel=channel)


def same_network(stage: Stage) -> Iterator[Request]:
    """Two people whom nothing that we keep tells apart."""
    at, agent, network, link = stage.moment() / 2, stage.agent(), stage.network(), stage.common()
    yield stage.request(at, agent, network, **link)
    yield stage.request(at + stage.spread(60, SECONDS / 2), agent, network, **link)


SCENES: dict[str, Callable[[Stage], Iterator[Request]]] = {
    "alone": alone,
    "burst": burst,
    "x-post": x_post,
    "return": returns,
    "own": own,
    "ahead": ahead,
    "crowd": crowd,
    "two-links": two_links,
    "same-network": same_network,
}


def make() -> list[Request]:
    """The whole set in order of time."""
    networks, advocates = count(1), count(COMMON + 1)
    found: list[Request] = []
    for family in families():
        stage = Stage(family, networks, advocates)
        for _ in range(family.count):
            found += SCENES[family.scene](stage)
    return sorted(found, key=lambda request: (request.at, request.network))
