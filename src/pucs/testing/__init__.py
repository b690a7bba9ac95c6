"""What tests of PUCS, and of set-ups that use it, stand on: a fake clock, fake processes, a scripted agent.

Product code never imports this room; ``pucs demo`` runs its scripted agent as a separate program.
"""
