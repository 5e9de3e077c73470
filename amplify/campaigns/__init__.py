"""Campaigns: what is shared and where it leads, whom a start rewards, and when. Lifecycle, audience, schedule."""
