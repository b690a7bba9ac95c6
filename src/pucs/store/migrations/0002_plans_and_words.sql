-- Plans, words and limits: what agents intend, tell each other, hand over and are held to. Columns as in 0001.

-- Locks: named resources with limits.

-- Intents.

-- Messages and hand-offs.

-- Conflicts: deadlines; requests across boundaries and waivers.

-- Test runs and retention.
