"""The cross-log: one entry for every state change, in the transaction that made it (000 §3.5)."""
