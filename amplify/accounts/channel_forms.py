"""The form of a brand's ways to people: a place and a limit for each way there is, quiet hours and contact cap."""

from typing import Any

from wtforms import IntegerField, SelectField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import NumberRange, Optional

from amplify.accounts.channels import MOST_PER_MINUTE
from amplify.accounts.forms import number_field
from amplify.brands.models import Brand
from amplify.core.forms import Form
from amplify.core.i18n import lazy_gettext as _l
from amplify.delivery.channel import ways

PACING = ("quiet_from_hour", "quiet_until_hour", "cap_messages", "cap_days")
KEPT = (*PACING, "sms_thousand_minor")
OFF = "0"


class PacingForm(Form):
    """How often and when people are written to, by whatever way."""

    quiet_from_hour = number_field(_l("Quiet from hour"), 0, 23, hint=_l("In the customer's own time zone."))
    quiet_until_hour = number_field(_l("Quiet until hour"), 0, 23, hint=_l("The same hour twice: no quiet hours."))
    cap_messages = number_field(_l("Messages per person at most"), 0, 1000, hint=_l("Over all campaigns; 0: no limit."))
    cap_days = number_field(_l("In so many days"), 1, 365)
    sms_thousand_minor = number_field(
        _l("What 1,000 parts cost you"), 0, 100_000_000, hint=_l("In cents; 0: not said. The dry run adds it up.")
    )

    def order(self) -> list[str]:
        """The ways that are on, by their places; of two with one place, the one that is offered first."""
        places = {way: str(self[f"place_{way}"].data) for way in ways()}
        return sorted((way for way, place in places.items() if place != OFF), key=lambda way: places[way])

    def per_minute(self) -> dict[str, int]:
        """Way -> at most so many a minute; 0: no limit."""
        return {way: self[f"limit_{way}"].data or 0 for way in ways()}

    def pacing(self) -> dict[str, int]:
        """The brand's columns."""
        return {name: self.data[name] for name in KEPT}


def channels_form(brand: Brand, **more: Any) -> PacingForm:
    """The form with the fields of every way, and what holds now."""
    names = list(ways())
    places = [SelectChoice(OFF, _l("Off")), *(SelectChoice(str(n), str(n)) for n in range(1, len(names) + 1))]
    message = _l("The value lies between %(low)s and %(high)s.", low=0, high=MOST_PER_MINUTE)
    fields: dict[str, Any] = {}
    for way in names:
        fields[f"place_{way}"] = SelectField(_l("Place in the order"), choices=places)
        limit = IntegerField(
            _l("At most so many a minute"),
            [Optional(), NumberRange(0, MOST_PER_MINUTE, message)],
            description=_l("Empty: no limit."),
        )
        fields[f"limit_{way}"] = limit
    made = type("ChannelsForm", (PacingForm,), fields)
    return made(data=_now(brand, names), **more)  # type: ignore[no-any-return]  # a class made here has no stub


def _now(brand: Brand, names: list[str]) -> dict[str, Any]:
    order = brand.channel_order
    places = {f"place_{way}": str(order.index(way) + 1) if way in order else OFF for way in names}
    limits = {f"limit_{way}": brand.per_minute.get(way) or None for way in names}
    return {name: getattr(brand, name) for name in KEPT} | places | limits
