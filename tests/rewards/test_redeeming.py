"""Codes that come back in a file: each is redeemed once, whatever the other lines hold."""

import io

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from amplify.accounts.models import AuditEntry
from amplify.brands.models import Brand
from amplify.campaigns import services as campaigns
from amplify.campaigns.models import Campaign
from amplify.core.errors import Malformed
from amplify.rewards.redeeming import redeem_codes
from tests.client import Client
from tests.rewards.making import START, make_advocates, make_rewarded, pushes_of
from tests.world import a_brand, a_user


@pytest.fixture
def campaign(session: Session, brand: Brand) -> Campaign:
    make_advocates(session, brand, 4)
    campaign = make_rewarded(session, brand)
    campaigns.start_due(session, START)
    return campaign


def codes(session: Session, campaign: Campaign) -> list[str]:
    return [str(push.code) for push in pushes_of(session, campaign)]


def test_each_code_of_a_file_is_redeemed_once_and_the_same_file_again_changes_nothing(
    session: Session, brand: Brand, campaign: Campaign
) -> None:
    first, second, *_rest = codes(session, campaign)
    lines = ["code,till\n", f"{first},1\n", "\n", f" {second} ,2\n", f"{first},3\n"]
    done = redeem_codes(session, brand.id, lines, "user:1")
    assert (done.now, done.before, done.refused) == (2, 1, 0)
    when = [push.redeemed_at for push in pushes_of(session, campaign)]
    again = redeem_codes(session, brand.id, lines, "user:1")
    assert (again.now, again.before, again.refused) == (0, 3, 0)
    assert [push.redeemed_at for push in pushes_of(session, campaign)] == when
    counted = sa.select(sa.func.count()).where(AuditEntry.action == "push.redeemed")
    assert session.scalar(counted) == 2


def test_a_line_that_is_refused_says_why_and_the_others_are_redeemed(
    session: Session, brand: Brand, campaign: Campaign
) -> None:
    first, second, *_rest = codes(session, campaign)
    pushes_of(session, campaign)[1].state = "cancelled"
    session.flush()
    done = redeem_codes(session, brand.id, ["NOBODYS\n", f"{second}\n", f"{first}\n"], "user:1")
    assert (done.now, done.before, done.refused) == (1, 0, 2)
    assert [(p.line, p.rule, p.value) for p in done.problems] == [
        (1, "code-unknown", "NOBODYS"),
        (2, "code-cancelled", second),
    ]


def test_a_code_of_another_brand_is_unknown(session: Session, campaign: Campaign) -> None:
    done = redeem_codes(session, a_brand(session, "other").id, codes(session, campaign), "user:9")
    assert (done.now, done.refused, {p.rule for p in done.problems}) == (0, 4, {"code-unknown"})


def test_a_file_that_is_no_csv_is_refused_with_its_line(session: Session, brand: Brand) -> None:
    with pytest.raises(Malformed) as refused:
        redeem_codes(session, brand.id, io.TextIOWrapper(io.BytesIO(b"A\n\xff\n"), encoding="utf-8"), "user:1")
    assert refused.value.rule == "csv"


def test_staff_upload_a_file_and_the_results_count_it(
    session: Session, brand: Brand, campaign: Campaign, client: Client
) -> None:
    client.sign_in(a_user(session, brand, "marketer"))
    first, second, *_rest = codes(session, campaign)
    assert "Many codes at once" in client.get("/console/redemptions").text
    upload = FileStorage(io.BytesIO(f"code\n{first}\n{second}\nNOBODYS\n".encode()), "till.csv")
    boundary, body = encode_multipart({"csrf_token": client.csrf_token(), "file": upload})
    kind = f'multipart/form-data; boundary="{boundary}"'
    page = client.post("/console/redemptions/file", data=body, content_type=kind)
    assert page.status_code == 200
    assert "Nobody was given this code." in page.text
    assert "NOBODYS" in page.text
    assert [push.state for push in pushes_of(session, campaign)] == ["redeemed", "redeemed", "earned", "earned"]
    results = client.get(f"/console/campaigns/{campaign.id}/results").text
    assert "Redeemed" in results
    missing = client.post_form("/console/redemptions/file")
    assert missing.status_code == 422
