"""Texts shown later are still only texts."""

from apiflask import APIFlask
from flask import render_template_string

from amplify.core.errors import Invalid
from amplify.core.i18n import lazy_gettext


def test_a_placeholder_of_a_lazy_text_is_escaped(app: APIFlask) -> None:
    message = lazy_gettext("There is no %(what)s here.", what="<script>alert(1)</script>")
    with app.test_request_context("/"):
        shown = render_template_string("{{ error.message }}", error=Invalid("x", "rule", message))
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
