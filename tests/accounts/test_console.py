"""The console's own pages: people, keys, the audit log, settings."""

import csv
import io

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.accounts import audit, services, signing
from amplify.accounts.models import ApiKey, AuditEntry, SigningKey, User
from amplify.brands.models import Brand
from amplify.core.errors import Invalid
from tests.client import Client
from tests.world import a_brand, a_key, a_user


@pytest.fixture
def brand(session: Session) -> Brand:
    return a_brand(session)


@pytest.fixture
def admin(session: Session, brand: Brand, client: Client) -> User:
    user = a_user(session, brand)
    client.sign_in(user)
    return user


@pytest.fixture
def other(session: Session) -> Brand:
    """Somebody else's brand."""
    return a_brand(session, "other")


def actions(session: Session, brand: Brand) -> list[str]:
    mine = sa.select(AuditEntry.action).where(AuditEntry.brand_id == brand.id).order_by(AuditEntry.id)
    return list(session.scalars(mine))


@pytest.mark.usefixtures("admin")
class TestHome:
    def test_it_says_what_is_left_to_do(self, session: Session, brand: Brand, client: Client) -> None:
        assert "Give your postal address" in client.get("/console").text
        brand.postal_address = "Main Street 1"
        a_user(session, brand, "marketer")
        page = client.get("/console").text
        assert "Everything is set up" in page

    def test_the_menu_shows_only_what_the_role_may_open(self, session: Session, brand: Brand, client: Client) -> None:
        assert 'href="/console/keys"' in client.get("/console").text
        client.sign_in(a_user(session, brand, "brand"))
        assert 'href="/console/keys"' not in client.get("/console").text


@pytest.mark.usefixtures("admin")
class TestKeys:
    def test_a_key_is_shown_once_and_works_until_it_is_revoked(
        self, session: Session, brand: Brand, client: Client
    ) -> None:
        form = {"name": "Shop", "scopes": ["responses:read", "responses:write"], "days": "30"}
        page = client.post_form("/console/keys/api", form).text
        row = session.scalars(sa.select(ApiKey)).one()
        secret = page.split(f"{row.prefix}.")[1].split("<")[0]
        assert row.scopes == ["responses:read", "responses:write"]
        assert row.expires_at is not None
        assert secret not in client.get("/console/keys").text
        assert client.post_form(f"/console/keys/api/{row.id}/revoke").status_code == 303
        session.refresh(row)
        assert row.revoked_at is not None
        assert actions(session, brand)[-2:] == ["api-key.created", "api-key.revoked"]

    @pytest.mark.parametrize(
        "form",
        [
            {"name": "", "scopes": ["responses:read"]},
            {"name": "Shop"},
            {"name": "Shop", "scopes": ["everything"]},
            {"name": "Shop", "scopes": ["responses:read"], "days": "0"},
            {"name": "Shop", "scopes": ["responses:read"], "days": "9" * 30},
            {"name": "x" * 201, "scopes": ["responses:read"]},
        ],
    )
    def test_a_key_that_makes_no_sense_is_refused(self, session: Session, client: Client, form: dict[str, str]) -> None:
        assert client.post_form("/console/keys/api", form).status_code == 422
        assert session.scalars(sa.select(ApiKey)).all() == []

    def test_a_signing_key_is_made_rotated_and_switched_off(self, session: Session, client: Client) -> None:
        first = client.post_form("/console/keys/signing", {"label_text": "Shop", "key": "shop"}).text
        assert "whsec_" in first
        again = client.post_form("/console/keys/signing", {"label_text": "Shop", "key": "shop"})
        assert again.status_code == 409
        assert "There is a key of this name already." in again.text
        assert "whsec_" in client.post_form("/console/keys/signing/shop/secret").text
        assert client.post_form("/console/keys/signing/shop/disable").status_code == 303
        assert session.scalars(sa.select(SigningKey)).one().disabled_at is not None
        assert "whsec_" not in client.get("/console/keys").text

    def test_another_brands_keys_do_not_exist(self, session: Session, other: Brand, client: Client) -> None:
        a_key(session, other, "responses:read")
        theirs = session.scalars(sa.select(ApiKey)).one()
        signing.create_signing_key(session, other, key="theirs", name="", secret_key="x", actor="system")
        assert client.post_form(f"/console/keys/api/{theirs.id}/revoke").status_code == 404
        assert client.post_form("/console/keys/signing/theirs/disable").status_code == 404
        assert client.post_form("/console/keys/signing/theirs/secret").status_code == 404
        assert theirs.prefix not in client.get("/console/keys").text


