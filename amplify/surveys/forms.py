"""The console's forms about surveys and imports. What they mean is checked by the services and by surveys.mapping."""

from typing import Any

from flask_wtf.file import FileField, FileRequired
from wtforms import BooleanField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, Regexp

from amplify.core.forms import Form
from amplify.core.i18n import lazy_gettext as _l
from amplify.surveys.mapping import ENCODINGS, FIELDS

SCALE_NAMES = {
    "nps": _l("0 to 10: would you recommend us? (NPS)"),
    "csat5": _l("1 to 5: how satisfied are you? (CSAT)"),
    "csat7": _l("1 to 7: how satisfied are you? (CSAT)"),
}
FIELD_NAMES = {
    "given": _l("Score"),
    "comment": _l("Comment"),
    "answered_at": _l("Answered at"),
    "business_line": _l("Business line"),
    "location": _l("Location"),
    "external_id": _l("The answer's own id"),
    "customer_id": _l("Customer's id"),
    "customer_email": _l("Customer's e-mail address"),
    "customer_name": _l("Customer's name"),
    "customer_locale": _l("Customer's language"),
    "customer_timezone": _l("Customer's time zone"),
    "customer_consent": _l("May we write to the customer?"),
    "customer_phone": _l("Customer's telephone number"),
    "customer_sms_consent": _l("May we send the customer text messages?"),
    "employee_key": _l("Employee"),
    "touchpoint": _l("Touchpoint"),
    "locale": _l("Language of the answer"),
}
KEY = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
CONFLICTS = {
    "refuse": _l("It is a mistake: leave the row out and say so"),
    "new_version": _l("It is an edit: keep it as a new version"),
}
DELIMITERS = {",": _l("Comma"), ";": _l("Semicolon"), "\t": _l("Tab"), "|": _l("Vertical bar")}


def _choices(names: dict[str, Any]) -> list[Any]:
    return [SelectChoice(value, label) for value, label in names.items()]


def _required(length: int = 200) -> list[Any]:
    return [InputRequired(_l("Please fill this in.")), Length(max=length)]


class SurveyForm(Form):
    """A hosted survey."""

    name = StringField(_l("Name"), _required(), description=_l("For you; customers do not see it."))
    key = StringField(
        _l("Short name in the address"),
        [*_required(80), Regexp(KEY, message=_l("Use small letters, digits and dashes."))],
    )
    scale = SelectField(_l("Scale"), _required(), choices=_choices(SCALE_NAMES))
    question_en = StringField(
        _l("Question in English"), [Length(max=300)], description=_l("Empty: the scale's standard question.")
    )
    question_es = StringField(
        _l("Question in Spanish"), [Length(max=300)], description=_l("Empty: the scale's standard question.")
    )
    touchpoint = StringField(_l("Touchpoint"), [Length(max=80)], description=_l("For example: after the purchase."))
    is_open = BooleanField(_l("Takes answers"), default=True)


class UploadForm(Form):
    """A file to import, how it is written, and maybe a mapping that exists."""

    file = FileField(_l("CSV file"), [FileRequired(_l("Please choose a file."))])
    toml = FileField(_l("Mapping (TOML)"), description=_l("If you have one. Otherwise you choose the columns next."))
    encoding = SelectField(_l("Encoding"), _required(), choices=_choices(dict(zip(ENCODINGS, ENCODINGS, strict=True))))
    delimiter = SelectField(_l("Columns are separated by"), _required(), choices=_choices(DELIMITERS))


class MappingForm(Form):
    """Everything of a mapping but the columns, which are one select per field."""

    name = StringField(
        _l("Name of the source"),
        _required(80),
        description=_l("The same name again is the same source: rows that are stored already are recognised."),
    )
    scale = SelectField(_l("Scale"), _required(), choices=_choices(SCALE_NAMES))
    empty = StringField(
        _l("These mean “nothing”"), [Length(max=500)], default="NA", description=_l("Separated by commas.")
    )
    formats = TextAreaField(
        _l("How dates are written"),
        [Length(max=500)],
        default="iso",
        description=_l("One per line: iso, or a pattern such as %(example)s.", example="%d/%m/%Y"),
    )
    timezone = StringField(_l("Time zone of the file"), _required(64), default="UTC")
    on_conflict = SelectField(
        _l("A row whose id is stored with other content"), _required(), choices=_choices(CONFLICTS), default="refuse"
    )
    ask = BooleanField(
        _l("Ask the promoters in this file to share"), description=_l("For fresh answers only, not for history.")
    )

    column_fields = FIELDS
