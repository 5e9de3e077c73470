"""How a campaign is shown: its times as they are where it runs, and what may be done with it now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import request
from flask_babel import format_datetime
from flask_login import current_user

from amplify.campaigns.models import MOVES, Campaign
from amplify.campaigns.schedule import read_local
from amplify.core.errors import NotFound
from amplify.core.i18n import gettext as _
from amplify.core.i18n import lazy_gettext as _l
from amplify.leaderboards.models import Snapshot
from amplify.rewards.models import Reward


def when(instant: datetime | None, zone: str) -> str:
    """A moment as the clocks of the zone show it."""
    if instant is None:
        return ""
    wall = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return str(format_datetime(wall, "medium", rebase=False))


def clock_note(campaign: Campaign) -> str:
    """What had to be decided about the start because the clocks change that night; "" on ordinary days."""
    if not campaign.starts_local or campaign.starts_at is None or campaign.state not in ("draft", "scheduled"):
        return ""
    reading = read_local(campaign.starts_local, campaign.timezone)
    shown = when(reading.instant, campaign.timezone)
    if reading.case == "gap":
        return str(_("The clocks skip that time there: it starts at the next one that exists, %(when)s.", when=shown))
    if reading.case == "overlap":
        return str(_("The clocks show that time twice there: it starts the first time, %(when)s.", when=shown))
    return ""


@dataclass(frozen=True)
class Act:
    """A button: the noun it posts to, its label, what it asks before, how it looks."""

    noun: str
    verb: str
    label: Any
    question: Any
    tone: str = "quiet"


ACTS = (
    Act(
        "schedule", "schedule", _l("Schedule"), _l("It will start at its time and send real rewards. Schedule it?"), ""
    ),
    Act("start", "start", _l("Start now"), _l("It starts at once and sends real rewards. Start it now?")),
    Act("draft", "unschedule", _l("Back to draft"), _l("It will not start at its time. Take it back?")),
    Act("pause", "pause", _l("Pause"), _l("Nobody can share anew and pending rewards wait. Pause it?")),
    Act("resumption", "resume", _l("Go on"), _l("Sharing goes on and waiting rewards are sent. Go on?"), ""),
    Act("end", "end", _l("End"), _l("Nobody can share anew; what was promised is still sent. End it?")),
    Act(
        "stop", "stop", _l("Stop"), _l("Links stop working and rewards not sent yet are cancelled. Stop it?"), "danger"
    ),
)

EDITORS = ("admin", "marketer")


def context() -> dict[str, object]:
    """What every template of these pages may ask."""
    return {"may_edit": bool(set(EDITORS) & set(getattr(current_user, "role_names", ())))}


# What each state means for everybody (campaigns/models.py says the same in its table).
EFFECTS = {
    "draft": _l("Nobody is asked with it yet. Check the dry run, then schedule it."),
    "scheduled": _l("It starts by itself at its time; until then everything can be changed."),
    "live": _l("Promoters are asked and can share."),
    "paused": _l("Nobody can share anew. Links that are out still work. Rewards not sent yet wait."),
    "ended": _l("Nobody can share anew. Links that are out still work. What was promised is still sent."),
    "stopped": _l("Nobody can share anew and links say that this has ended. Rewards not sent were cancelled."),
}


# What is added while it is live, by how its reward is given.
REWARDS_OF_A_START = _l("Rewards of the start are being sent.")
REWARDS_OF_A_MILESTONE = _l("Whoever reaches it gets the reward at once.")


def effect_of(campaign: Campaign, reward: Reward | None) -> str:
    """What the campaign's state means now, for this campaign."""
    said = str(EFFECTS[campaign.state])
    if campaign.state != "live" or reward is None:
        return said
    return f"{said} {REWARDS_OF_A_MILESTONE if reward.is_milestone else REWARDS_OF_A_START}"


def acts_of(campaign: Campaign) -> list[Act]:
    """What may be done now, in order."""
    if campaign.is_always_on:
        return []
    also_now = {"start": ("draft", "scheduled")}  # starting at once schedules a draft on the way
    return [
        act
        for act in ACTS
        if campaign.state in also_now.get(act.verb, MOVES[act.verb][0])
        and not (act.verb == "schedule" and campaign.state == "scheduled")
    ]


def start_asked(starts: Sequence[Snapshot], default: int | None) -> int | None:
    """Which start a page is to show: `?start=2`, or None for all of them (`all`). Raises NotFound."""
    asked = request.args.get("start", "")
    if asked in ("", "all"):
        return None if asked else default
    if asked not in {str(one.occurrence) for one in starts}:
        raise NotFound(_l("There was no such start."), field="start", rule="start-unknown")
    return int(asked)
