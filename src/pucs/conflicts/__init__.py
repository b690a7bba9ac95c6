"""One record for every kind of conflict, from detection to decision (000 §4)."""
