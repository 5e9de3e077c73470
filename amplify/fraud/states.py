"""From a score to what follows: the brand's thresholds decide until a person has."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core import clock
from amplify.fraud.models import IN_FORCE, RiskAppeal, RiskCase, RiskDecision
from amplify.fraud.rules import REOPENS_AFTER

SYSTEM = "system"


def follow_thresholds(session: Session, case: RiskCase, brand: Brand) -> bool:
    """Let a case follow its score, unless a person decided it; whether other things are held now than before.

    What a person accepted comes back when the score has grown by REOPENS_AFTER; what they refused stays refused.
    """
    if case.decided_score is not None:
        if case.state == "refused" or case.score < case.decided_score + REOPENS_AFTER:
            return False
        case.decided_score = None
    wanted = _state_for(case.score, brand)
    before = case.state
    if wanted == before:
        return False
    case.state = wanted
    if wanted == "clear":
        close_appeals(session, case, "accepted")
    note(session, case, SYSTEM, "")
    return (before in IN_FORCE) != (wanted in IN_FORCE) or case.kind == "advocate"


def note(session: Session, case: RiskCase, actor: str, reason: str, *, state: str = "") -> RiskDecision:
    """Write down a decision: what the case is now, by whom, why, at which score."""
    session.flush()  # the case may be new
    decision = RiskDecision(
        brand_id=case.brand_id,
        case_id=case.id,
        at=clock.now(),
        state=state or case.state,
        actor=actor,
        reason=reason,
        score=case.score,
    )
    session.add(decision)
    session.flush()
    return decision


def close_appeals(session: Session, case: RiskCase, outcome: str) -> None:
    """Whatever waits for an answer in this case has it now."""
    waiting = sa.update(RiskAppeal).where(RiskAppeal.case_id == case.id, RiskAppeal.outcome == "open")
    session.execute(waiting.values(outcome=outcome, answered_at=clock.now()))


def last_decision(session: Session, case: RiskCase) -> RiskDecision | None:
    """The decision in force."""
    mine = sa.select(RiskDecision).where(RiskDecision.case_id == case.id, RiskDecision.state != "upheld")
    return session.scalars(mine.order_by(RiskDecision.id.desc()).limit(1)).first()


def _state_for(score: int, brand: Brand) -> str:
    if score >= brand.risk_refuse:
        return "refused"
    return "held" if score >= brand.risk_hold else "clear"
