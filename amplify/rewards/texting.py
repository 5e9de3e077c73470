"""What the text messages of a start come to: how many parts each takes in each language, and what they cost."""

from dataclasses import dataclass

from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.delivery.models import Message
from amplify.delivery.render import SMS, render
from amplify.delivery.segments import Size, measure
from amplify.rewards import mail
from amplify.rewards.dry_run import DryRun
from amplify.rewards.models import Reward


@dataclass(frozen=True)
class Texts:
    """Per language how many people, and the size of one message to them, as the words are now."""

    sizes: dict[str, tuple[int, Size]]
    thousand_minor: int

    @property
    def segments(self) -> int:
        """Parts of all messages together."""
        return sum(people * size.segments for people, size in self.sizes.values())

    @property
    def cost_minor(self) -> int | None:
        """What the brand says that they cost, in its minor units, rounded up; None: it has not said."""
        return -(-self.segments * self.thousand_minor // 1000) if self.thousand_minor else None


def texts(brand: Brand, campaign: Campaign, reward: Reward, run: DryRun) -> Texts | None:
    """Of this dry run; None if no text message leaves. Needs an application context."""
    if not run.by_sms:
        return None
    facts = mail.Facts(brand, campaign, reward, run.chosen)
    sizes = {locale: (people, _size(brand, facts, locale)) for locale, people in sorted(run.by_sms.items())}
    return Texts(sizes, brand.sms_thousand_minor)


def _size(brand: Brand, facts: mail.Facts, locale: str) -> Size:
    """With a code as long as the real ones; the word that it is a test is not in those."""
    context = facts.test(locale) | {"is_test": False}
    sample = Message(brand_id=brand.id, channel=SMS, template=mail.TEMPLATE, locale=locale, context=context)
    sample.is_marketing = False
    return measure(render(sample, brand).short)
