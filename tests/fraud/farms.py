"""Data planted to be found, or not to be: click farms, rings, and families of honest friends. Same seed, same data."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

import sqlalchemy as sa

from amplify.core.tokens import uuid7
from amplify.core.web import amplify
from amplify.leaderboards.boards import find_board
from amplify.leaderboards.models import Standing
from amplify.leaderboards.snapshots import ranking_order
from amplify.sharing.models import Advocate, ShareLink
from amplify.tracking.buyers import key_of
from amplify.tracking.models import Click, Conversion
from amplify.tracking.services import track
from tests.fraud.scene import catch_up, mail_of
from tests.tracking.world import CHROME, IPHONE, NOON, World

AGENTS = (
    CHROME,
    IPHONE,
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:132.0) Gecko/20100101 Firefox/132.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
    "Mozilla/5.0 (Android 15; Mobile; rv:132.0) Gecko/132.0 Firefox/132.0",
)
MACHINES = ("python-requests/2.32.3", "curl/8.5.0", "Mozilla/5.0 (compatible; SomeBot/1.0; +https://bot.example)")


CHANNELS = ("x", "whatsapp", "email")
# What friends leave of where they came from; a farm has it imitated.
REFERRERS = ("", "t.co", "l.facebook.com", "www.linkedin.com")


@dataclass
class Board:
    """Advocates with a link for each channel."""

    world: World
    links: dict[int, list[ShareLink]] = field(default_factory=dict)


def a_board(world: World, random: Random, advocates: int, *, days: int = 28) -> Board:
    """So many honest advocates, each visited by some people (a few by many) through three links, until noon."""
    board, clicks = Board(world), []
    for _ in range(advocates):
        advocate = world.advocate()
        links = board.links[advocate.id] = [world.link(advocate, channel) for channel in CHANNELS]
        for _visit in range(1 + min(300, int(random.paretovariate(1.1) * 3))):
            clicks.append(a_click(random, random.choice(links), timedelta(days=random.random() * days)))
    store(world, clicks)
    return board


def a_click(random: Random, link: ShareLink, ago: timedelta) -> dict[str, object]:
    """A visit by somebody new, with the agent of a person."""
    return {
        "token": uuid7(),
        "link_id": link.id,
        "at": NOON - ago,
        "method": "GET",
        "user_agent": random.choice(AGENTS),
        "visitor": f"{random.getrandbits(128):032x}",
        "referrer_host": random.choice(REFERRERS),
    }


def send_farm(board: Board, random: Random, keys: int, link: ShareLink, *, hours: float = 30) -> None:
    """So many visitors on one link, a day and a quarter long, up to noon; every tenth says that it is a machine."""
    clicks = [a_click(random, link, timedelta(hours=random.random() * hours)) for _ in range(keys)]
    for click in clicks[::10]:
        click["user_agent"] = random.choice(MACHINES)
    store(board.world, clicks)


def store(world: World, clicks: list[dict[str, object]]) -> None:
    """Clicks in the order in which they came."""
    world.session.execute(sa.insert(Click), sorted(clicks, key=lambda click: str(click["at"])))


def ranks(world: World) -> dict[int, int]:
    """Advocate -> rank on the brand's board."""
    board = find_board(world.session, world.brand.id)
    assert board is not None
    ranked = sa.select(Standing.advocate_id).where(Standing.board_id == board.id, Standing.score_log.is_not(None))
    order = world.session.scalars(ranked.order_by(*ranking_order()))
    return {advocate_id: rank for rank, advocate_id in enumerate(order, 1)}


def moved(world: World, seed: int, places: Sequence[float], *, advocates: int, keys: int) -> dict[float, float]:
    """Place (0 the top, 1 the end) -> by what part of the board a farm moves who stands there: up is more than 0."""
    random = Random(seed)  # noqa: S311
    board = a_board(world, random, advocates)
    catch_up(world, 5_000)
    before = ranks(world)
    order = sorted(before, key=before.__getitem__)
    chosen = {place: order[int(place * len(order))] for place in places}
    for who in chosen.values():
        send_farm(board, random, keys, random.choice(board.links[who]))
    catch_up(world, 5_000)
    after = ranks(world)
    return {place: (before[who] - after[who]) / len(before) for place, who in chosen.items()}


@dataclass
class Group:
    """People who know each other, and who bought through whom: (whose link, who bought or None for an outsider)."""

    members: list[Advocate]
    orders: list[tuple[Advocate, Advocate | None]]


def a_ring(world: World, random: Random) -> Group:
    """Three to eight accounts that buy round and round, each through one to three others, and seldom anybody else."""
    members = [world.advocate() for _ in range(random.randint(3, 8))]
    orders: list[tuple[Advocate, Advocate | None]] = []
    for place, one in enumerate(members):
        steps = random.sample(range(1, len(members)), min(len(members) - 1, random.randint(1, 3)))
        orders += [(one, members[(place + step) % len(members)]) for step in {1, *steps}]
        orders += [(one, None) for _ in range(random.random() < 0.3)]
    return Group(members, orders)


def a_family(world: World, random: Random) -> Group:
    """Three to eight friends: one told the others, some of whom told more; a pair may have bought through each other,
    and strangers buy from those whose posts are read."""
    members = [world.advocate() for _ in range(random.randint(3, 8))]
    orders: list[tuple[Advocate, Advocate | None]] = [
        (members[random.randrange(place)], members[place]) for place in range(1, len(members))
    ]
    if random.random() < 0.5:  # somebody pays a favour back
        other, one = random.choice(orders)
        assert one is not None
        orders.append((one, other))
    orders += [(one, None) for one in members for _ in range(random.choice((0, 0, 1, 2, 3)))]
    return Group(members, orders)


def tell_orders(world: World, random: Random, group: Group) -> None:
    """The group's orders, spread over two weeks, each after a visit."""
    links = {one.id: world.link(one) for one in group.members}
    told = [(links[one.id], buyer, timedelta(days=random.random() * 14)) for one, buyer in group.orders]
    rows = [a_click(random, link, ago) for link, _buyer, ago in told]
    world.session.execute(sa.insert(Click), rows)
    ids = world.session.execute(sa.select(Click.token, Click.id))
    tokens = {row.token: row.id for row in ids}
    secret = amplify().settings.secret
    for (_link, buyer, ago), row in zip(told, rows, strict=True):
        address = mail_of(buyer) if buyer else f"stranger{random.getrandbits(40)}@example.org"
        world.session.add(
            Conversion(
                brand_id=world.brand.id, order_id=f"G-{random.getrandbits(60)}", body_hash="", amount_minor=1000,
                currency="EUR", occurred_at=NOON - ago, click_id=tokens[row["token"]],
                attribution="pending", window_days=90, buyer=key_of(secret, world.brand.id, address),
            )
        )  # fmt: skip
    world.session.flush()
    while track(world.session, 500):
        pass
