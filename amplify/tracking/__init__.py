"""Tracked links: the redirect, raw clicks as facts, verdicts derived from them, conversions and their attribution."""
