"""Staff and machines that may act for a brand: users, roles, API keys, signing keys, and the audit log."""
