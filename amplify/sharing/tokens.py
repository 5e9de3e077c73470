"""The personal link to the share page: who, after which answer, for which campaign. It expires and can be revoked."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from amplify.campaigns.models import Campaign
from amplify.core.errors import Gone, NotFound
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.tokens import Signer
from amplify.sharing.models import Advocate
from amplify.surveys.models import Response

# The purpose that signs these tokens: `amplify().signer(PURPOSE)`. The ask and the advocate's board take them too.
PURPOSE = "share"
# The advocate's own browser, so that their own clicks on their link are told from friends' clicks.
ME_PURPOSE = "me"
ME_COOKIE = "amplify_me"


@dataclass(frozen=True)
class Visit:
    """What a valid token says."""

    advocate: Advocate
    campaign: Campaign
    response: Response | None


def share_page_token(signer: Signer, advocate: Advocate, response_id: int | None, campaign_id: int) -> str:
    """A token for /share/<token>, /ask/<token> and /board/<token>. `signer` is of PURPOSE."""
    return signer.sign([advocate.id, advocate.token_epoch, response_id, campaign_id])


def read_token(session: Session, signer: Signer, token: str, *, max_age_days: float | None = None) -> Visit:
    """Who comes with this token. Raises NotFound (forged), Gone (expired, revoked, or the person was erased)."""
    advocate_id, epoch, response_id, campaign_id = signer.read(token, max_age_days=max_age_days)
    advocate, campaign = session.get(Advocate, advocate_id), session.get(Campaign, campaign_id)
    if advocate is None or campaign is None or campaign.brand_id != advocate.brand_id:
        raise NotFound(_l("This link is not valid."), rule="link-unknown")
    if epoch != advocate.token_epoch:
        raise Gone(_l("This link has expired."), rule="link-revoked")
    response = session.get(Response, response_id) if response_id else None
    return Visit(advocate, campaign, response)


def me_token(signer: Signer, advocate: Advocate) -> str:
    """The value of the ME_COOKIE. `signer` is of ME_PURPOSE."""
    return signer.sign(advocate.id)


def read_me(signer: Signer, value: str | None) -> int | None:
    """The advocate id in a ME_COOKIE, or None: a cookie that is not ours says nothing and hurts nobody."""
    if not value:
        return None
    try:
        found = signer.read(value)
    except NotFound:
        return None
    return found if isinstance(found, int) else None
