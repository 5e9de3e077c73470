"""Advocates and their shares: the share page, one tracked link per channel, texts that stay the customer's own."""
