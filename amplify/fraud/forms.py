"""The forms of the review: one decision, many by threshold, the answer to an appeal."""

from typing import Any

from wtforms import IntegerField, RadioField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange

from amplify.core.forms import Form
from amplify.core.i18n import lazy_gettext as _l
from amplify.fraud.services import LONGEST

FILL = InputRequired(_l("Please fill this in."))


def _reason(hint: Any) -> Any:
    return TextAreaField(_l("Reason"), [FILL, Length(max=LONGEST)], description=hint)


class DecisionForm(Form):
    """One decision."""

    verdict = RadioField(
        _l("Decision"),
        [FILL],
        choices=[
            SelectChoice("accepted", _l("Accept: it counts, and rewards leave")),
            SelectChoice("refused", _l("Refuse: it does not count, and rewards are called off")),
        ],
    )
    reason = _reason(_l("Kept in the audit log. The person does not see it."))


class BulkForm(Form):
    """Decisions by threshold."""

    accept_below = IntegerField(_l("Accept all below"), [FILL, NumberRange(0, 101)], default=0)
    refuse_above = IntegerField(_l("Refuse all above"), [FILL, NumberRange(0, 101)], default=80)
    reason = _reason(_l("Kept in the audit log, once for each case."))


class AnswerForm(Form):
    """The answer to an appeal."""

    outcome = RadioField(
        _l("Answer"),
        [FILL],
        choices=[
            SelectChoice("accepted", _l("They are right: accept the case")),
            SelectChoice("rejected", _l("The decision stays")),
        ],
    )
    reason = _reason(_l("Kept in the audit log. The person does not see it."))
