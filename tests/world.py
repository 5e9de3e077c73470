"""Short ways to the rows that tests begin with: a brand, its staff, its keys."""

from typing import Any

from sqlalchemy.orm import Session

from amplify.accounts.models import User
from amplify.accounts.services import create_api_key, create_user
from amplify.brands.models import Brand
from amplify.brands.services import create_brand

PASSWORD = "correct horse battery"


def a_brand(session: Session, slug: str = "acme", **more: Any) -> Brand:
    """A brand whose links may lead to shop.example, and that is awake all night: tests run at any hour."""
    made = create_brand(session, slug=slug, name=slug.capitalize(), target_hosts=["shop.example"])
    for name, value in ({"quiet_from_hour": 0, "quiet_until_hour": 0} | more).items():
        setattr(made, name, value)
    session.flush()
    return made


def a_user(session: Session, brand: Brand, role: str = "admin", email: str | None = None) -> User:
    """A member of the brand's staff, with PASSWORD."""
    address = email or f"{role}@{brand.slug}.example"
    return create_user(session, brand, email=address, role=role, password=PASSWORD)


def a_key(session: Session, brand: Brand, *scopes: str) -> dict[str, str]:
    """The header of a new API key with these scopes."""
    _row, key = create_api_key(session, brand.id, name="test", scopes=list(scopes), actor="system")
    return {"Authorization": f"Bearer {key}"}
