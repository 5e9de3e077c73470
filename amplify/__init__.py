"""Amplify: turns happy customers into a brand's best marketing."""

__version__ = "0.1.0"
