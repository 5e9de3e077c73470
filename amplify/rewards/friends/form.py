"""The part of the campaign form that says what friends get."""

from typing import Any

from wtforms import BooleanField, DateField, IntegerField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Length, NumberRange, Optional

from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.campaigns.schemas import read
from amplify.core.forms import Form
from amplify.core.i18n import LANGUAGES
from amplify.core.i18n import lazy_gettext as _l
from amplify.rewards.amounts import from_minor, to_minor
from amplify.rewards.friends.terms import ABOVE, WHEN, FriendIn, types
from amplify.rewards.models import Reward
from amplify.rewards.services import last_day
from amplify.rewards.types import registry

NOTHING = "none"
# What the services call a field -> what the form calls it.
NAMES = {
    **{f"{ABOVE}{name}": f"friend_{name}" for name in ("type", "cap_total", "cap_day", "cap_advocate", "expires_on")},
    **{f"{ABOVE}name.{lang}": f"friend_name_{lang}" for lang in LANGUAGES},
    **{f"{ABOVE}settings.{name}": f"friend_{name}" for name in ("pattern", "item")},
    **{f"{ABOVE}rule.{name}": f"friend_{name}" for name in ("when", "new_only")},
    f"{ABOVE}value_minor": "friend_value", f"{ABOVE}currency": "friend_value", f"{ABOVE}budget_minor": "friend_budget",
    f"{ABOVE}cap_person": "friend_cap_advocate",
}  # fmt: skip


def _count(label: Any) -> Any:
    rule = NumberRange(1, 1_000_000_000, _l("This number is not possible here."))
    return IntegerField(label, [Optional(), rule], description=_l("Empty: no limit."))


class FriendForm(Form):
    """Fields are flat; `friend_in` gives them the shape that FriendIn takes."""

    friend_type = SelectField(_l("What friends get"), default=NOTHING)
    friend_when = SelectField(
        _l("When friends get it"),
        choices=[SelectChoice(name, said) for name, said in WHEN.items()],
        default="arrival",
        description=_l("Your shop asks for it and shows it; nobody is written to."),
    )
    friend_name_en = StringField(_l("What friends get, in English"), [Length(max=80)])
    friend_name_es = StringField(_l("What friends get, in Spanish"), [Length(max=80)])
    friend_value = StringField(_l("Worth of one for a friend"), [Length(max=20)], render_kw={"inputmode": "decimal"})
    friend_budget = StringField(
        _l("Budget for friends"),
        [Length(max=20)],
        render_kw={"inputmode": "decimal"},
        description=_l("Never passed; empty: no limit."),
    )
    friend_cap_total = _count(_l("At most this many friends"))
    friend_cap_day = _count(_l("At most this many friends a day"))
    friend_cap_advocate = _count(_l("At most this many friends of one advocate"))
    friend_new_only = BooleanField(
        _l("Only for new customers"),
        description=_l("Nobody whose mailbox has bought before, where your shop tells it."),
    )
    friend_item = StringField(
        _l("What exactly friends get"),
        [Length(max=200)],
        description=_l("For Stripe the coupon, for Shopify the percent off."),
    )
    friend_pattern = StringField(
        _l("Pattern of friends' codes"),
        [Length(max=60)],
        description=_l("Each # becomes a letter or digit; the last one finds typing errors."),
    )
    friend_expires_on = DateField(_l("Last day of friends' codes"), [Optional()])

    def offer_friends(self) -> None:
        """Fill the choices."""
        known = registry()
        self.friend_type.choices = [
            SelectChoice(NOTHING, _l("Nothing")),
            *(SelectChoice(name, known[name].label) for name in types()),
        ]

    def friend_in(self, brand: Brand) -> FriendIn | None:
        """What `terms.attach` takes; None if friends get nothing. Raises Invalid."""
        kind = registry().get(self.friend_type.data or NOTHING)
        if kind is None:
            return None
        named = {lang: self[f"friend_name_{lang}"].data for lang in LANGUAGES}
        budget, money = self.friend_budget.data, brand.currency
        made: FriendIn = read(
            FriendIn,
            {
                "type": kind.name,
                "name": {lang: text for lang, text in named.items() if text},
                "value_minor": to_minor("friend.value_minor", self.friend_value.data or "0", money),
                "currency": money,
                "budget_minor": to_minor("friend.budget_minor", budget, money) if budget else None,
                "when": self.friend_when.data,
                "new_only": bool(self.friend_new_only.data),
                "settings": {
                    name: (self[f"friend_{name}"].data or "").strip() for name in kind.settings_model.model_fields
                },
                "expires_on": self.friend_expires_on.data,
                **{name: self[f"friend_{name}"].data for name in ("cap_total", "cap_day", "cap_advocate")},
            },
        )
        return made


def values_of(campaign: Campaign, reward: Reward | None) -> dict[str, Any]:
    """What is stored as the form's values."""
    if reward is None:
        return {"friend_type": NOTHING}
    plain = {
        "type": reward.type, "when": reward.rule["when"], "new_only": reward.rule["new_only"],
        "name_en": reward.name.get("en", ""), "name_es": reward.name.get("es", ""),
        "value": from_minor(reward.value_minor, reward.currency),
        "budget": from_minor(reward.budget_minor, reward.currency),
        "cap_total": reward.cap_total, "cap_day": reward.cap_day, "cap_advocate": reward.cap_person,
        "item": reward.settings.get("item", ""), "pattern": reward.settings.get("pattern", ""),
        "expires_on": last_day(reward.expires_at, campaign.timezone) if reward.expires_at else None,
    }  # fmt: skip
    return {f"friend_{name}": value for name, value in plain.items()}
