"""The link cache: bounded, fresh, asked once, and of use when the database is not."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from amplify.tracking.link_cache import GUESSES, MOST_AT_ONCE, MOST_NETWORKS, Guesses, LinkCache
from amplify.tracking.redirect import Target

TARGET = Target(1, 1, 1, "https://shop.example/", is_allowed=True, leads_on=True, expires_at=None)


def asked(cache: LinkCache, *codes: str) -> list[Any]:
    async def ask() -> list[Any]:
        return await asyncio.gather(*(cache.ask(code) for code in codes), return_exceptions=True)

    return asyncio.run(ask())


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as threads:
        yield threads


@pytest.fixture
def make(threads: ThreadPoolExecutor) -> Any:
    def make(find: Callable[[str], Target | None], most: int = 10) -> LinkCache:
        return LinkCache(lambda codes: {code: way for code in codes if (way := find(code))}, threads, most)

    return make


def test_all_who_ask_at_once_wait_for_one_look_up(make: Any) -> None:
    looks, go = [], threading.Event()

    def find(code: str) -> Target:
        looks.append(code)
        go.wait(0.2)
        return TARGET

    cache = make(find)
    assert asked(cache, *["a"] * 50) == [TARGET] * 50
    assert looks == ["a"]
    assert cache.get("a") == TARGET
    assert asked(cache, "a") == [TARGET]
    assert looks == ["a", "a"]


def test_what_is_asked_while_a_look_up_is_under_way_is_read_together(threads: ThreadPoolExecutor) -> None:
    groups: list[int] = []

    def find(codes: Sequence[str]) -> dict[str, Target]:
        groups.append(len(codes))
        return dict.fromkeys(codes, TARGET)

    cache = LinkCache(find, threads)
    assert asked(cache, *(f"a{n}" for n in range(2 * MOST_AT_ONCE))) == [TARGET] * 2 * MOST_AT_ONCE
    assert sum(groups) == 2 * MOST_AT_ONCE
    assert len(groups) <= 4


def test_what_can_be_no_code_is_not_looked_up(make: Any) -> None:
    looks: list[str] = []
    cache = make(looks.append)
    assert asked(cache, "", "a/b", "a\x00", "é", "\ud800", "a" * 17, "..") == [None] * 7
    assert looks == []


def test_who_hangs_up_does_so_alone(make: Any) -> None:
    go = threading.Event()
    cache = make(lambda code: TARGET if go.wait(5) else None)

    async def two() -> Target | None:
        gone, stays = (asyncio.ensure_future(cache.ask("a")) for _ in range(2))
        await asyncio.sleep(0.05)
        gone.cancel()
        go.set()
        found: Target | None = await stays
        return found

    assert asyncio.run(two()) == TARGET


def test_the_least_recently_used_code_is_dropped(make: Any) -> None:
    cache = make(lambda code: TARGET, most=2)
    asked(cache, "a")
    asked(cache, "b")
    assert cache.get("a")
    asked(cache, "c")
    assert (cache.get("a"), cache.get("b"), cache.get("c"), len(cache)) == (TARGET, None, TARGET, 2)


def test_unknown_codes_take_no_memory_and_a_deleted_one_is_forgotten(make: Any) -> None:
    links: dict[str, Target] = {"a": TARGET}
    cache = make(links.get)
    assert asked(cache, "a", *(f"guess{n}" for n in range(50))) == [TARGET] + [None] * 50
    assert len(cache) == 1
    del links["a"]
    assert asked(cache, "a") == [None]
    assert cache.get("a") is None


def test_a_link_is_believed_for_less_than_two_seconds(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("amplify.tracking.link_cache.time.monotonic", lambda: now[0])
    cache = make(lambda code: TARGET)
    asked(cache, "a")
    now[0] += 1.4
    assert cache.get("a") == TARGET
    now[0] += 0.2
    assert cache.get("a") is None


def test_the_way_known_last_is_used_while_the_database_is_away(make: Any) -> None:
    away = [False]

    def find(code: str) -> Target | None:
        if away[0]:
            raise OSError("away")
        return TARGET._replace(url=f"https://shop.example/{code}")

    cache = make(find)
    asked(cache, "a")
    away[0] = True
    known, unknown = asked(cache, "a", "b")
    assert known.url == "https://shop.example/a"
    assert isinstance(unknown, OSError)  # though it was read together with one that is known
    away[0] = False
    assert asked(cache, "b")[0].url == "https://shop.example/b"


def test_a_guesser_is_slowed_down_alone_and_forgiven() -> None:
    now = [0.0]
    guesses = Guesses(lambda: now[0])
    assert [guesses.wait_seconds("10.0.0.0/24") for _ in range(int(GUESSES))] == [0.0] * int(GUESSES)
    assert guesses.wait_seconds("10.0.0.0/24") == 1.0
    assert guesses.wait_seconds("10.0.1.0/24") == 0.0
    now[0] += 1
    assert guesses.wait_seconds("10.0.0.0/24") == 0.0
    assert guesses.wait_seconds("10.0.0.0/24") > 0
    for n in range(MOST_NETWORKS + 5):
        guesses.wait_seconds(str(n))
    assert len(guesses._left) == MOST_NETWORKS
