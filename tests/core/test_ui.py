"""The template helpers: links, icons, hashed files, and figures in the reader's language."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from flask import Flask
from markupsafe import Markup

from amplify.core import clock, paths, ui
from amplify.core.charts import Chart, Series
from amplify.core.i18n import babel, choose_language


@pytest.fixture
def shell() -> Flask:
    app = Flask("amplify", template_folder=str(paths.TEMPLATES), static_folder=str(paths.STATIC))
    babel.init_app(app, locale_selector=choose_language)
    ui.init_app(app)
    return app


@pytest.fixture
def english(shell: Flask) -> Iterator[None]:
    with shell.test_request_context("/console/campaigns?state=live&page=3&tag=a&tag=b"):
        yield


@pytest.fixture
def spanish(shell: Flask) -> Iterator[None]:
    with shell.test_request_context("/?lang=es"):
        yield


def test_a_file_asked_for_by_its_hash_may_be_kept_for_ever(shell: Flask) -> None:
    with shell.test_request_context():
        address = ui.asset("css/app.css")
    assert _kept(shell, address) == "public, max-age=31536000, immutable"
    assert _kept(shell, "/static/css/app.css?v=old") == "no-cache"
    assert _kept(shell, "/static/css/app.css") == "no-cache"
    assert "immutable" not in _kept(shell, "/static/css/none.css?v=1")


def _kept(shell: Flask, address: str) -> str:
    with shell.test_client().get(address) as response:
        return response.headers.get("Cache-Control", "")


def test_an_icon_is_decoration_unless_it_has_a_label(english: None) -> None:
    assert 'aria-hidden="true"' in ui.icon("share-2")
    assert 'role="img" aria-label="Share &lt;it&gt;"' in ui.icon("share-2", "Share <it>")
    with pytest.raises(LookupError, match="'unheard-of'"):
        ui.icon("unheard-of")


def test_changing_the_query_keeps_the_rest(english: None) -> None:
    assert ui.with_query(page=4) == "/console/campaigns?state=live&tag=a&tag=b&page=4"
    assert ui.with_query(page=None, state=None, tag=None) == "/console/campaigns"


def test_a_second_click_on_a_column_turns_the_order(english: None) -> None:
    assert "sort=-clicks" in ui.sort_link("clicks", "name")
    assert "sort=clicks" in ui.sort_link("clicks", "-clicks")
    assert "page" not in ui.sort_link("clicks", "")


def test_figures_are_written_the_english_way(english: None) -> None:
    assert ui.number(12345.6, 1) == "12,345.6"
    assert ui.percent(0.0484) == "4.8%"
    assert ui.rate(1, 3, 0) == "33%"
    assert ui.money(123456, "EUR") == "€1,234.56"
    assert ui.money(1234, "JPY") == "¥1,234"


def test_figures_are_written_the_spanish_way(spanish: None) -> None:
    assert ui.number(12345.6, 1) == "12.345,6"
    assert ui.percent(0.0484) == "4,8\u00a0%"
    assert ui.money(123456, "EUR") == "1.234,56\u00a0€"


def test_a_constant_in_a_template_is_written_anew_for_each_reader(shell: Flask) -> None:
    template = shell.jinja_env.from_string("{{ 1234|number }} {{ 150|money('EUR') }}")
    with shell.test_request_context("/?lang=en"):
        assert template.render() == "1,234 €1.50"
    with shell.test_request_context("/?lang=es"):
        assert template.render() == "1.234 1,50\u00a0€"


def test_what_was_not_measured_is_a_dash_and_not_a_zero(english: None) -> None:
    assert {ui.number(None), ui.percent(None), ui.rate(0, 0), ui.signed(None), ui.money(None, "EUR")} == {ui.NOTHING}
    assert {ui.day(None), ui.moment(None), ui.ago(None)} == {ui.NOTHING}
    assert ui.rate(0, 5) == "0.0%"


@pytest.mark.parametrize(("value", "text"), [(42, "+42"), (-7, "\u22127"), (0, "0"), (-0.2, "0")])
def test_a_score_carries_its_sign(english: None, value: float, text: str) -> None:
    assert ui.signed(value) == text


def test_moments_are_told_from_now(english: None) -> None:
    assert ui.ago(clock.now() - timedelta(hours=3)) == "3 hours ago"
    assert ui.ago(clock.now() + timedelta(days=2, minutes=1)) == "in 2 days"
    assert ui.ago(datetime(2001, 2, 3, tzinfo=UTC)) == "Feb 3, 2001"


def test_each_cell_is_told_its_column_for_the_phone(english: None) -> None:
    columns = [ui.col('A "name"'), ui.col("Clicks", numeric=True)]
    row = ui.label_cells(Markup('<th scope="row">x</th><td>1</td><td>extra</td>'), columns)
    assert row == (
        '<th data-label="A &#34;name&#34;" scope="row">x</th>'
        '<td data-label="Clicks" data-numeric="">1</td><td>extra</td>'
    )


def test_a_row_that_is_no_markup_is_text(english: None) -> None:
    assert ui.label_cells("<td>1</td>", [ui.col("A")]) == "&lt;td&gt;1&lt;/td&gt;"


def test_a_brands_stylesheet_is_named_by_its_accent() -> None:
    brand = SimpleNamespace(slug="aurora/../x", theme={"accent": "#0b6bcb"})
    assert ui.theme_href(brand) == "/brand/aurora%2F..%2Fx/theme.css?v=0b6bcb"
    assert ui.theme_href(SimpleNamespace(slug="plain", theme=None)) == ""
    assert ui.theme_href(None) == ""


def test_a_theme_cookie_that_says_something_else_says_nothing(shell: Flask) -> None:
    for cookie, theme in (("dark", "dark"), ("light", "light"), ('"><script>', "")):
        with shell.test_request_context(headers={"Cookie": f"theme={cookie}"}):
            assert ui.theme_choice() == theme


def test_a_chart_whose_figures_do_not_fit_its_categories_is_refused() -> None:
    with pytest.raises(ValueError, match="series 'a': 1 values, 2 categories"):
        Chart("bars", "t", "axis", ["x", "y"], [Series("a", [1])])
    with pytest.raises(ValueError, match="kind 'pie'"):
        Chart("pie", "t", "axis", [], [])  # type: ignore[arg-type]


def test_a_gap_in_a_chart_stays_a_gap(shell: Flask) -> None:
    figure = Chart("lines", "t", "Week", ["1", "2"], [Series("a", [None, 0.25])], unit="percent")
    assert figure.spec()["series"] == [{"name": "a", "values": [None, 0.25], "tone": ""}]
    with shell.test_request_context():
        page = shell.jinja_env.get_template("partials/_chart.html").module.chart(figure)  # type: ignore[attr-defined]
    assert f"<td data-numeric>{ui.NOTHING}</td>" in page
    assert "<td data-numeric>25.0%</td>" in page


def test_text_from_outside_cannot_leave_a_charts_json(shell: Flask) -> None:
    figure = Chart("bars", "</script><script>x", "axis", ["<b>"], [Series("a", [1])])
    with shell.test_request_context():
        page = shell.jinja_env.get_template("partials/_chart.html").module.chart(figure)  # type: ignore[attr-defined]
    assert "</script><script>x" not in page
    assert "<b>" not in page
