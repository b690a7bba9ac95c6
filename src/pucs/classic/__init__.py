"""Every class and function name of the first three designs (000, 001, 002), as thin views over the same verbs.

A view keeps the name, the arguments and the result that its design documents; what is decided and recorded is what every
other door decides and records. Where a design had a fault, the view has the repaired behaviour: docs/reference/classic.md
names each one. Nothing here is loaded before its name is used.
"""
