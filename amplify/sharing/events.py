"""Facts about shares that other floors react to."""

from dataclasses import dataclass

from amplify.sharing.models import Advocate, Share, ShareLink


@dataclass(frozen=True)
class SharePageShown:
    """An advocate looked at their share page, which follows from this answer (if any)."""

    advocate: Advocate
    response_id: int | None


@dataclass(frozen=True)
class ShareOpened:
    """A channel was opened with a link: an intent, not yet a share."""

    share: Share
    link: ShareLink


@dataclass(frozen=True)
class ShareConfirmed:
    """The first human click after a share was opened: the share really happened."""

    share: Share
    link: ShareLink


@dataclass(frozen=True)
class ShareUnconfirmed:
    """The click that had confirmed a share was no person's after all: the share is only opened again."""

    share: Share
    link: ShareLink
