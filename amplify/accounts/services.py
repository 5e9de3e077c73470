"""Staff: who works for a brand, in which role. What changes somebody's rights signs them out everywhere."""

import uuid

import sqlalchemy as sa
from email_validator import EmailNotValidError, validate_email
from sqlalchemy.orm import Session

from amplify.accounts import audit, sessions
from amplify.accounts.api_keys import create_api_key
from amplify.accounts.models import Role, User
from amplify.accounts.passwords import MIN_LENGTH, hashed
from amplify.accounts.signing import create_signing_key, rotate_signing_key, verify_signed
from amplify.brands.models import Brand
from amplify.core.bulk import insert_ignore
from amplify.core.errors import Conflict, Forbidden, Invalid, NotFound
from amplify.core.i18n import best_language
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.security import ROLES

__all__ = [
    "change_role",
    "create_api_key",
    "create_signing_key",
    "create_user",
    "deactivate",
    "rotate_signing_key",
    "staff_member",
    "verify_signed",
]


def create_user(
    session: Session,
    brand: Brand,
    *,
    email: str,
    role: str,
    password: str | None = None,
    name: str = "",
    locale: str | None = None,
    actor: str = "system",
) -> User:
    """A new member of a brand's staff. Without a password they set one by the reset mail.

    Raises Invalid (email, role, password) or Conflict when the address has an account.
    """
    email = _checked_email(email)
    if password is not None and len(password) < MIN_LENGTH:
        message = _l("A password has at least %(number)s characters.", number=MIN_LENGTH)
        raise Invalid("password", "min-length", message)
    if session.scalar(sa.select(User.id).where(User.email == email)):
        raise Conflict(_l("This address already has an account."), field="email", rule="unique")
    user = User(
        brand_id=brand.id,
        brand=brand,
        email=email,
        name=name.strip()[:200],
        password=hashed(password) if password is not None else None,
        fs_uniquifier=uuid.uuid4().hex,
        locale=best_language(locale or brand.default_locale),
        roles=[_role(session, role)],
    )
    session.add(user)
    session.flush()
    audit.record(session, brand.id, actor, "user.created", "user", user.id, {"role": role})
    return user


def _checked_email(email: str) -> str:
    try:
        return validate_email(email, check_deliverability=False, test_environment=True).normalized.lower()
    except EmailNotValidError:
        raise Invalid("email", "email", _l("This is not an e-mail address.")) from None


def _role(session: Session, name: str) -> Role:
    if name not in ROLES:
        raise Invalid("role", "role", _l("There is no such role."))
    insert_ignore(session, Role, [{"name": name, "description": ""}])
    return session.scalars(sa.select(Role).where(Role.name == name)).one()


def staff_member(session: Session, brand_id: int, user_id: int) -> User:
    """One of this brand's staff. Raises NotFound, also for another brand's."""
    user = session.scalar(sa.select(User).where(User.brand_id == brand_id, User.id == user_id))
    if not user:
        raise NotFound(_l("There is no such person."))
    return user


def acting(session: Session, brand_id: int, email: str, *roles: str) -> User:
    """Who acts on the command line: a member of the staff who may sign in and has one of these roles.

    Raises NotFound, Forbidden("role").
    """
    user = session.scalar(sa.select(User).where(User.brand_id == brand_id, User.email == email.strip().lower()))
    if user is None or not user.active:
        raise NotFound(_l("There is no such person."), field="as", rule="unknown-person")
    if not user.role_names & set(roles):
        raise Forbidden(_l("This role may not do that."), field="as", rule="role")
    return user


def change_role(session: Session, user: User, role: str, actor: str) -> User:
    """Another role from now on; they sign in again. Raises Conflict for the last admin."""
    if role != "admin":
        _keep_an_admin(session, user)
    before = sorted(user.role_names)
    user.roles = [_role(session, role)]
    _sign_out(session, user)
    detail = {"before": before, "after": [role]}
    audit.record(session, user.brand_id, actor, "user.role-changed", "user", user.id, detail)
    return user


def deactivate(session: Session, user: User, actor: str) -> User:
    """They can no longer sign in. Raises Conflict for the last admin."""
    _keep_an_admin(session, user)
    user.active = False
    _sign_out(session, user)
    audit.record(session, user.brand_id, actor, "user.deactivated", "user", user.id)
    return user


def reactivate(session: Session, user: User, actor: str) -> User:
    """They may sign in again."""
    user.active = True
    audit.record(session, user.brand_id, actor, "user.reactivated", "user", user.id)
    return user


def _sign_out(session: Session, user: User) -> None:
    user.fs_uniquifier = uuid.uuid4().hex
    sessions.end_all(session, user)


def _keep_an_admin(session: Session, user: User) -> None:
    """A brand nobody can administer would be locked for good."""
    others = (
        sa.select(sa.func.count(User.id))
        .join(User.roles)
        .where(User.brand_id == user.brand_id, User.id != user.id, User.active, Role.name == "admin")
    )
    if "admin" in user.role_names and not session.scalar(others):
        raise Conflict(_l("A brand keeps at least one admin."), field="role", rule="last-admin")
