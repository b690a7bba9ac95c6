"""The hand that speaks git: the shared object store, agents' worktrees, and nothing else.

It promises that no git command waits for a person, inherits another repository from the environment, takes a name for
an option, or writes to a checkout that is not an agent's own. It decides nothing: which change may land, and where, is
for the verbs of the coordinator. It needs git 2.38, for `git merge-tree --write-tree`.
"""
