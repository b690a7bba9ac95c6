-- Agent programs: their conversations, what they have read, and how they prove who they are. Columns as in 0001.

-- Who is who: conversations of agent programs, and the digest of an agent's secret (empty: it has none).
CREATE TABLE conversations (
    program TEXT NOT NULL,
    id TEXT NOT NULL,
    session TEXT NOT NULL,
    agent TEXT NOT NULL,
    place TEXT NOT NULL,
    refusals INTEGER NOT NULL DEFAULT 0,
    denied TEXT NOT NULL DEFAULT '',
    briefings INTEGER NOT NULL DEFAULT 0,
    begun_at TEXT NOT NULL,
    PRIMARY KEY (program, id, session)
) WITHOUT ROWID;
CREATE INDEX conversations_of_agent ON conversations (agent);
CREATE TABLE secrets (agent TEXT PRIMARY KEY, digest TEXT NOT NULL) WITHOUT ROWID;

-- What an agent saw when it read a file last (empty: it has not), and the token of the lease under which its worktree was
-- found to contain everything that landed on the file.
CREATE TABLE sights (
    agent TEXT NOT NULL,
    path TEXT NOT NULL,
    digest TEXT NOT NULL DEFAULT '',
    token INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (agent, path)
) WITHOUT ROWID;

-- What agents were refused that nobody could resume: each is told once when it is free.
CREATE TABLE refusals (
    agent TEXT NOT NULL,
    resource TEXT NOT NULL,
    PRIMARY KEY (agent, resource)
) WITHOUT ROWID;

-- Time a waiter has to claim its grant; 0: as configured.
ALTER TABLE requests ADD COLUMN claim_s REAL NOT NULL DEFAULT 0;
