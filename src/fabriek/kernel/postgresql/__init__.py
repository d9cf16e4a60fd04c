"""PostgreSQL as Django knows it, without a question before each call: see `base`."""
