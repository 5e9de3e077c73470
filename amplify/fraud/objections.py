"""Somebody objects, and staff answer once: what appeals of checks (here) and of single visits and purchases
(leaderboards) have in common. Their forms and pages: answering.py."""

from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from amplify.core import clock
from amplify.core.db import Base, Instant, PrimaryKey, Text40, UtcDateTime
from amplify.core.errors import Conflict, Invalid, NotFound
from amplify.core.i18n import lazy_gettext as _l

LONGEST = 1_000
PAGE = 50
Row = TypeVar("Row", bound=Base)


class Objection:
    """One text of a person against one decision. Its outcome is open until staff accept or reject it, once."""

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    text: Mapped[str] = mapped_column(sa.Text)
    at: Mapped[Instant] = mapped_column(default=clock.now)
    outcome: Mapped[Text40] = mapped_column(sa.String(40), default="open")  # open, accepted, rejected
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    def check_open(self) -> None:
        """Raises Conflict("answered")."""
        if self.outcome != "open":
            raise Conflict(_l("This appeal was answered already."), field="outcome", rule="answered")

    def answer(self, *, is_accepted: bool) -> None:
        """Agree or not. Raises Conflict("answered")."""
        self.check_open()
        self.outcome, self.answered_at = "accepted" if is_accepted else "rejected", clock.now()


def said(field: str, text: str) -> str:
    """What somebody wrote, without the blanks around it. Raises Invalid(field)."""
    words = text.strip()
    if not words or len(words) > LONGEST:
        raise Invalid(field, "length", _l("Please write 1 to %(number)s characters.", number=LONGEST))
    return words


def known() -> Conflict:
    """To who says the same a second time."""
    return Conflict(_l("You have told us about this already."), field="text", rule="appealed")


def held(session: Session, model: type[Row], brand_id: int, number: int, unknown: NotFound) -> Row:
    """A row of the brand, held until the end: two people must not both decide it. Raises `unknown`."""
    columns: Any = model
    mine = sa.select(model).where(columns.brand_id == brand_id, columns.id == number)
    found = session.scalar(mine.with_for_update().execution_options(populate_existing=True))
    if found is None:
        raise unknown
    return found


def unknown_appeal() -> NotFound:
    """There is none by this number."""
    return NotFound(_l("There is no such appeal."), field="appeal", rule="appeal-unknown")
