"""The campaign form: one page for what is asked, who is rewarded, with what, when, and in which words."""

from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session
from wtforms import DateField, HiddenField, IntegerField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.campaigns.schedule import local_of, zone_names
from amplify.campaigns.schemas import CampaignIn, read
from amplify.core import clock
from amplify.core.errors import AmplifyError
from amplify.core.i18n import LANGUAGES, force_locale
from amplify.core.i18n import gettext as _
from amplify.core.i18n import lazy_gettext as _l
from amplify.rewards import repeat_form
from amplify.rewards.amounts import from_minor, to_minor
from amplify.rewards.audience_form import FIELDS, AudienceForm
from amplify.rewards.audience_form import values_of as audience_values
from amplify.rewards.friends import form as friend_form
from amplify.rewards.friends.form import FriendForm
from amplify.rewards.models import Reward
from amplify.rewards.repeat_form import RepeatForm
from amplify.rewards.schemas import MOST_TIMES, RewardIn
from amplify.rewards.services import last_day
from amplify.rewards.types import registry

TRIGGERS = [
    SelectChoice("rank", _l("Their place in the ranking alone")),
    SelectChoice("human_click", _l("Visits by people through their links")),
    SelectChoice("conversion", _l("Purchases through their links")),
    SelectChoice("points", _l("Points that count towards rewards (to be reached)")),
]
WHEN = [
    SelectChoice("start", _l("At each start, to the best of the ranking")),
    SelectChoice("reached", _l("While it runs, to everybody who reaches it")),
    SelectChoice("each", _l("While it runs, for each purchase through their links")),
]
# What "each" stands for.
EACH_PURCHASE = {"trigger": "conversion", "at_least": 1, "when": "reached"}
TEXTS = ("headline", "share_text", "disclosure", "reward_subject", "reward_text")
FILLED = InputRequired(_l("Please fill this in."))


def _count(label: Any, hint: Any = "", least: int = 0) -> Any:
    rule = NumberRange(least, 1_000_000_000, _l("This number is not possible here."))
    return IntegerField(label, [Optional(), rule], description=hint)


def _disclosure() -> Any:
    return StringField(_l("Disclosure"), [Length(max=200)], description=_l("Stands first in every rewarded share."))


