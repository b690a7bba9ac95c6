"""Three-way merge of one file's versions, beyond what git's line merge can do (REQUIREMENTS B3, DESIGN §6).

Promises: no line that a side added and no deletion is lost without a named rule; what cannot be proved stays a conflict;
the same versions give the same result. It never looks at a repository and never runs anything.
"""
