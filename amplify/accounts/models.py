"""Staff, their roles, the keys of machines, and who did what."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask_security.core import RoleMixin, UserMixin
from sqlalchemy.orm import Mapped, mapped_column, relationship

from amplify.brands.models import Brand
from amplify.core import clock
from amplify.core.db import Base, Instant, PrimaryKey, Text40, Text80, Text200, UtcDateTime

user_roles = sa.Table(
    "user_roles",
    Base.metadata,
    sa.Column("user_id", sa.ForeignKey("users.id"), primary_key=True),
    sa.Column("role_id", sa.ForeignKey("roles.id"), primary_key=True),
)


class Role(Base, RoleMixin):
    """admin, marketer or brand (see core.security.ROLES)."""

    __tablename__ = "roles"

    id: Mapped[PrimaryKey]
    name: Mapped[str] = mapped_column(sa.String(80), unique=True)
    description: Mapped[str] = mapped_column(sa.Text, default="")


class User(Base, UserMixin):
    """A member of one brand's staff. Columns as Flask-Security wants them."""

    __tablename__ = "users"

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"), index=True)
    email: Mapped[str] = mapped_column(sa.String(320), unique=True)
    name: Mapped[Text200] = mapped_column(sa.String(200), default="")
    password: Mapped[str | None] = mapped_column(sa.String(255))
    active: Mapped[bool] = mapped_column(default=True)
    fs_uniquifier: Mapped[str] = mapped_column(sa.String(64), unique=True)
    locale: Mapped[str] = mapped_column(sa.String(8), default="en")
    tf_primary_method: Mapped[str | None] = mapped_column(sa.String(64))
    tf_totp_secret: Mapped[str | None] = mapped_column(sa.String(255))
    signed_in_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[Instant] = mapped_column(default=clock.now)

    # Flask-Security types the list by its mixin; the rows are Role.
    roles: Mapped[list[RoleMixin]] = relationship("Role", secondary=user_roles, lazy="selectin")
    brand: Mapped[Brand] = relationship(lazy="joined")

    @property
    def role_names(self) -> set[str]:
        """The names of the roles, read from the database for every request."""
        return {role.name for role in self.roles}


class StaffSession(Base):
    """One sign-in of one person in one browser. The cookie carries its secret; the row's end is the cookie's."""

    __tablename__ = "staff_sessions"

    id: Mapped[PrimaryKey]
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"), index=True)
    secret_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    began_at: Mapped[Instant] = mapped_column(default=clock.now)
    expires_at: Mapped[Instant]
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ApiKey(Base):
    """A machine's key: `<prefix>.<secret>`; the secret's SHA-256 is kept, the key is shown once."""

    __tablename__ = "api_keys"

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"), index=True)
    name: Mapped[Text200]
    prefix: Mapped[str] = mapped_column(sa.String(16), unique=True)
    secret_hash: Mapped[str] = mapped_column(sa.String(64))
    # e.g. ["responses:write", "leaderboards:read"]
    scopes: Mapped[list[str]] = mapped_column(default=list)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[Instant] = mapped_column(default=clock.now)

    brand: Mapped[Brand] = relationship(lazy="joined")


class SigningKey(Base):
    """A Standard Webhooks secret of one sender; sealed, since verifying needs it back. Rotation keeps the last one."""

    __tablename__ = "signing_keys"
    __table_args__ = (sa.UniqueConstraint("brand_id", "key"),)

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    # The public name in the address: /in/<brand>/<key>/...
    key: Mapped[Text80]
    name: Mapped[Text200]
    sealed_secret: Mapped[str] = mapped_column(sa.Text)
    sealed_previous: Mapped[str | None] = mapped_column(sa.Text)
    created_at: Mapped[Instant] = mapped_column(default=clock.now)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class AuditEntry(Base):
    """Who did what to what, when. Append only."""

    __tablename__ = "audit_entries"
    __table_args__ = (sa.Index("ix_audit_entries_brand_at", "brand_id", "at"),)

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    at: Mapped[Instant] = mapped_column(default=clock.now)
    # "user:7", "key:abc", "signed:shop", "system"
    actor: Mapped[Text200]
    # Past tense, e.g. "campaign.scheduled", "response.conflicted"
    action: Mapped[Text80]
    subject_kind: Mapped[Text40]
    subject_id: Mapped[Text80]
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
