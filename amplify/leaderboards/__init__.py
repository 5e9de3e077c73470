"""Points as an append-only ledger, standings kept from it, boards, snapshots, and the answer to "why"."""
