"""What tests of PUCS, and of set-ups that use it, stand on: a fake clock, fake processes, scripted agents, a
scripted model server.

Product code never imports this room; ``pucs demo`` runs its scripted agent as a separate program.
"""