class CampaignForm(AudienceForm, RepeatForm, FriendForm):
    """Fields are flat; `campaign_in`, `reward_in` and `friend_in` give them the shape the services take."""

    version = HiddenField()
    name = StringField(_l("Name"), [FILLED, Length(max=200)], description=_l("Only your team sees it."))
    landing_url = StringField(
        _l("Where links lead"),
        [FILLED, Length(max=2000)],
        render_kw={"type": "url", "inputmode": "url"},
        description=_l("A page of yours; never a review site."),
    )
    starts_local = StringField(
        _l("Start"), render_kw={"type": "datetime-local"}, description=_l("In the time zone below.")
    )
    ends_local = StringField(_l("End"), render_kw={"type": "datetime-local"})
    timezone = SelectField(
        _l("Time zone"), choices=[SelectChoice(name, name.replace("_", " ")) for name in zone_names()]
    )

    reward_type = SelectField(_l("Reward"), [FILLED])
    reward_name_en = StringField(_l("What they get, in English"), [Length(max=120)])
    reward_name_es = StringField(_l("What they get, in Spanish"), [Length(max=120)])
    value = StringField(_l("Worth of one"), [Length(max=20)], render_kw={"inputmode": "decimal"})
    budget = StringField(
        _l("Budget"),
        [Length(max=20)],
        render_kw={"inputmode": "decimal"},
        description=_l("Never passed; empty: no limit."),
    )
    cap_pushes = _count(_l("At most this many people"), _l("Empty: no limit."), least=1)
    cap_total = _count(_l("At most this many in all starts together"), _l("Empty: no limit."), least=1)
    cap_day = _count(_l("At most this many a day"), _l("Empty: no limit."), least=1)
    cap_person = _count(_l("At most this many for one person, over all starts"), _l("Empty: no limit."), least=1)
    item = StringField(
        _l("What exactly"),
        [Length(max=200)],
        description=_l(
            "For gift cards the id of the product, for Stripe the coupon, for Shopify the percent off, for points how "
            "many; else what your team has to do."
        ),
    )
    pattern = StringField(
        _l("Pattern of codes"),
        [Length(max=60)],
        description=_l("Each # becomes a letter or digit; the last one finds typing errors."),
    )
    trigger = SelectField(
        _l("What the reward hangs on"),
        [FILLED],
        choices=TRIGGERS,
        default="rank",
        description=_l("Outcomes only. Paying for posts, likes, reviews or opinions is not possible."),
    )
    at_least = _count(_l("At least this many of them"))
    given = SelectField(_l("When it is given"), choices=WHEN, default="start")
    times = _count(
        _l("At most this many times for each person"),
        _l("Only for what is reached: once for each further so many. Empty: once."),
        least=1,
    )
    expires_on = DateField(_l("Last day of the codes"), [Optional()])

    headline_en = StringField(_l("Headline"), [Length(max=120)])
    headline_es = StringField(_l("Headline"), [Length(max=120)])
    share_text_en = TextAreaField(_l("Suggested text"), [Length(max=500)], description=_l("People edit it freely."))
    share_text_es = TextAreaField(_l("Suggested text"), [Length(max=500)], description=_l("People edit it freely."))
    disclosure_en = _disclosure()
    disclosure_es = _disclosure()
    reward_subject_en = StringField(_l("Subject of the reward mail"), [Length(max=150)])
    reward_subject_es = StringField(_l("Subject of the reward mail"), [Length(max=150)])
    reward_text_en = TextAreaField(_l("How to use the reward"), [Length(max=2000)])
    reward_text_es = TextAreaField(_l("How to use the reward"), [Length(max=2000)])

    def offer(self, session: Session, brand: Brand) -> "CampaignForm":
        """Fill the choices that depend on the brand."""
        self.offer_audience(session, brand)
        self.reward_type.choices = [
            SelectChoice("none", _l("No reward")),
            *(SelectChoice(t.name, t.label) for t in registry().values()),
        ]
        self.offer_friends()
        for money in (self.value, self.budget, self.friend_value, self.friend_budget):
            money.label.text = f"{money.label.text} ({brand.currency})"
        return self

    def campaign_in(self) -> CampaignIn:
        """What campaigns.services takes. Raises Invalid."""
        texts = {lang: {name: self[f"{name}_{lang}"].data or "" for name in TEXTS} for lang in LANGUAGES}
        made: CampaignIn = read(
            CampaignIn,
            {
                "name": self.name.data,
                "landing_url": self.landing_url.data,
                "audience": self.audience(),
                "texts": texts,
                "starts_local": self.starts_local.data or "",
                "ends_local": self.ends_local.data or "",
                "timezone": self.timezone.data,
                "repeats": self.repeats_in(),
            },
        )
        return made

    def reward_in(self, brand: Brand) -> RewardIn | None:
        """What rewards.services takes; None if there is no reward. Raises Invalid."""
        if self.reward_type.data == "none":
            return None
        names = {lang: self[f"reward_name_{lang}"].data for lang in LANGUAGES if self[f"reward_name_{lang}"].data}
        kind = registry().get(self.reward_type.data)
        asked = kind.settings_model.model_fields if kind else ()
        made: RewardIn = read(
            RewardIn,
            {
                "type": self.reward_type.data,
                "name": names,
                "value_minor": to_minor("value", self.value.data or "0", brand.currency),
                "currency": brand.currency,
                "budget_minor": to_minor("budget", self.budget.data, brand.currency) if self.budget.data else None,
                "cap_pushes": self.cap_pushes.data,
                "rule": self._rule(),
                "cap_total": self.cap_total.data,
                "cap_day": self.cap_day.data,
                "cap_person": self.cap_person.data,
                "settings": {name: (self[name].data or "").strip() for name in asked},
                "expires_on": self.expires_on.data,
            },
        )
        return made

    def _rule(self) -> dict[str, Any]:
        if self.given.data == "each":
            return EACH_PURCHASE | {"times": self.times.data or MOST_TIMES}
        return {
            "trigger": self.trigger.data,
            "at_least": self.at_least.data or 0,
            "when": self.given.data,
            "times": self.times.data or 1,
        }


