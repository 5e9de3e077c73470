"""The form that makes a link to a board, and the one that asks for its password."""

from typing import Any

from wtforms import IntegerField, PasswordField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange

from amplify.core.forms import Form
from amplify.core.i18n import lazy_gettext as _l
from amplify.leaderboards.board_links import MAX_DAYS, MAX_SHOWN
from amplify.leaderboards.folding import BoardName


def _count(label: Any, most: int, default: int, hint: Any = "") -> Any:
    message = _l("The value lies between %(low)s and %(high)s.", low=1, high=most)
    required = InputRequired(_l("Please fill this in."))
    return IntegerField(label, [required, NumberRange(1, most, message)], default=default, description=hint)


class LinkForm(Form):
    """A new link."""

    name = StringField(
        _l("Heading"), [InputRequired(_l("Please fill this in.")), Length(max=200)], description=_l("Readers see it.")
    )
    board = SelectField(_l("Board"), [InputRequired()])
    shown = _count(_l("Lines"), MAX_SHOWN, 10)
    days = _count(_l("Ends after days"), MAX_DAYS, 30)
    password = PasswordField(
        _l("Password"),
        [Length(max=200)],
        description=_l("May stay empty. With a password the board cannot stand in a frame."),
        render_kw={"autocomplete": "new-password"},
    )

    def offer(self, boards: list[tuple[BoardName, str]]) -> "LinkForm":
        """The boards to choose from."""
        self.board.choices = [SelectChoice(f"{kind}:{ref_id}", label) for (kind, ref_id), label in boards]
        return self

    def values(self) -> dict[str, Any]:
        """The arguments of board_links.make_link."""
        kind, _colon, ref_id = self.board.data.partition(":")
        data = self.data
        plain = {name: data[name] for name in ("name", "shown", "days")}
        return {**plain, "board": (kind, int(ref_id)), "password": data["password"] or ""}


class PasswordForm(Form):
    """What opens a board that has a password."""

    password = PasswordField(
        _l("Password"),
        [InputRequired(_l("Please fill this in.")), Length(max=200)],
        render_kw={"autocomplete": "current-password"},
    )
