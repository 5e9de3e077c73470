"""The part of the campaign form that says whom a start rewards, its count while it is written, and it in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from wtforms import DateField, IntegerField, SelectField, SelectMultipleField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, NumberRange, Optional

from amplify.brands.models import Brand, BusinessLine, Location
from amplify.campaigns.models import Campaign, ExclusionList
from amplify.campaigns.schemas import MOST_HELD_OUT, AudienceIn, read
from amplify.core import clock
from amplify.core.forms import Form
from amplify.core.i18n import gettext as _
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.ui import LANGUAGE_NAMES
from amplify.core.ui import day as shown_day
from amplify.leaderboards.services import Chosen, chosen, how_many
from amplify.rewards.queries import names_of
from amplify.sharing.channel import registry

KINDS = [
    SelectChoice("top_n", _l("The first")),
    SelectChoice("top_percent", _l("The best percent")),
    SelectChoice("min_score", _l("At least this score")),
    SelectChoice("tier", _l("The tier (1 gold, 2 silver, 3 bronze)")),
]
TIERS = {1: _l("gold"), 2: _l("silver"), 3: _l("bronze")}
# Fields of the form -> fields of AudienceIn, where they differ.
FIELDS = {
    "audience_kind": "kind", "audience_value": "value", "location_id": "location_id",
    "business_line_id": "business_line_id", "board_campaign_id": "campaign_id", "segment_locale": "locale",
    "segment_channel": "channel", "joined_since": "joined_since", "active_since": "active_since",
    "not_rewarded_days": "not_rewarded_days", "exclude": "exclude", "holdout_percent": "holdout_percent",
}  # fmt: skip
SAMPLE = 5


def _number(label: Any, hint: Any, most: int) -> Any:
    rule = NumberRange(0, most, _l("This number is not possible here."))
    return IntegerField(label, [Optional(), rule], description=hint)


class AudienceForm(Form):
    """Fields are flat; `audience` gives them the shape that AudienceIn takes."""

    audience_kind = SelectField(_l("Who is rewarded"), [InputRequired(_l("Please fill this in."))], choices=KINDS)
    audience_value = IntegerField(
        _l("How many, which percent, score or tier"),
        [
            InputRequired(_l("Please fill this in.")),
            NumberRange(1, 1_000_000_000, _l("This number is not possible here.")),
        ],
    )
    location_id = SelectField(_l("Location"), validate_choice=False)
    business_line_id = SelectField(_l("Business line"), validate_choice=False)
    board_campaign_id = SelectField(_l("Campaign"), validate_choice=False)
    segment_locale = SelectField(_l("Language"), validate_choice=False)
    segment_channel = SelectField(_l("Shared on"), validate_choice=False)
    joined_since = DateField(_l("Advocates since this day or later"), [Optional()])
    active_since = DateField(_l("Active on this day or later"), [Optional()])
    not_rewarded_days = _number(
        _l("Not rewarded in the last days"), _l("Whoever was, by any campaign, is left out. Empty: no matter."), 3_650
    )
    holdout_percent = _number(
        _l("Keep back by chance, in percent"),
        _l("They get nothing, so that what the reward brings can be measured. 10 is a good number."),
        MOST_HELD_OUT,
    )
    exclude = SelectMultipleField(_l("Leave out who is on these lists"), coerce=int, validate_choice=False)

    def offer_audience(self, session: Session, brand: Brand) -> None:
        """Fill the choices that depend on the brand."""
        anywhere = [SelectChoice("", _("No matter"))]
        for name, kind in (
            ("location_id", Location),
            ("business_line_id", BusinessLine),
            ("board_campaign_id", Campaign),
        ):
            mine: Any = sa.select(kind.id, kind.name).where(kind.brand_id == brand.id).order_by(kind.name)
            self[name].choices = [*anywhere, *(SelectChoice(str(id_), said) for id_, said in session.execute(mine))]
        self.segment_locale.choices = [*anywhere, *(SelectChoice(code, said) for code, said in LANGUAGE_NAMES.items())]
        self.segment_channel.choices = [*anywhere, *(SelectChoice(c.name, c.label) for c in registry().values())]
        lists = sa.select(ExclusionList.id, ExclusionList.name).where(ExclusionList.brand_id == brand.id)
        self.exclude.choices = [SelectChoice(id_, said) for id_, said in session.execute(lists.order_by("name"))]

    @property
    def audience_fields(self) -> list[str]:
        """The names of the fields that make the audience."""
        return list(FIELDS)

    @property
    def is_narrowed(self) -> bool:
        """Whether more is said than how many: then the form shows all of it."""
        return any(self[name].data for name in FIELDS if name not in ("audience_kind", "audience_value"))

    def audience(self) -> dict[str, Any]:
        """The values that were given, by the names of AudienceIn."""
        given = {name: self[field].data for field, name in FIELDS.items()}
        ids = {name: int(said) if (said := given[name] or "").isdecimal() else None for name in IDS}
        return {name: said for name, said in given.items() if said not in (None, "")} | ids


IDS = ("location_id", "business_line_id", "campaign_id")


def values_of(audience: Mapping[str, Any]) -> dict[str, Any]:
    """A stored audience as the form's values."""
    days = {name: date.fromisoformat(audience[name]) for name in ("joined_since", "active_since") if audience.get(name)}
    ids = {name: str(audience.get(name) or "") for name in IDS}
    stored = {"kind": "top_n", "value": 50, **audience, **days, **ids}
    return {field: stored.get(name) for field, name in FIELDS.items()}


