"""The console's own forms. Their texts are checked for form here and for sense by the services."""

from datetime import timedelta
from typing import Any

from wtforms import (
    BooleanField,
    DecimalField,
    IntegerField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from amplify.accounts.api_keys import SCOPES
from amplify.core import clock
from amplify.core.errors import AmplifyError
from amplify.core.forms import Form
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.ui import LANGUAGE_NAMES

ROLE_NAMES = {
    "admin": _l("Admin: everything, also people and keys"),
    "marketer": _l("Marketer: surveys, campaigns and rewards"),
    "brand": _l("Brand: looks at everything, changes nothing"),
}
ROLE_CHOICES = [SelectChoice(role, label) for role, label in ROLE_NAMES.items()]
LANGUAGE_CHOICES = [SelectChoice(code, name) for code, name in LANGUAGE_NAMES.items()]


def _required(length: int = 200) -> list[Any]:
    return [InputRequired(_l("Please fill this in.")), Length(max=length)]


class ApiKeyForm(Form):
    """A new API key."""

    name = StringField(_l("Name"), _required(), description=_l("What will use it, for example the shop's backend."))
    scopes = SelectMultipleField(
        _l("It may"),
        choices=[SelectChoice(scope, scope) for scope in SCOPES],
        option_widget=CheckboxInput(),
        widget=ListWidget(prefix_label=False),
    )
    days = IntegerField(
        _l("Ends after days"),
        [Optional(), NumberRange(1, 3650, _l("Between 1 and 3650 days."))],
        description=_l("Empty: until it is revoked."),
    )

    def values(self) -> dict[str, Any]:
        """The arguments of api_keys.create_api_key."""
        ends = clock.now() + timedelta(days=self.days.data) if self.days.data else None
        return {"name": self.name.data, "scopes": self.scopes.data, "expires_at": ends}


class SigningKeyForm(Form):
    """A new signing key."""

    label_text = StringField(_l("Name"), _required())
    key = StringField(
        _l("Short name in the address"), _required(80), description=_l("Small letters, digits and dashes.")
    )

    def values(self) -> dict[str, Any]:
        """The arguments of signing.create_signing_key."""
        return {"name": self.label_text.data, "key": self.key.data}


class InviteForm(Form):
    """A new member of staff."""

    person = StringField(_l("Name"), [Length(max=200)])
    email = StringField(_l("E-mail address"), _required(320), render_kw={"type": "email", "autocomplete": "off"})
    role = RadioField(_l("Role"), [InputRequired()], choices=ROLE_CHOICES, default="marketer")
    locale = SelectField(_l("Language"), [InputRequired()], choices=LANGUAGE_CHOICES, default="en")

    def values(self) -> dict[str, Any]:
        """The arguments of services.create_user."""
        data = self.data
        return {"name": data["person"] or "", "email": data["email"], "role": data["role"], "locale": data["locale"]}


def refuse(form: Form, refused: AmplifyError) -> None:
    """Show a service's refusal at the field it names, or above the form."""
    if refused.field in form:
        form[refused.field].errors = [*form[refused.field].errors, refused.message]
    else:
        form.form_errors = [*form.form_errors, refused.message]


def number_field(label: Any, low: float, high: float, kind: Any = IntegerField, hint: Any = "") -> Any:
    """A number that has to be there, within a range."""
    message = _l("The value lies between %(low)s and %(high)s.", low=low, high=high)
    required = InputRequired(_l("Please fill this in."))
    return kind(label, [required, NumberRange(low, high, message)], description=hint)


def _lines(label: Any) -> Any:
    return TextAreaField(label, [Length(max=4000)], description=_l("One per line."))


class SettingsForm(Form):
    """The brand's rules and look, as amplify.brands.policy takes them."""

    name = StringField(_l("Name"), _required())
    default_locale = SelectField(_l("Language"), choices=LANGUAGE_CHOICES)
    timezone = StringField(_l("Time zone"), _required(64), description=_l("For example Europe/Madrid."))
    accent = StringField(_l("Accent colour"), [Length(max=7)], description=_l("Written as #0b6bcb."))
    wordmark = StringField(_l("Name as shown on pages"), [Length(max=40)])
    logo_url = StringField(_l("Address of the logo"), [Length(max=500)], description=_l("Begins with https://."))
    target_hosts = TextAreaField(
        _l("Hosts that links may lead to"),
        [Length(max=12_000)],
        description=_l("One per line, such as shop.example.com. Links to anywhere else are refused."),
    )
    frame_origins = TextAreaField(
        _l("Pages that may show a shared board in a frame"),
        [Length(max=12_000)],
        description=_l("One per line, such as https://intranet.example.com. Everywhere else a frame stays empty."),
    )
    keep_clicks_days = IntegerField(
        _l("Keep single clicks for days"),
        [Optional(), NumberRange(1, 3650, _l("Between 1 and 3650 days."))],
        description=_l("Empty: for ever. What they were counted as stays in any case, and so do points and orders."),
    )
    postal_address = TextAreaField(
        _l("Postal address"), [Length(max=500)], description=_l("The law asks for it at the foot of every mail.")
    )
    privacy_url = StringField(_l("Address of your privacy policy"), [Length(max=500)])
    promoter_min = number_field(_l("Promoters answer at least"), 0, 10, DecimalField)
    detractor_max = number_field(_l("Detractors answer at most"), 0, 10, DecimalField)
    ask_every_days = number_field(_l("Days between two asks"), 1, 3650)
    declined_rest_days = number_field(_l("Days of rest after a no"), 1, 3650)
    counts_opens = BooleanField(
        _l("Count which mails are opened"),
        description=_l(
            "Each mail then carries an invisible picture that tells when it is loaded. Leave it off unless you need "
            "it: in the European Union it takes the reader's consent, Apple's and other programs load it unasked, and "
            "many people read without it. We keep the time and the kind of program, no address. Your privacy page "
            "says so."
        ),
    )
    risk_hold = number_field(
        _l("Hold from a risk of"), 1, 100, hint=_l("Points and rewards wait until somebody of you has decided.")
    )
    risk_refuse = number_field(
        _l("Refuse from a risk of"), 1, 100, hint=_l("Refused at once. A decision of yours takes it back.")
    )
    disposable_domains = TextAreaField(
        _l("More domains of mailboxes for minutes"),
        [Length(max=12_000)],
        description=_l("One per line, such as mail.example.com, besides those that Amplify knows."),
    )
    suggestions_en = _lines(_l("Suggested texts in English"))
    suggestions_es = _lines(_l("Suggested texts in Spanish"))


SECTIONS = (
    (_l("Brand"), "", ("name", "default_locale", "timezone", "postal_address", "privacy_url")),
    (_l("Look"), "", ("accent", "wordmark", "logo_url")),
    (_l("Links"), "", ("target_hosts", "frame_origins", "keep_clicks_days")),
    (
        _l("Answers"),
        _l("On the scale from 0 to 10. Answers already stored keep their category."),
        ("promoter_min", "detractor_max"),
    ),
    (
        _l("Contact"),
        _l("Nobody is asked more often. Quiet hours and more limits are under Channels."),
        (
            "ask_every_days",
            "declined_rest_days",
            "counts_opens",
        ),
    ),
    (
        _l("Fraud"),
        _l("Advocates, orders and days get a risk from 0 to 100, the sum of its reasons: see Fraud review."),
        ("risk_hold", "risk_refuse", "disposable_domains"),
    ),
    (_l("Words to begin with"), _l("For people who left no comment."), ("suggestions_en", "suggestions_es")),
)
