"""Part of the corner shop."""
