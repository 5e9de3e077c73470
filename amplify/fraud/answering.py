"""How staff see what people object to, and answer: the fields, the list and what becomes of a form."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from flask import render_template, url_for
from wtforms import RadioField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from amplify.accounts.forms import refuse
from amplify.core.errors import AmplifyError
from amplify.core.forms import Form
from amplify.core.i18n import lazy_gettext as _l
from amplify.fraud.objections import LONGEST, PAGE

FILL = InputRequired(_l("Please fill this in."))


class Choice(Protocol):
    """The query of a list: which part of it, and which page."""

    show: Any
    page: int


def text_field(label: Any, hint: Any) -> Any:
    """A field for what `said` takes."""
    return TextAreaField(label, [FILL, Length(max=LONGEST)], description=hint)


def choice_field(label: Any, **choices: Any) -> Any:
    """One of these."""
    return RadioField(label, [FILL], choices=[SelectChoice(value, text) for value, text in choices.items()])


def listing(template: str, rows: Sequence[Any], total: int, wanted: Choice, **more: Any) -> str:
    """A page of a list of staff, PAGE rows of it; the whole list as a file beside it."""
    numbers = {"page": wanted.page, "pages": -(-total // PAGE), "total": total}
    return render_template(
        template, rows=rows, show=wanted.show, csv=url_for(".listing_csv", show=wanted.show), **numbers, **more
    )


def applied(form: Form, apply: Callable[[], object]) -> int | None:
    """Do what the form asks for; the status to answer with if the form or a rule refuses it."""
    if not form.validate():
        return 422
    try:
        apply()
    except AmplifyError as refused:
        refuse(form, refused)
        return refused.status
    return None
