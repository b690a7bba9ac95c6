-- Plans, words and limits: what agents intend, tell each other, hand over and are held to. Columns as in 0001.
INSERT INTO counters VALUES ('intents', 0), ('partitions', 0), ('messages', 0), ('handoffs', 0), ('waivers', 0), ('test_runs', 0);

-- Locks: named resources with limits.
ALTER TABLE leases ADD COLUMN warned bigint NOT NULL DEFAULT 0;
-- Earlier requests that come after it, a JSON list.
ALTER TABLE requests ADD COLUMN passes text COLLATE "C" NOT NULL DEFAULT '[]';

-- Intents.
CREATE TABLE intents (
    id bigint PRIMARY KEY,
    session text COLLATE "C" NOT NULL,
    agent text COLLATE "C" NOT NULL,
    stream text COLLATE "C" NOT NULL,
    task text COLLATE "C" NOT NULL,
    planned text COLLATE "C" NOT NULL,
    description text COLLATE "C" NOT NULL,
    estimated_duration_s double precision NOT NULL,
    state text COLLATE "C" NOT NULL,
    boot_id text COLLATE "C" NOT NULL,
    declared_s double precision NOT NULL,
    expires_s double precision NOT NULL,
    declared_at text COLLATE "C" NOT NULL,
    expires_at text COLLATE "C" NOT NULL,
    contests text COLLATE "C" NOT NULL,
    ended_at text COLLATE "C" NOT NULL,
    why text COLLATE "C" NOT NULL
);
CREATE INDEX intents_open ON intents (session, id) WHERE state IN ('active', 'contested');
CREATE UNIQUE INDEX intents_open_of_agent ON intents (agent) WHERE state IN ('active', 'contested');
-- Of open intents only.
CREATE TABLE intent_resources (
    resource text COLLATE "C" NOT NULL,
    intent bigint NOT NULL,
    PRIMARY KEY (resource, intent)
);
CREATE INDEX resources_of_intent ON intent_resources (intent);
CREATE TABLE partitions (
    id bigint PRIMARY KEY,
    session text COLLATE "C" NOT NULL,
    file text COLLATE "C" NOT NULL,
    parties text COLLATE "C" NOT NULL,
    scopes text COLLATE "C" NOT NULL,
    waits text COLLATE "C" NOT NULL,
    accepted text COLLATE "C" NOT NULL,
    requests text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    boot_id text COLLATE "C" NOT NULL,
    deadline_s double precision NOT NULL,
    proposed_at text COLLATE "C" NOT NULL,
    deadline_at text COLLATE "C" NOT NULL,
    ended_at text COLLATE "C" NOT NULL,
    why text COLLATE "C" NOT NULL
);
CREATE INDEX partitions_of_session ON partitions (session, id);

-- Messages and hand-offs.
CREATE TABLE messages (
    id bigint PRIMARY KEY,
    session text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    sender text COLLATE "C" NOT NULL,
    recipient text COLLATE "C" NOT NULL,
    text text COLLATE "C" NOT NULL,
    details text COLLATE "C" NOT NULL,
    conflict bigint NOT NULL,
    about text COLLATE "C" NOT NULL,
    boot_id text COLLATE "C" NOT NULL,
    expires_s double precision NOT NULL,
    sent_at text COLLATE "C" NOT NULL,
    delivered_s double precision,
    delivered_at text COLLATE "C" NOT NULL,
    deliveries bigint NOT NULL,
    ending text COLLATE "C",
    ended_at text COLLATE "C" NOT NULL
);
CREATE INDEX messages_open ON messages (recipient, id) WHERE ending IS NULL;
CREATE INDEX messages_of_session ON messages (session, id);
CREATE TABLE handoffs (
    id bigint PRIMARY KEY,
    session text COLLATE "C" NOT NULL,
    giver text COLLATE "C" NOT NULL,
    receivers text COLLATE "C" NOT NULL,
    stream text COLLATE "C" NOT NULL,
    task text COLLATE "C" NOT NULL,
    signal text COLLATE "C" NOT NULL,
    contents text COLLATE "C" NOT NULL,
    transfer bigint NOT NULL,
    state text COLLATE "C" NOT NULL,
    accepted_by text COLLATE "C" NOT NULL,
    taken_by text COLLATE "C" NOT NULL,
    given_at text COLLATE "C" NOT NULL,
    closed_at text COLLATE "C" NOT NULL
);
CREATE INDEX handoffs_of_session ON handoffs (session, id);
CREATE INDEX handoffs_open ON handoffs (giver) WHERE state = 'open';
ALTER TABLE agents ADD COLUMN halt text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE agents ADD COLUMN halted_by text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE agents ADD COLUMN halted_because text COLLATE "C" NOT NULL DEFAULT '';
-- A request of a paused agent keeps its place and is passed over.
ALTER TABLE requests ADD COLUMN paused bigint NOT NULL DEFAULT 0;

-- Conflicts: deadlines; requests across boundaries and waivers.
ALTER TABLE conflicts ADD COLUMN decided_by text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE conflicts ADD COLUMN deadline_s double precision;
ALTER TABLE conflicts ADD COLUMN boot_id text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE conflicts ADD COLUMN deadline_at text COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX conflicts_open ON conflicts (session, id) WHERE status = 'open';
CREATE TABLE waivers (
    id bigint PRIMARY KEY,
    session text COLLATE "C" NOT NULL,
    resource text COLLATE "C" NOT NULL,
    covered_by text COLLATE "C" NOT NULL,
    agent text COLLATE "C" NOT NULL,
    stream text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    asked_by text COLLATE "C" NOT NULL,
    asked_at text COLLATE "C" NOT NULL,
    decided_by text COLLATE "C" NOT NULL,
    decided_at text COLLATE "C" NOT NULL,
    expires_s double precision NOT NULL,
    boot_id text COLLATE "C" NOT NULL,
    expires_at text COLLATE "C" NOT NULL,
    conflict bigint NOT NULL
);
CREATE INDEX waivers_of_session ON waivers (session, id);

-- Test runs and retention.
CREATE TABLE test_runs (
    id bigint PRIMARY KEY,
    session text COLLATE "C" NOT NULL,
    stream text COLLATE "C" NOT NULL,
    agent text COLLATE "C" NOT NULL,
    task text COLLATE "C" NOT NULL,
    "commit" text COLLATE "C" NOT NULL,
    tree text COLLATE "C" NOT NULL,
    command text COLLATE "C" NOT NULL,
    result text COLLATE "C" NOT NULL,
    status bigint,
    duration_s double precision NOT NULL,
    output text COLLATE "C" NOT NULL,
    at text COLLATE "C" NOT NULL
);
CREATE INDEX test_runs_of_stream ON test_runs (session, lower(stream), id);
CREATE INDEX test_runs_of_tree ON test_runs (session, tree, id);
-- Rare actions below the indexed levels that patterns are told from.
CREATE INDEX entries_noted ON entries (action, seq) WHERE action IN ('lease expired', 'lease lapsed', 'lease reclaimed', 'lock claimed', 'lock wait timed out');
