"""Agents: who works, in which state of the lifecycle, and under which enforcement (000 §6.1)."""
