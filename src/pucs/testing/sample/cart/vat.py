"""Value added tax."""

RATE_PERCENT = 7
