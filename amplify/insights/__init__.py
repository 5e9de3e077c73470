"""Insights: what campaigns brought, measured against the people that were kept back by chance."""
