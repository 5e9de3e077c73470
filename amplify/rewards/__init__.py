"""Rewards: what a campaign gives, its codes and its budget, and the ledger of pushes: exactly one per advocate."""
