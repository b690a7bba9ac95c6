-- Plans, words and limits: what agents intend, tell each other, hand over and are held to. Columns as in 0001.

-- Locks: named resources with limits.
ALTER TABLE leases ADD COLUMN warned INTEGER NOT NULL DEFAULT 0;
-- Earlier requests that come after it, a JSON list.
ALTER TABLE requests ADD COLUMN passes TEXT NOT NULL DEFAULT '[]';

-- Intents.
CREATE TABLE intents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session TEXT NOT NULL,
    agent TEXT NOT NULL,
    stream TEXT NOT NULL COLLATE NOCASE,
    task TEXT NOT NULL,
    planned TEXT NOT NULL,
    description TEXT NOT NULL,
    estimated_duration_s REAL NOT NULL,
    state TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    declared_s REAL NOT NULL,
    expires_s REAL NOT NULL,
    declared_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    contests TEXT NOT NULL,
    ended_at TEXT NOT NULL,
    why TEXT NOT NULL
);
CREATE INDEX intents_open ON intents (session, id) WHERE state IN ('active', 'contested');
CREATE UNIQUE INDEX intents_open_of_agent ON intents (agent) WHERE state IN ('active', 'contested');
-- Of open intents only.
CREATE TABLE intent_resources (
    resource TEXT NOT NULL,
    intent INTEGER NOT NULL,
    PRIMARY KEY (resource, intent)
) WITHOUT ROWID;
CREATE INDEX resources_of_intent ON intent_resources (intent);
CREATE TABLE partitions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session TEXT NOT NULL,
    file TEXT NOT NULL,
    parties TEXT NOT NULL,
    scopes TEXT NOT NULL,
    waits TEXT NOT NULL,
    accepted TEXT NOT NULL,
    requests TEXT NOT NULL,
    state TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    deadline_s REAL NOT NULL,
    proposed_at TEXT NOT NULL,
    deadline_at TEXT NOT NULL,
    ended_at TEXT NOT NULL,
    why TEXT NOT NULL
);
CREATE INDEX partitions_of_session ON partitions (session, id);

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
CREATE TABLE handoffs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session TEXT NOT NULL,
    giver TEXT NOT NULL,
    receivers TEXT NOT NULL,
    stream TEXT NOT NULL COLLATE NOCASE,
    task TEXT NOT NULL,
    signal TEXT NOT NULL,
    contents TEXT NOT NULL,
    transfer INTEGER NOT NULL,
    state TEXT NOT NULL,
    accepted_by TEXT NOT NULL,
    taken_by TEXT NOT NULL,
    given_at TEXT NOT NULL,
    closed_at TEXT NOT NULL
);
CREATE INDEX handoffs_of_session ON handoffs (session, id);
CREATE INDEX handoffs_open ON handoffs (giver) WHERE state = 'open';
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
