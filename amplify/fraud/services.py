"""Decisions of people: one case or many by threshold, what the person says against it, and the answer to that."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.accounts import audit
from amplify.core.errors import Invalid, NotFound
from amplify.core.events import publish
from amplify.core.i18n import lazy_gettext as _l
from amplify.fraud.events import HoldsChanged
from amplify.fraud.models import IN_FORCE, RiskAppeal, RiskCase, RiskDecision
from amplify.fraud.objections import held, known, said, unknown_appeal
from amplify.fraud.states import close_appeals, last_decision, note

VERDICTS = ("accepted", "refused")


@dataclass(frozen=True)
class Bulk:
    """What a decision by threshold would decide: how many it accepts, refuses, and leaves to look at."""

    accepted: int
    refused: int
    left: int


def case_of(session: Session, brand_id: int, case_id: int) -> RiskCase:
    """The case, held until the end: two people must not both decide it. Raises NotFound."""
    return held(session, RiskCase, brand_id, case_id, _unknown())


def decide(session: Session, case: RiskCase, verdict: str, *, actor: str, reason: str) -> RiskDecision:
    """A person decides: "accepted" lets everything count, "refused" lets nothing. The last decision is in force.

    Raises Invalid naming verdict or reason.
    """
    if verdict not in VERDICTS:
        raise Invalid("verdict", "verdict", _l("A case is accepted or refused."))
    decision = _decide(session, case, verdict, actor, said("reason", reason))
    publish(session, HoldsChanged({case.advocate_id}))
    return decision


def bulk(session: Session, brand_id: int, *, accept_below: int, refuse_above: int) -> Bulk:
    """How many open cases a decision by these thresholds would decide. Raises Invalid("refuse_above")."""
    scores = [case.score for case in _open_cases(session, brand_id, accept_below, refuse_above)]
    accepted = sum(score < accept_below for score in scores)
    refused = sum(score > refuse_above for score in scores)
    return Bulk(accepted, refused, len(scores) - accepted - refused)


def decide_many(
    session: Session, brand_id: int, *, accept_below: int, refuse_above: int, actor: str, reason: str
) -> Bulk:
    """Accept every open case with a score below the one, refuse every one above the other; the rest stays open."""
    text = said("reason", reason)
    cases = _open_cases(session, brand_id, accept_below, refuse_above)
    chosen = {"accepted": [c for c in cases if c.score < accept_below]}
    chosen["refused"] = [c for c in cases if c.score > refuse_above]
    for verdict, found in chosen.items():
        for case in found:
            _decide(session, case, verdict, actor, text)
    advocates = {case.advocate_id for found in chosen.values() for case in found}
    if advocates:
        publish(session, HoldsChanged(advocates))
    accepted, refused = len(chosen["accepted"]), len(chosen["refused"])
    return Bulk(accepted, refused, len(cases) - accepted - refused)


def appeal(session: Session, advocate_id: int, case_id: int, text: str) -> RiskAppeal:
    """What the person says against the decision in force: once for each decision.

    Raises NotFound (not theirs, or nothing is held), Invalid("text"), Conflict("appealed").
    """
    mine = RiskCase.id == case_id, RiskCase.advocate_id == advocate_id, RiskCase.state.in_(IN_FORCE)
    case = session.scalar(sa.select(RiskCase).where(*mine).with_for_update())
    decision = last_decision(session, case) if case is not None else None
    if case is None or decision is None:
        raise _unknown()
    words = said("text", text)
    told = RiskAppeal.decision_id == decision.id
    waits = sa.and_(RiskAppeal.case_id == case.id, RiskAppeal.outcome == "open")
    if session.scalar(sa.select(RiskAppeal.id).where(sa.or_(told, waits)).limit(1)) is not None:
        raise known()
    made = RiskAppeal(brand_id=case.brand_id, case_id=case.id, decision_id=decision.id, text=words)
    session.add(made)
    session.flush()
    return made


def appeal_of(session: Session, brand_id: int, appeal_id: int) -> RiskAppeal:
    """The appeal, held until the end. Raises NotFound."""
    return held(session, RiskAppeal, brand_id, appeal_id, unknown_appeal())


def answer_appeal(session: Session, found: RiskAppeal, *, is_accepted: bool, actor: str, reason: str) -> None:
    """Staff agree (the case is accepted) or not (it stays as it is, and that is a decision of its own).

    Raises Conflict("answered"), Invalid("reason").
    """
    words = said("reason", reason)
    case = case_of(session, found.brand_id, found.case_id)
    found.answer(is_accepted=is_accepted)
    if is_accepted:
        decide(session, case, "accepted", actor=actor, reason=words)
    else:
        note(session, case, actor, words, state="upheld")
        _log(session, case, "upheld", actor, words)


def _decide(session: Session, case: RiskCase, verdict: str, actor: str, reason: str) -> RiskDecision:
    case.state, case.decided_score = verdict, case.score
    close_appeals(session, case, "accepted" if verdict == "accepted" else "rejected")
    decision = note(session, case, actor, reason)
    _log(session, case, verdict, actor, reason)
    return decision


def _log(session: Session, case: RiskCase, verdict: str, actor: str, reason: str) -> None:
    detail = {"subject": case.subject, "score": case.score, "reason": reason}
    audit.record(session, case.brand_id, actor, f"risk.{verdict}", "risk_case", case.id, detail)


def _open_cases(session: Session, brand_id: int, accept_below: int, refuse_above: int) -> list[RiskCase]:
    if refuse_above < accept_below:
        message = _l("What is refused has a higher score than what is accepted.")
        raise Invalid("refuse_above", "below-accepted", message)
    is_open = RiskCase.state.in_(IN_FORCE), RiskCase.decided_score.is_(None)
    mine = sa.select(RiskCase).where(RiskCase.brand_id == brand_id, *is_open)
    return list(session.scalars(mine.order_by(RiskCase.id).with_for_update()))


def _unknown() -> NotFound:
    return NotFound(_l("There is no such case."), field="case", rule="case-unknown")
