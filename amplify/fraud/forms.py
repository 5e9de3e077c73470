"""The forms of the review: one decision, many by threshold, the answer to an appeal."""

from wtforms import IntegerField
from wtforms.validators import NumberRange

from amplify.core.forms import Form
from amplify.core.i18n import lazy_gettext as _l
from amplify.fraud.answering import FILL, choice_field, text_field

REASON, UNSEEN = _l("Reason"), _l("Kept in the audit log. The person does not see it.")


class DecisionForm(Form):
    """One decision."""

    verdict = choice_field(
        _l("Decision"),
        accepted=_l("Accept: it counts, and rewards leave"),
        refused=_l("Refuse: it does not count, and rewards are called off"),
    )
    reason = text_field(REASON, UNSEEN)


class BulkForm(Form):
    """Decisions by threshold."""

    accept_below = IntegerField(_l("Accept all below"), [FILL, NumberRange(0, 101)], default=0)
    refuse_above = IntegerField(_l("Refuse all above"), [FILL, NumberRange(0, 101)], default=80)
    reason = text_field(REASON, _l("Kept in the audit log, once for each case."))


class AnswerForm(Form):
    """The answer to an appeal."""

    outcome = choice_field(
        _l("Answer"), accepted=_l("They are right: accept the case"), rejected=_l("The decision stays")
    )
    reason = text_field(REASON, UNSEEN)
