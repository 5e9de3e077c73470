"""Click farms sent to advocates high and low on a board: by what part of it each of them moves, up or down.

`python3 run.py bench farm [--advocates 1000] [--keys 10000] [--seeds 5]`. Nobody can know who sent a farm, so one
figure stands for the owner who wants to rise and for the rival who is to fall. Each seed is a board of its own with a
farm for each place (`tests/fraud/farms.py`); how long it takes is not measured.
"""

import argparse
from pathlib import Path

import time_machine

from amplify.app import create_app
from amplify.core import jobs
from amplify.core.db import Base, db
from amplify.core.settings import Settings
from bench import servers
from bench.report import table
from tests.fraud.farms import moved
from tests.tracking.world import NOON, make_world

# From the top of the board to its end.
PLACES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.9)
MOST = 0.01


def measure(seed: int, advocates: int, keys: int) -> dict[float, float]:
    """Place -> the part of the board by which whoever stands there moved."""
    with servers.databases(("sqlite",)) as addresses, time_machine.travel(NOON, tick=False):
        app = create_app(Settings(env="test", database_url=addresses["sqlite"], data_dir=Path(servers.ROOT / "var")))
        with app.app_context():
            Base.metadata.create_all(db.engine)
            jobs.create_tables(db.engine)
            found = moved(make_world(db.session), seed, PLACES, advocates=advocates, keys=keys)
            db.session.rollback()
            db.engine.dispose()
    return found


def main(arguments: list[str]) -> dict[str, object]:
    """Measure, print, and give the figures; "ok": no farm lifted anybody by one per cent of the board or more. Down it
    can be more, where a visit is worth so much: friends who came through the same link in the same hours wait too."""
    parser = argparse.ArgumentParser(prog="bench farm", description=__doc__)
    parser.add_argument("--advocates", type=int, default=1_000)
    parser.add_argument("--keys", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=5)
    sizes = parser.parse_args(arguments)
    found = []
    for seed in range(1, sizes.seeds + 1):
        found.append(measure(seed, sizes.advocates, sizes.keys))
        print(f"seed {seed}: {' '.join(f'{100 * part:+.1f}' for part in found[-1].values())} %", flush=True)
    rows = [[f"{place:.0%} from the top", *(100 * one[place] for one in found)] for place in PLACES]
    columns = ["owner", *(f"seed {seed}, %" for seed in range(1, sizes.seeds + 1))]
    table(f"{sizes.keys:,} keys on a board of {sizes.advocates:,}: moved by", columns, rows)
    moves = [part for one in found for part in one.values()]
    within = sum(abs(part) < MOST for part in moves)
    return {"ok": max(moves) < MOST, "up": max(moves), "down": -min(moves), "within": within, "farms": len(moves)}
