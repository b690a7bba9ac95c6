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
ALTER TABLE agents ADD COLUMN halt TEXT NOT NULL DEFAULT '';
ALTER TABLE agents ADD COLUMN halted_by TEXT NOT NULL DEFAULT '';
ALTER TABLE agents ADD COLUMN halted_because TEXT NOT NULL DEFAULT '';
-- A request of a paused agent keeps its place and is passed over.
ALTER TABLE requests ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;

-- Conflicts: deadlines; requests across boundaries and waivers.
ALTER TABLE conflicts ADD COLUMN decided_by TEXT NOT NULL DEFAULT '';
ALTER TABLE conflicts ADD COLUMN deadline_s REAL;
ALTER TABLE conflicts ADD COLUMN boot_id TEXT NOT NULL DEFAULT '';
ALTER TABLE conflicts ADD COLUMN deadline_at TEXT NOT NULL DEFAULT '';
CREATE INDEX conflicts_open ON conflicts (session, id) WHERE status = 'open';
CREATE TABLE waivers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session TEXT NOT NULL,
    resource TEXT NOT NULL,
    covered_by TEXT NOT NULL,
    agent TEXT NOT NULL,
    stream TEXT NOT NULL,
    reason TEXT NOT NULL,
    state TEXT NOT NULL,
    asked_by TEXT NOT NULL,
    asked_at TEXT NOT NULL,
    decided_by TEXT NOT NULL,
    decided_at TEXT NOT NULL,
    expires_s REAL NOT NULL,
    boot_id TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    conflict INTEGER NOT NULL
);
CREATE INDEX waivers_of_session ON waivers (session, id);

-- Test runs and retention.
CREATE TABLE test_runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session TEXT NOT NULL,
    stream TEXT NOT NULL COLLATE NOCASE,
    agent TEXT NOT NULL,
    task TEXT NOT NULL,
    "commit" TEXT NOT NULL,
    tree TEXT NOT NULL,
    command TEXT NOT NULL,
    result TEXT NOT NULL,
    status INTEGER,
    duration_s REAL NOT NULL,
    output TEXT NOT NULL,
    at TEXT NOT NULL
);
CREATE INDEX test_runs_of_stream ON test_runs (session, stream, id);
CREATE INDEX test_runs_of_tree ON test_runs (session, tree, id);
-- Rare actions below the indexed levels that patterns are told from.
CREATE INDEX entries_noted ON entries (action, seq) WHERE action IN ('lease expired', 'lease lapsed', 'lease reclaimed', 'lock claimed', 'lock wait timed out');