@dataclass(frozen=True)
class Counted:
    """How many an audience chooses now, and the first of them with their names."""

    count: int
    sample: list[tuple[Chosen, str]]


def count(session: Session, brand: Brand, form: AudienceForm) -> Counted | None:
    """Whom the fields would choose now; None while they make no audience."""
    wanted = read(AudienceIn, form.audience()).stored()
    now = clock.now()
    first = chosen(session, brand.id, wanted, now, SAMPLE)
    names = names_of(session, [one.advocate_id for one in first])
    return Counted(how_many(session, brand.id, wanted, now), [(one, names[one.advocate_id]) for one in first])


def in_words(session: Session, audience: Mapping[str, Any]) -> list[str]:
    """An audience as it is told: how much of which ranking, then each further condition."""
    return [_amount(audience), *_segment(session, audience), *_left_out(session, audience)]


def _amount(audience: Mapping[str, Any]) -> str:
    value = audience.get("value", 0)
    words = {
        "top_n": _("the first %(n)s", n=value),
        "top_percent": _("the best %(n)s percent", n=value),
        "min_score": _("everybody with a score of at least %(n)s", n=value),
        "tier": _("the tier %(name)s", name=TIERS.get(value, "")),
    }
    return str(words.get(audience.get("kind", ""), _("nobody")))


def _segment(session: Session, audience: Mapping[str, Any]) -> list[str]:
    said: list[Any] = []
    for name, kind in (("location_id", Location), ("business_line_id", BusinessLine), ("campaign_id", Campaign)):
        if id_ := audience.get(name):
            said.append(
                _("in the ranking of %(name)s", name=session.scalar(sa.select(kind.name).where(kind.id == id_)))
            )
    if locale := audience.get("locale"):
        said.append(_("language: %(name)s", name=LANGUAGE_NAMES[locale]))
    if channel := audience.get("channel"):
        known = registry().get(channel)
        said.append(_("shared on %(name)s", name=known.label if known else channel))
    if day := audience.get("joined_since"):
        said.append(_("advocates since %(day)s or later", day=shown_day(date.fromisoformat(day))))
    if day := audience.get("active_since"):
        said.append(_("active on %(day)s or later", day=shown_day(date.fromisoformat(day))))
    return [str(one) for one in said]


def _left_out(session: Session, audience: Mapping[str, Any]) -> list[str]:
    said: list[Any] = []
    if days := audience.get("not_rewarded_days"):
        said.append(_("not rewarded in the last %(n)s days", n=days))
    if lists := audience.get("exclude"):
        names = session.scalars(sa.select(ExclusionList.name).where(ExclusionList.id.in_(lists)).order_by("name"))
        said.append(_("not on the lists: %(names)s", names=", ".join(names)))
    if percent := audience.get("holdout_percent"):
        said.append(_("%(n)s percent are kept back by chance", n=percent))
    return [str(one) for one in said]
