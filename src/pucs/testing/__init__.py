"""What tests of PUCS, and of set-ups that use it, stand on: fake clock and processes, scripted agents, a scripted model.

Product code never imports this room; ``pucs demo`` runs its scripted agent as a separate program.
"""
