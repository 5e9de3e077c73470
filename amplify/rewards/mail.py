"""What a reward mail says: plain values, fixed when it is ordered, so that every copy on the wire is the same."""

from dataclasses import dataclass
from typing import Any

from babel.dates import format_date
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign, Occurrence
from amplify.campaigns.queries import occurrence
from amplify.leaderboards.models import Snapshot
from amplify.rewards.claims import carried
from amplify.rewards.models import Push, Reward
from amplify.rewards.services import last_day
from amplify.rewards.types import type_of

TEMPLATE = "reward"
# The words of its context that are the reader's own (delivery.form_letters).
OWN_WORDS = ("code", "rank")
TEXTS = ("reward_subject", "reward_text", "disclosure")


@dataclass(frozen=True)
class Facts:
    """What all mails of one start have in common."""

    brand: Brand
    campaign: Campaign
    reward: Reward
    ranked: int
    # The words and the address as the start promised them; None: as they are now (a test to oneself).
    promised: Occurrence | None = None

    @classmethod
    def of(cls, session: Session, brand: Brand, campaign: Campaign, push: Push) -> "Facts":
        """The facts behind this push and all others of its start."""
        ranked = session.get_one(Snapshot, push.snapshot_id).ranked if push.snapshot_id else 0
        promised = occurrence(session, campaign.id, push.occurrence)
        return cls(brand, campaign, session.get_one(Reward, push.reward_id), ranked, promised)

    def context(self, push: Push) -> dict[str, Any]:
        """The template's values for one push."""
        return self._values(push.locale) | {
            "code": push.code or "",
            "claim": carried(push),
            "rank": push.rank,
            "ranked": self.ranked,
            "reached": self._reached(push.step),
        }

    def test(self, locale: str) -> dict[str, Any]:
        """The same for a test to oneself: a code that no shop takes, and a made-up rank."""
        code = type_of(self.reward.type).sample(self.reward)
        return self._values(locale) | {
            "code": code,
            "claim": None,
            "rank": 1,
            "ranked": max(self.ranked, 1),
            "reached": self._reached(1),
            "is_test": True,
        }

    def _reached(self, step: int) -> dict[str, Any] | None:
        """What a milestone's step was: so many of what; none where a ranking decided."""
        rule = self.reward.rule
        return {"trigger": rule["trigger"], "count": step * rule["at_least"]} if self.reward.is_milestone else None

    def _values(self, locale: str) -> dict[str, Any]:
        default = self.brand.default_locale
        said = self.promised or self.campaign
        texts = {name: said.text(locale, name, default) for name in TEXTS}
        expires = self.reward.expires_at and last_day(self.reward.expires_at, self.campaign.timezone)
        return texts | {
            "reward_name": self.reward.name.get(locale) or self.reward.name.get(default) or "",
            "value_minor": self.reward.value_minor,
            "currency": self.reward.currency,
            "expires": format_date(expires, "long", locale=locale) if expires else "",
            "landing_url": said.landing_url,
            "is_test": False,
        }