# What services call a field -> what the form calls it.
NAMES = {
    "audience": "audience_value",
    **{f"audience.{name}": field for field, name in FIELDS.items()},
    "value_minor": "value", "budget_minor": "budget", "currency": "value", "settings.pattern": "pattern",
    "settings.item": "item",
    "rule.trigger": "trigger", "rule.at_least": "at_least", "rule.when": "given", "rule.times": "times",
    "type": "reward_type", "reward.type": "reward_type",
    "name.en": "reward_name_en", "name.es": "reward_name_es",
    **repeat_form.NAMES, **friend_form.NAMES,
}  # fmt: skip


def named(field: str) -> tuple[str, str]:
    """What the form calls what services call `field`, and its language if it is a text: ("headline_en", "en")."""
    if field.startswith("texts."):
        _texts, lang, name = [*field.split("."), "", ""][:3]
        return f"{name}_{lang}", lang
    return NAMES.get(field, field), ""


def show(form: CampaignForm, refused: AmplifyError) -> None:
    """A service's refusal at the field it is about, else above the form."""
    name, _lang = named(refused.field or "")
    said = str(refused.message)  # a lazy translation would tell the template that it is HTML
    if name in form:
        form[name].errors = [*form[name].errors, said]
    else:
        form.form_errors = [*form.form_errors, said]


def defaults(brand: Brand) -> dict[str, Any]:
    """What a new campaign begins with: sensible, and lawful."""
    tomorrow = clock.now() + timedelta(days=1)
    made = {
        "landing_url": f"https://{brand.target_hosts[0]}/" if brand.target_hosts else "",
        "audience_kind": "top_n", "audience_value": 50, "timezone": brand.timezone,
        "starts_local": local_of(tomorrow, brand.timezone)[:11] + "09:00",
        "reward_type": "generated_code", "pattern": "THANKS-####-####", "trigger": "rank",
        "friend_type": "none", "friend_pattern": "HELLO-####-####",
    }  # fmt: skip
    for lang in LANGUAGES:
        with force_locale(lang):
            made[f"headline_{lang}"] = _("Tell others about %(brand)s", brand=brand.name)
            made[f"disclosure_{lang}"] = _("I may get a reward from %(brand)s for this. #ad", brand=brand.name)
            made[f"reward_text_{lang}"] = _("To use it, give the code when you buy.")
    return made


def values_of(campaign: Campaign, reward: Reward | None, friends: Reward | None = None) -> dict[str, Any]:
    """A stored campaign as the form's values."""
    made: dict[str, Any] = {
        "version": campaign.version, "name": campaign.name, "landing_url": campaign.landing_url,
        **audience_values(campaign.audience),
        "starts_local": campaign.starts_local, "ends_local": campaign.ends_local, "timezone": campaign.timezone,
        "reward_type": reward.type if reward else "none", **repeat_form.values_of(campaign),
        **friend_form.values_of(campaign, friends),
    }  # fmt: skip
    for lang in LANGUAGES:
        made |= {f"{name}_{lang}": campaign.texts.get(lang, {}).get(name, "") for name in TEXTS}
    return made | (_reward_values(campaign, reward) if reward else {})


def _reward_values(campaign: Campaign, reward: Reward) -> dict[str, Any]:
    return {
        "reward_name_en": reward.name.get("en", ""), "reward_name_es": reward.name.get("es", ""),
        "value": from_minor(reward.value_minor, reward.currency),
        "budget": from_minor(reward.budget_minor, reward.currency),
        "cap_pushes": reward.cap_pushes, "pattern": reward.settings.get("pattern", ""),
        "cap_total": reward.cap_total, "cap_day": reward.cap_day, "cap_person": reward.cap_person,
        "item": reward.settings.get("item", ""),
        "trigger": reward.rule.get("trigger", "rank"), "at_least": reward.rule.get("at_least") or None,
        "given": _given(reward), "times": reward.rule.get("times"),
        "expires_on": last_day(reward.expires_at, campaign.timezone) if reward.expires_at else None,
    }  # fmt: skip


def _given(reward: Reward) -> str:
    is_each = all(reward.rule.get(name) == value for name, value in EACH_PURCHASE.items())
    return "each" if is_each else str(reward.rule.get("when", "start"))