class TestPeople:
    def test_a_role_changes_and_the_log_says_who_did_it(
        self, session: Session, brand: Brand, client: Client, admin: User
    ) -> None:
        mia = a_user(session, brand, "marketer")
        assert client.post_form(f"/console/people/{mia.id}/role", {"role": "brand"}).status_code == 303
        session.refresh(mia)
        assert mia.role_names == {"brand"}
        entry = session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert entry is not None
        assert (entry.actor, entry.action) == (f"user:{admin.id}", "user.role-changed")
        assert entry.detail == {"before": ["marketer"], "after": ["brand"]}

    def test_the_last_admin_stays_admin(self, client: Client, admin: User) -> None:
        assert client.post_form(f"/console/people/{admin.id}/role", {"role": "brand"}).status_code == 409
        assert client.post_form(f"/console/people/{admin.id}/deactivate").status_code == 409
        assert client.get("/console/people").status_code == 200

    @pytest.mark.usefixtures("admin")
    @pytest.mark.parametrize("role", ["", "root", "Admin"])
    def test_an_unknown_role_is_refused(self, session: Session, brand: Brand, client: Client, role: str) -> None:
        mia = a_user(session, brand, "marketer")
        assert client.post_form(f"/console/people/{mia.id}/role", {"role": role}).status_code == 422
        assert client.post_form("/console/people", {"email": "x@acme.example", "role": role}).status_code == 422

    @pytest.mark.usefixtures("admin")
    @pytest.mark.parametrize("email", ["", "nobody", "a@b@c.example", "a\r\nBcc: x@b.example", "x" * 400 + "@a.test"])
    def test_an_address_that_is_none_is_refused(self, session: Session, client: Client, email: str) -> None:
        assert client.post_form("/console/people", {"email": email, "role": "brand", "locale": "en"}).status_code == 422
        assert len(session.scalars(sa.select(User)).all()) == 1

    @pytest.mark.usefixtures("admin")
    def test_an_address_that_has_an_account_is_refused(self, session: Session, other: Brand, client: Client) -> None:
        a_user(session, other, email="bob@other.example")
        answer = client.post_form("/console/people", {"email": "Bob@other.example", "role": "brand", "locale": "en"})
        assert answer.status_code == 409

    @pytest.mark.usefixtures("admin")
    def test_somebody_locked_out_can_be_let_in_again(self, session: Session, brand: Brand, client: Client) -> None:
        mia = a_user(session, brand, "marketer")
        client.post_form(f"/console/people/{mia.id}/deactivate")
        session.refresh(mia)
        assert not mia.active
        client.post_form(f"/console/people/{mia.id}/reactivate")
        session.refresh(mia)
        assert mia.active

    @pytest.mark.usefixtures("admin")
    def test_another_brands_people_do_not_exist(self, session: Session, other: Brand, client: Client) -> None:
        bob = a_user(session, other)
        for verb in ("role", "deactivate", "reactivate"):
            assert client.post_form(f"/console/people/{bob.id}/{verb}", {"role": "brand"}).status_code == 404
        assert bob.email not in client.get("/console/people").text

    def test_a_password_of_the_command_line_has_twelve_characters(self, session: Session, brand: Brand) -> None:
        with pytest.raises(Invalid):
            services.create_user(session, brand, email="x@acme.example", role="admin", password="short")


