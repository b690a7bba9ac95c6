"""Words every other room speaks: resources, modes, ids, instants, processes and errors.

This room knows nobody. It holds values and predicates only: no clock, no disk, no network. Whatever needs one
of those receives the answer as an argument.
"""
