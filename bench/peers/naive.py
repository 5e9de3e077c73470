"""What a tutorial would give: a Flask view, SQLAlchemy, a commit for each click. NAIVE_DATABASE names its file."""

import os
import re
import uuid
from datetime import UTC, datetime

import sqlalchemy as sa
from flask import Flask, Response, abort, redirect, request
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from werkzeug.wrappers import Response as Answer

CRAWLER = re.compile(r"bot|crawl|spider|facebookexternalhit|preview", re.IGNORECASE)

app = Flask("naive")
engine = sa.create_engine(f"sqlite:///{os.environ['NAIVE_DATABASE']}", connect_args={"timeout": 30})


class Base(DeclarativeBase):
    """Its tables."""


class Link(Base):
    """A short code and where it leads."""

    __tablename__ = "links"
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    url: Mapped[str]


class Click(Base):
    """A click."""

    __tablename__ = "clicks"
    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[uuid.UUID] = mapped_column(unique=True)
    link_id: Mapped[int] = mapped_column(sa.ForeignKey("links.id"), index=True)
    at: Mapped[datetime]
    user_agent: Mapped[str]
    is_crawler: Mapped[bool]


@sa.event.listens_for(engine, "connect")
def _pragmas(connection: sa.engine.interfaces.DBAPIConnection, _record: object) -> None:
    connection.cursor().execute("PRAGMA journal_mode=WAL")
    connection.cursor().execute("PRAGMA synchronous=FULL")


Base.metadata.create_all(engine)
with Session(engine) as _session:
    if not _session.scalar(sa.select(Link)):
        _session.add(Link(code="hot", url="http://localhost/"))
        _session.commit()


@app.get("/s/<code>")
def follow(code: str) -> Answer | Response:
    """Find, store, redirect."""
    with Session(engine) as session:
        link = session.scalar(sa.select(Link).where(Link.code == code))
        if link is None:
            abort(404)
        agent = request.headers.get("User-Agent", "")
        click = Click(
            token=uuid.uuid4(), link_id=link.id, at=datetime.now(UTC), user_agent=agent,
            is_crawler=bool(CRAWLER.search(agent)),
        )  # fmt: skip
        session.add(click)
        session.commit()
        return redirect(f"{link.url}?click={click.token}")