@pytest.mark.usefixtures("admin")
class TestAuditLog:
    def test_the_newest_entry_stands_first_and_pages_end(self, session: Session, brand: Brand, client: Client) -> None:
        for number in range(120):
            audit.record(session, brand.id, "system", f"thing.done-{number}", "thing", number)
        first = client.get("/console/audit").text
        assert first.index("thing.done-119") < first.index("thing.done-118")
        assert "thing.done-0<" in client.get("/console/audit?page=3").text
        for odd in ("0", "-1", "99999999999999999999", "x", "²", "99"):
            assert client.get("/console/audit", query_string={"page": odd}).status_code == 200

    def test_no_cell_of_the_download_is_a_formula(self, session: Session, brand: Brand, client: Client) -> None:
        for start in "=+-@\t\r":
            audit.record(session, brand.id, f"{start}1+1", "thing.done", "thing", f"{start}cmd")
        answer = client.get("/console/audit.csv")
        rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
        assert rows[0][:3] == ["at", "actor", "action"]
        assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]

    def test_another_brands_entries_are_not_in_it(self, session: Session, other: Brand, client: Client) -> None:
        audit.record(session, other.id, "system", "their.secret", "thing", 1)
        assert "their.secret" not in client.get("/console/audit").text
        assert "their.secret" not in client.get("/console/audit.csv").text


@pytest.mark.usefixtures("admin")
class TestSettings:
    def form(self, **changes: str) -> dict[str, str]:
        return {
            "name": "Acme", "default_locale": "en", "timezone": "Europe/Madrid", "accent": "#0b6bcb",
            "target_hosts": "shop.example\nwww.shop.example", "postal_address": "Main Street 1",
            "promoter_min": "9", "detractor_max": "6.5", "ask_every_days": "30", "declined_rest_days": "180",
            "risk_hold": "40", "risk_refuse": "80",
            "suggestions_es": "Me gustó.\n\nVolveré.",
            **changes,
        }  # fmt: skip

    def test_what_is_saved_is_shown_again_and_logged(self, session: Session, brand: Brand, client: Client) -> None:
        assert client.post_form("/console/settings", self.form()).status_code == 303
        session.refresh(brand)
        assert brand.target_hosts == ["shop.example", "www.shop.example"]
        assert brand.detractor_max == 6.5
        assert brand.suggestions["es"] == ["Me gustó.", "Volveré."]
        assert "www.shop.example" in client.get("/console/settings").text
        assert actions(session, brand)[-1] == "brand.policy-changed"

    def test_clicks_are_kept_for_a_time_or_for_ever(self, session: Session, brand: Brand, client: Client) -> None:
        kept = []
        for days in ("90", ""):
            assert client.post_form("/console/settings", self.form(keep_clicks_days=days)).status_code == 303
            session.refresh(brand)
            kept.append(brand.keep_clicks_days)
        assert kept == [90, None]

    def test_saving_without_a_change_logs_nothing(self, session: Session, brand: Brand, client: Client) -> None:
        client.post_form("/console/settings", self.form())
        before = actions(session, brand)
        client.post_form("/console/settings", self.form())
        assert actions(session, brand) == before

    @pytest.mark.parametrize(
        ("field", "value", "says"),
        [
            ("accent", "red", "six hexadecimal digits"),
            ("target_hosts", "https://shop.example", "Write host names only"),
            ("promoter_min", "6", "Promoters begin above"),
            ("timezone", "Madrid", "not a time zone"),
            ("promoter_min", "NaN", "between 0 and 10"),
            ("promoter_min", "Infinity", "between 0 and 10"),
            ("ask_every_days", "9" * 40, "between 1 and 3650"),
            ("logo_url", "javascript:alert(1)", "begins with https://"),
            ("name", "", "Please fill this in."),
            ("keep_clicks_days", "0", "Between 1 and 3650 days."),
            ("keep_clicks_days", "89", "An order may follow a click after 90 days"),
        ],
    )
    def test_a_mistake_is_shown_at_its_field_and_nothing_is_saved(
        self, session: Session, brand: Brand, client: Client, field: str, value: str, says: str
    ) -> None:
        answer = client.post_form("/console/settings", self.form(**{"name": "Changed", field: value}))
        assert answer.status_code == 422
        assert says in answer.text
        session.refresh(brand)
        assert brand.name == "Acme"
