"""Tasks, their prerequisites, and which one an agent takes next."""
