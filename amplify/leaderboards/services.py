"""What others ask of the boards: projecting, making anew, choosing and freezing."""

from amplify.leaderboards.all_time import project
from amplify.leaderboards.freezing import CURSOR, freeze, freeze_more
from amplify.leaderboards.making import go_on, made, order, rebuild
from amplify.leaderboards.snapshots import Chosen, choice, chosen, how_many
from amplify.leaderboards.standings import FIGURES

__all__ = [
    "CURSOR", "FIGURES", "Chosen", "choice", "chosen", "freeze", "freeze_more", "go_on", "how_many", "made", "order",
    "project", "rebuild",
]  # fmt: skip
