"""Surveys, the answers to them, and the runs that import answers from files."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from amplify.brands.models import BusinessLine, Location
from amplify.core import clock
from amplify.core.db import Base, Instant, PrimaryKey, Text40, Text80, Text200, UtcDateTime
from amplify.customers.models import Customer

# Scale name -> (lowest, highest) value that can be given.
SCALES = {"nps": (0, 10), "csat5": (1, 5), "csat7": (1, 7)}


def normalised(scale: str, given: int) -> float:
    """A given score on 0-10: NPS as it is, CSAT stretched linearly. Raises KeyError for an unknown scale."""
    low, high = SCALES[scale]
    return float(given) if scale == "nps" else round((given - low) * 10 / (high - low), 2)


class Survey(Base):
    """A hosted one-question survey: /b/<brand>/survey/<key>."""

    __tablename__ = "surveys"
    __table_args__ = (sa.UniqueConstraint("brand_id", "key"),)

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    key: Mapped[Text80]
    name: Mapped[Text200]
    scale: Mapped[Text40] = mapped_column(sa.String(40), default="nps")
    # {"en": "How likely ...?", "es": "..."}; an empty one falls back to the standard question.
    question: Mapped[dict[str, Any]] = mapped_column(default=dict)
    touchpoint: Mapped[str] = mapped_column(sa.String(80), default="")
    is_open: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[Instant] = mapped_column(default=clock.now)


class Response(Base):
    """One answer in one revision. Facts: never changed, only superseded by a later revision of the same answer.

    Unique on brand, source and the source's own id (and revision): a replay stores nothing.
    """

    __tablename__ = "responses"
    __table_args__ = (
        sa.UniqueConstraint("brand_id", "source", "external_id", "revision"),
        sa.Index("ix_responses_brand_answered", "brand_id", "answered_at"),
        sa.Index("ix_responses_brand_line", "brand_id", "business_line_id"),
        sa.Index("ix_responses_brand_location", "brand_id", "location_id"),
    )

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    # "hosted:<survey key>", "signed:<signing key>", "api:<key prefix>", "import:<name>"
    source: Mapped[Text200]
    external_id: Mapped[Text200]
    revision: Mapped[int] = mapped_column(sa.Integer, default=1)
    body_hash: Mapped[str] = mapped_column(sa.String(64))
    superseded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    survey_id: Mapped[int | None] = mapped_column(sa.ForeignKey("surveys.id"))
    customer_id: Mapped[int | None] = mapped_column(sa.ForeignKey("customers.id"), index=True)
    business_line_id: Mapped[int | None] = mapped_column(sa.ForeignKey("business_lines.id"))
    location_id: Mapped[int | None] = mapped_column(sa.ForeignKey("locations.id"))
    employee_key: Mapped[str] = mapped_column(sa.String(80), default="")
    touchpoint: Mapped[str] = mapped_column(sa.String(80), default="")

    scale: Mapped[Text40]
    given: Mapped[int] = mapped_column(sa.Integer)  # as the person gave it, on its own scale
    score: Mapped[float] = mapped_column(sa.Float)  # normalised to 0-10
    category: Mapped[Text40]  # by the brand's thresholds at the time of the answer
    comment: Mapped[str] = mapped_column(sa.Text, default="")
    locale: Mapped[str] = mapped_column(sa.String(8), default="en")
    answered_at: Mapped[Instant]
    received_at: Mapped[Instant] = mapped_column(default=clock.now)

    customer: Mapped[Customer | None] = relationship()
    business_line: Mapped[BusinessLine | None] = relationship()
    location: Mapped[Location | None] = relationship()

    @property
    def is_promoter(self) -> bool:
        """Promoters are asked to share; nobody else is."""
        return self.category == "promoter"


class ImportRun(Base):
    """One import of one file with one mapping. Resumable: `lines_done` is the cursor; rows are stored idempotently.

    States: uploaded -> checking -> checked (dry run) -> running -> done | failed. The command line begins at running.
    """

    __tablename__ = "import_runs"

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"), index=True)
    file_name: Mapped[Text200]
    file_sha256: Mapped[str] = mapped_column(sa.String(64))
    file_path: Mapped[str] = mapped_column(sa.Text)
    mapping: Mapped[dict[str, Any]]
    state: Mapped[Text40] = mapped_column(sa.String(40), default="checking")
    lines_total: Mapped[int] = mapped_column(default=0)
    lines_done: Mapped[int] = mapped_column(default=0)
    stored: Mapped[int] = mapped_column(default=0)
    versions: Mapped[int] = mapped_column(default=0)  # of those stored: edits of answers that were there
    known: Mapped[int] = mapped_column(default=0)
    rejected: Mapped[int] = mapped_column(default=0)
    # What the dry run found (importing.Report), and the reason why a run failed.
    report: Mapped[dict[str, Any]] = mapped_column(default=dict)
    reason: Mapped[str] = mapped_column(sa.Text, default="")
    started_by: Mapped[Text200] = mapped_column(sa.String(200), default="")
    created_at: Mapped[Instant] = mapped_column(default=clock.now)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ImportProblem(Base):
    """A row that was not taken: where, which column, which rule."""

    __tablename__ = "import_problems"
    __table_args__ = (sa.UniqueConstraint("run_id", "line", "column"),)

    id: Mapped[PrimaryKey]
    run_id: Mapped[int] = mapped_column(sa.ForeignKey("import_runs.id"))
    line: Mapped[int] = mapped_column()
    column: Mapped[Text200]
    rule: Mapped[Text80]
    message: Mapped[str] = mapped_column(sa.Text)
    value: Mapped[Text200]
