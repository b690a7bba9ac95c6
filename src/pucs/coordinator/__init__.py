"""The verbs: one function for each thing PUCS can do, one store transaction each.

A verb reads rows, lets a pure rule decide, writes rows and the entry of the cross-log in the same transaction, and
rings the bells of waiters after the commit. Verbs that move git refs are an intention transaction, a compare-and-swap of
the ref and a closing transaction (DESIGN §3.6); an intention that a dead process left behind is completed or undone by
the next verb that touches its resources. The room reaches disk, git, clocks and processes only through ``ports``.
"""
