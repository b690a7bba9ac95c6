"""Intents: what agents plan to change, told before they begin; an intent holds nothing (000 §3.4; DESIGN §2).

Says how long an intent counts, whom it meets and what to do about it, and how two agents can divide one module. It
never takes a lease, and it knows neither clock nor store.
"""
