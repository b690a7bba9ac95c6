"""Leases: who may change what, for how long, and who comes next.

Pure rules over frozen records (DESIGN §3.1 to §3.4): whether a set can be granted, whom it waits for, which waiters a
release serves, how long a lease may live and whether a commit made under it may still land. The room reads no clock
and no disk; a coordinator verb hands in the rows of one transaction and writes back what is decided.
"""
