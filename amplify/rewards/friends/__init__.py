"""The other side of a campaign: the friend who came through an advocate's link, and gets a reward too."""
