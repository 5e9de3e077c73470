"""Freezing a ranking when a campaign starts: chunk by chunk in short transactions, yet the ranking of one moment.

Between the first chunk and the last one no standing moves: the projection waits (clicks are stored and judged
meanwhile, only the boards stand still, for seconds). So a chunk continues where the one before ended, in another
process too, and the whole is what one statement would have written.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.core import clock
from amplify.core.bulk import insert_ignore
from amplify.leaderboards.boards import audience_board, board_ids
from amplify.leaderboards.models import Snapshot, SnapshotRow, Standing
from amplify.leaderboards.scoring import begin, in_force
from amplify.leaderboards.segments import in_segment
from amplify.leaderboards.snapshots import (
    KEPT,
    bounds_of,
    columns,
    is_enough,
    is_ranked,
    ranked_among,
    ranking_order,
    worth,
)
from amplify.tracking import cursors

CURSOR = "points"
# Frozen in the transaction of the start; what is more follows in transactions of its own, so that clicks go on.
AT_ONCE = 1_000


def freeze(session: Session, campaign: Campaign, audience: dict[str, Any], now: datetime) -> Snapshot:
    """Begin to write down the ranking a start rests on, once per start: asked again, the first snapshot is the answer.

    The first 1,000 are there when it returns; `freeze_more` writes the rest.
    """
    cursor = cursors.take(session, CURSOR, wait=True)
    brand_id, edition = campaign.brand_id, begin(session, campaign.brand_id)
    rules = edition.rules
    name = audience_board(audience)
    board_id = board_ids(session, edition, [name])[name]
    ranked = ranked_among(session, session.get_one(Brand, brand_id), board_id, audience)
    skipped, most = bounds_of(audience, ranked)
    row = {
        "brand_id": brand_id, "campaign_id": campaign.id, "occurrence": campaign.occurrence, "board_id": board_id,
        "audience": audience, "tie_rule": rules.tie_rule,
        "half_life_days": rules.half_life_days, "weights": dict(rules.weights),
        "position": cursor.position if cursor else 0,
        "ranked": ranked, "skipped": skipped, "most": most, "taken_at": now,
        "frozen": 0, "planned": 0, "pushed": 0,
    }  # fmt: skip
    is_new = insert_ignore(session, Snapshot, [row]) == 1
    mine = Snapshot.campaign_id == campaign.id, Snapshot.occurrence == campaign.occurrence
    snapshot = session.scalars(sa.select(Snapshot).where(*mine)).one()
    if is_new:
        freeze_more(session, snapshot, AT_ONCE)
    return snapshot


def freeze_more(session: Session, snapshot: Snapshot, size: int) -> int:
    """Freeze the next `size` ranks; how many there were. Fewer: the ranking is complete, and standings move again."""
    cursors.take(session, CURSOR, wait=True)  # one at a time, and nobody is projecting
    session.refresh(snapshot)
    if snapshot.frozen_at is not None:
        return 0
    left = size if snapshot.most is None else min(size, snapshot.most - snapshot.frozen)
    made = 0
    for further in _further(session, snapshot):
        if made < left:
            made += _write(session, snapshot, further, made=made, most=left - made)
    snapshot.frozen += made
    if made < size:
        snapshot.frozen_at = clock.now()
    session.flush()
    return made


def is_freezing(session: Session) -> bool:
    """Whether a ranking is half written; a stopped campaign's will never be whole."""
    half = sa.select(Snapshot.id).join(Campaign, Campaign.id == Snapshot.campaign_id)
    return session.scalar(half.where(Snapshot.frozen_at.is_(None), Campaign.state != "stopped").limit(1)) is not None


def _further(session: Session, snapshot: Snapshot) -> Iterator[sa.ColumnElement[bool]]:
    """Conditions that lead on in ranking order from the last frozen rank: equal scores first, then the lower ones.

    Two ranges and not one OR, so that each is a look into the index of the ranking.
    """
    last = session.get(SnapshotRow, (snapshot.id, snapshot.skipped + snapshot.frozen))
    if last is None:
        yield sa.true()
        return
    later = sa.tuple_(Standing.tie, Standing.reached_at, Standing.advocate_id) > sa.tuple_(
        sa.literal(last.tie, Standing.tie.type),
        sa.literal(last.reached_at, Standing.reached_at.type),
        sa.literal(last.advocate_id),
    )
    yield sa.and_(Standing.score_log == last.score_log, later)
    yield Standing.score_log < last.score_log


def _write(session: Session, snapshot: Snapshot, further: sa.ColumnElement[bool], *, made: int, most: int) -> int:
    """Copy up to `most` standings into the ranks after those frozen and `made`, in one statement; how many."""
    brand, rules = session.get_one(Brand, snapshot.brand_id), in_force(session, snapshot.brand_id)
    fits = (*is_ranked(snapshot.board_id), *is_enough(rules, snapshot.audience, snapshot.taken_at), further)
    fits += tuple(in_segment(brand, snapshot.audience))
    # Only the first chunk begins at the top of the board and has ranks to pass over.
    passed = 0 if snapshot.frozen or made else snapshot.skipped
    order = ranking_order()
    # Numbered on the way through the index of the ranking: nothing is sorted, and who comes later is not looked at.
    rank = sa.literal(snapshot.skipped + snapshot.frozen + made - passed) + sa.func.row_number().over(order_by=order)
    score = worth(Standing.score_log, snapshot.taken_at, rules.half_life_days)
    numbered = sa.select(sa.literal(snapshot.id), rank, score, *columns()).where(*fits)
    source = numbered.order_by(*order).limit(most).offset(passed)
    copied = sa.insert(SnapshotRow).from_select(["snapshot_id", "rank", "score", *KEPT], source)
    done: Any = session.execute(copied.execution_options(preserve_rowcount=True))
    return int(done.rowcount)
