"""The console's form about the always-on campaign; the launched ones have theirs where their rewards are."""

from typing import Any

from wtforms import HiddenField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.campaigns.schemas import AlwaysOnIn, read
from amplify.core.errors import AmplifyError
from amplify.core.forms import Form
from amplify.core.i18n import LANGUAGES
from amplify.core.i18n import lazy_gettext as _l

TEXTS = ("headline", "share_text")


def _headline() -> Any:
    return StringField(_l("Headline"), [Length(max=120)])


def _share_text() -> Any:
    return TextAreaField(_l("Suggested text"), [Length(max=500)], description=_l("People edit it freely."))


class AlwaysOnForm(Form):
    """Where its links lead, and its words in each language."""

    version = HiddenField()
    landing_url = StringField(
        _l("Where links lead"),
        [InputRequired(_l("Please fill this in.")), Length(max=2000)],
        render_kw={"type": "url", "inputmode": "url"},
        description=_l("A page of yours; never a review site."),
    )
    headline_en, headline_es = _headline(), _headline()
    share_text_en, share_text_es = _share_text(), _share_text()

    def always_on_in(self) -> AlwaysOnIn:
        """What the service takes. Raises Invalid."""
        texts = {code: {name: self[f"{name}_{code}"].data or "" for name in TEXTS} for code in LANGUAGES}
        made: AlwaysOnIn = read(AlwaysOnIn, {"landing_url": self.landing_url.data, "texts": texts})
        return made

    @property
    def seen(self) -> int:
        """The version that was looked at; 0: there was none."""
        return int(said) if (said := self.version.data or "").isdecimal() and len(said) < 10 else 0


def show(form: AlwaysOnForm, refused: AmplifyError) -> None:
    """A refusal at the field it is about, else above the form."""
    first, code, name = [*(refused.field or "").split("."), "", ""][:3]
    field, said = f"{name}_{code}" if first == "texts" else first, str(refused.message)
    if field in form and field != "version":
        form[field].errors = [*form[field].errors, said]
    else:
        form.form_errors = [*form.form_errors, said]


def values_of(brand: Brand, campaign: Campaign | None) -> dict[str, Any]:
    """What the form shows before it is changed."""
    if campaign is None:
        return {"version": 0, "landing_url": f"https://{brand.target_hosts[0]}/" if brand.target_hosts else ""}
    texts = {f"{name}_{code}": campaign.texts.get(code, {}).get(name, "") for name in TEXTS for code in LANGUAGES}
    return {"version": campaign.version, "landing_url": campaign.landing_url, **texts}
