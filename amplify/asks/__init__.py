"""Asking promoters to share: who may be asked, when and how, and what came of it."""
