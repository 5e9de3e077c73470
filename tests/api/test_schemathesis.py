"""Schemathesis reads the OpenAPI document and tries to break what it describes: no input makes a server error."""

import pytest
import schemathesis
from apiflask import APIFlask
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from amplify.accounts.api_keys import SCOPES
from amplify.core.db import db
from tests.world import a_brand, a_key

EXAMPLES = 40
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]


@pytest.fixture
def key(app: APIFlask) -> dict[str, str]:
    """A key that may do everything, so that nothing is turned away before its input is read."""
    with app.app_context():
        header = a_key(db.session, a_brand(db.session), *SCOPES)
        db.session.commit()
    return header


@pytest.mark.parametrize("mode", [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE])
def test_no_input_breaks_the_api(app: APIFlask, key: dict[str, str], mode: schemathesis.GenerationMode) -> None:
    """Its own plug-in for pytest is left out: it needs internals that pytest 9 no longer has."""
    document = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    seen: set[int] = set()
    for operation in (found.ok() for found in document.get_all_operations() if isinstance(found, Ok)):

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case: schemathesis.Case) -> None:
            seen.add(case.call_and_validate(headers=key, checks=CHECKS).status_code)

        check()
    # Whoever is never let in has tried nothing. (Negative cases leave out the key, too.)
    assert seen & ({200, 201} if mode.is_positive else {400, 422})
