"""Programs that agents are, and the processes they run in.

This hand knows what lives, what has died and what is left of it: process identities, bells that wake waiting
processes, the keeper that anchors an agent's whole process tree, and the supervisor behind ``pucs run``. It never
opens the store and never runs git; whatever a session has to remember goes through the coordinator's verbs.
"""
