"""An ask and its separate facts: shown, sent, opened, declined."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from amplify.campaigns.models import Campaign
from amplify.core import clock
from amplify.core.db import Base, Instant, PrimaryKey, Text40, UtcDateTime
from amplify.sharing.models import Advocate


class Ask(Base):
    """One invitation to share after one answer, on the page or by mail. Each fact has its own, first time.

    shown    on the page: the share page was on the screen; a mail: unknown until it was followed
    opened   on the page: a channel was chosen; a mail: its link was followed
    declined "no thanks"
    """

    __tablename__ = "asks"
    __table_args__ = (
        sa.UniqueConstraint("response_id", "mode"),
        sa.Index("ix_asks_advocate_created", "advocate_id", "created_at"),
    )

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"), index=True)
    response_id: Mapped[int] = mapped_column(sa.ForeignKey("responses.id"))
    advocate_id: Mapped[int] = mapped_column(sa.ForeignKey("advocates.id"))
    campaign_id: Mapped[int] = mapped_column(sa.ForeignKey("campaigns.id"))
    mode: Mapped[Text40]  # "page" or "mail"
    message_id: Mapped[int | None] = mapped_column(sa.ForeignKey("messages.id"), index=True)
    created_at: Mapped[Instant] = mapped_column(default=clock.now)
    shown_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    declined_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    advocate: Mapped[Advocate] = relationship()
    campaign: Mapped[Campaign] = relationship()


class AskRefusal(Base):
    """Why somebody was not asked, by rule: everybody can see why."""

    __tablename__ = "ask_refusals"

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"), index=True)
    response_id: Mapped[int] = mapped_column(sa.ForeignKey("responses.id"), index=True)
    mode: Mapped[Text40]
    rule: Mapped[Text40]
    at: Mapped[Instant] = mapped_column(default=clock.now)
