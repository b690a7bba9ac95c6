"""Where the truth is kept: one SQLite file behind a kernel gate (DESIGN §4).

The room implements ``coordinator.ports.Store``. It promises that a transaction is seen whole or not at all, that one
writer works at a time, that fencing tokens grow over crashes, restores and power loss, and that a store which is corrupt,
newer or not writable is reported and left as it is. It decides nothing: rules live in the rule rooms.
"""
