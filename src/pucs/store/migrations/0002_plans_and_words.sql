-- Plans, words and limits: what agents intend, tell each other, hand over and are held to. Columns as in 0001.

-- Locks: named resources with limits.

-- Intents.

-- Messages and hand-offs.
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session TEXT NOT NULL,
    kind TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL,
    text TEXT NOT NULL,
    details TEXT NOT NULL,
    conflict INTEGER NOT NULL,
    about TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    expires_s REAL NOT NULL,
    sent_at TEXT NOT NULL,
    delivered_s REAL,
    delivered_at TEXT NOT NULL,
    deliveries INTEGER NOT NULL,
    ending TEXT,
    ended_at TEXT NOT NULL
);
CREATE INDEX messages_open ON messages (recipient, id) WHERE ending IS NULL;
CREATE INDEX messages_of_session ON messages (session, id);

-- Conflicts: deadlines; requests across boundaries and waivers.

-- Test runs and retention.
