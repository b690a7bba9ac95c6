-- The first schema. Times ending in _s are boot seconds, those ending in _at are wall time for people.
-- JSON columns hold what is only read whole. Live and ended leases have partial indexes of their own, so that a search for
-- live ones can never choose a way through the history.

PRAGMA application_id = 1347765075; -- "PUCS": told apart from any other program's database

CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
-- 'revision' grows with every change of sessions, streams and configuration: what was decoded under it is still true.
INSERT INTO counters VALUES ('epoch', 0), ('revision', 0), ('token', 0);

CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE sessions (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    base TEXT NOT NULL,
    target TEXT NOT NULL,
    branch TEXT NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT NOT NULL
);

CREATE TABLE streams (
    session TEXT NOT NULL,
    position INTEGER NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    branch TEXT NOT NULL,
    state TEXT NOT NULL,
    definition TEXT NOT NULL,
    PRIMARY KEY (session, name)
) WITHOUT ROWID;

CREATE TABLE agents (
    id TEXT PRIMARY KEY,
    session TEXT NOT NULL,
    incarnation INTEGER NOT NULL,
    stream TEXT NOT NULL,
    phase TEXT NOT NULL,
    program TEXT NOT NULL,
    worktree TEXT NOT NULL,
    branch TEXT NOT NULL,
    owner TEXT,
    enforcement TEXT NOT NULL,
    heartbeat_s REAL NOT NULL,
    boot_id TEXT NOT NULL,
    registered_at TEXT NOT NULL,
    task TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX agents_of_session ON agents (session, id);

CREATE TABLE leases (
    token INTEGER PRIMARY KEY,
    resource TEXT NOT NULL,
    mode TEXT NOT NULL,
    agent TEXT NOT NULL,
    stream TEXT NOT NULL,
    task TEXT NOT NULL,
    session TEXT NOT NULL,
    state TEXT NOT NULL,
    request INTEGER NOT NULL,
    boot_id TEXT NOT NULL,
    granted_s REAL NOT NULL,
    expires_s REAL NOT NULL,
    limit_s REAL NOT NULL,
    claim_by_s REAL,
    granted_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    noted TEXT NOT NULL,
    landing INTEGER,
    owner TEXT,
    ended_s REAL,
    end_reason TEXT
);
CREATE INDEX leases_live ON leases (resource) WHERE state <> 'ended';
CREATE INDEX leases_live_of_agent ON leases (agent) WHERE state <> 'ended';
CREATE INDEX leases_of_request ON leases (request) WHERE state = 'reserved';
CREATE INDEX leases_history ON leases (resource, token, agent) WHERE state = 'ended';

CREATE TABLE requests (
    id INTEGER PRIMARY KEY,
    agent TEXT NOT NULL,
    stream TEXT NOT NULL,
    task TEXT NOT NULL,
    session TEXT NOT NULL,
    resources TEXT NOT NULL,
    duration_s REAL NOT NULL,
    boot_id TEXT NOT NULL,
    asked_s REAL NOT NULL,
    deadline_s REAL NOT NULL,
    waiter TEXT,
    bell TEXT NOT NULL
);
CREATE TABLE request_resources (
    resource TEXT NOT NULL,
    request INTEGER NOT NULL,
    PRIMARY KEY (resource, request)
) WITHOUT ROWID;
CREATE INDEX resources_of_request ON request_resources (request);

CREATE TABLE entries (
    seq INTEGER PRIMARY KEY,
    timestamp TEXT NOT NULL,
    session TEXT NOT NULL,
    agent TEXT NOT NULL,
    stream TEXT NOT NULL COLLATE NOCASE,
    level TEXT NOT NULL,
    action TEXT NOT NULL,
    files TEXT NOT NULL,
    details TEXT NOT NULL
);
CREATE INDEX entries_of_stream ON entries (stream, seq);
CREATE INDEX entries_of_agent ON entries (agent, seq);
CREATE INDEX entries_by_time ON entries (timestamp);
CREATE INDEX entries_by_level ON entries (level, seq) WHERE level IN ('CONFLICT', 'ERROR', 'CHANGE');
CREATE TABLE entry_files (
    file TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (file, seq)
) WITHOUT ROWID;

CREATE TABLE conflicts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session TEXT NOT NULL,
    kind TEXT NOT NULL,
    severity TEXT NOT NULL,
    status TEXT NOT NULL,
    parties TEXT NOT NULL,
    resources TEXT NOT NULL,
    strategy TEXT,
    decision TEXT NOT NULL,
    evidence TEXT NOT NULL,
    opened_at TEXT NOT NULL,
    resolved_at TEXT NOT NULL
);
CREATE INDEX conflicts_of_session ON conflicts (session, id);

CREATE TABLE tasks (
    session TEXT NOT NULL,
    id TEXT NOT NULL,
    position INTEGER NOT NULL,
    state TEXT NOT NULL,
    stream TEXT NOT NULL COLLATE NOCASE,
    record TEXT NOT NULL,
    PRIMARY KEY (session, id)
) WITHOUT ROWID;

CREATE TABLE landings (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session TEXT NOT NULL,
    stream TEXT NOT NULL COLLATE NOCASE,
    agent TEXT NOT NULL,
    task TEXT NOT NULL,
    "commit" TEXT NOT NULL,
    before TEXT NOT NULL,
    paths TEXT NOT NULL,
    landed_at TEXT NOT NULL
);
CREATE INDEX landings_of_stream ON landings (session, stream, id);
-- The newest landing of each stream on each path; all paths of a landing stand in its own row.
CREATE TABLE landing_paths (
    session TEXT NOT NULL,
    resource TEXT NOT NULL,
    stream TEXT NOT NULL COLLATE NOCASE,
    landing INTEGER NOT NULL,
    PRIMARY KEY (session, resource, stream)
) WITHOUT ROWID;

CREATE TABLE intentions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    verb TEXT NOT NULL,
    session TEXT NOT NULL,
    agent TEXT NOT NULL,
    owner TEXT NOT NULL,
    ref TEXT NOT NULL,
    old TEXT NOT NULL,
    new TEXT NOT NULL,
    payload TEXT NOT NULL,
    begun_at TEXT NOT NULL
);
