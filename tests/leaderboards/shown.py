"""Boards that people see, and not those that are being made or removed."""

import sqlalchemy as sa

from amplify.leaderboards.models import Board, Scoring
from amplify.leaderboards.scoring import IS_SHOWN

IS_SHOWN_BOARD = Board.scoring_id.in_(sa.select(Scoring.id).where(IS_SHOWN))
