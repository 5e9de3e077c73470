"""What the accounts floor puts into the console's menu and among its next steps."""

import sqlalchemy as sa
from flask import url_for
from sqlalchemy.orm import Session

from amplify.accounts import panels
from amplify.accounts.models import User
from amplify.accounts.panels import Step
from amplify.brands.models import Brand
from amplify.core import nav
from amplify.core.i18n import lazy_gettext as _l


def install() -> None:
    """Once, when the views are imported."""
    nav.add("accounts.home", _l("Overview"), "layout-dashboard", order=10)
    nav.add("accounts.settings", _l("Settings"), "settings", order=80, roles=("admin",))
    nav.add("channels.index", _l("Channels"), "bell", order=81, roles=("admin",))
    nav.add("accounts.people", _l("People"), "users", order=82, roles=("admin",))
    nav.add("accounts.keys", _l("Keys"), "key-round", order=84, roles=("admin",))
    nav.add("accounts.audit_log", _l("Audit log"), "history", order=86, roles=("admin",))
    panels.add_step("brand-hosts", 10, _allow_hosts)
    panels.add_step("brand-address", 20, _give_address)
    panels.add_step("team", 90, _invite_team)


def _allow_hosts(_session: Session, brand: Brand) -> Step | None:
    if brand.target_hosts:
        return None
    text = _l("Tracked links lead only to hosts you allow. Name your site before anybody shares it.")
    return Step(_l("Allow your own hosts"), text, url_for("accounts.settings"), _l("Open the settings"), "globe")


def _give_address(_session: Session, brand: Brand) -> Step | None:
    if brand.postal_address.strip():
        return None
    text = _l("Marketing mail has to say who sends it and where they can be reached.")
    return Step(_l("Give your postal address"), text, url_for("accounts.settings"), _l("Open the settings"), "mail")


def _invite_team(session: Session, brand: Brand) -> Step | None:
    if (session.scalar(sa.select(sa.func.count(User.id)).where(User.brand_id == brand.id)) or 0) > 1:
        return None
    text = _l("Marketers start campaigns, the brand team looks on. Each gets their own account.")
    return Step(_l("Invite your team"), text, url_for("accounts.people"), _l("Invite somebody"), "users")
