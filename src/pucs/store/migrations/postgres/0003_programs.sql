-- Agent programs: their conversations, what they have read, and how they prove who they are. Columns as in 0001.

-- Who is who: conversations of agent programs, and the digest of an agent's secret (empty: it has none).
CREATE TABLE conversations (
    program text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    session text COLLATE "C" NOT NULL,
    agent text COLLATE "C" NOT NULL,
    place text COLLATE "C" NOT NULL,
    refusals bigint NOT NULL DEFAULT 0,
    denied text COLLATE "C" NOT NULL DEFAULT '',
    briefings bigint NOT NULL DEFAULT 0,
    begun_at text COLLATE "C" NOT NULL,
    PRIMARY KEY (program, id, session)
);
CREATE INDEX conversations_of_agent ON conversations (agent);
CREATE TABLE secrets (agent text COLLATE "C" PRIMARY KEY, digest text COLLATE "C" NOT NULL);

-- What an agent saw when it read a file last (empty: it has not), and the token of the lease under which its worktree was
-- found to contain everything that landed on the file.
CREATE TABLE sights (
    agent text COLLATE "C" NOT NULL,
    path text COLLATE "C" NOT NULL,
    digest text COLLATE "C" NOT NULL DEFAULT '',
    token bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (agent, path)
);

-- What agents were refused that nobody could resume: each is told once when it is free.
CREATE TABLE refusals (
    agent text COLLATE "C" NOT NULL,
    resource text COLLATE "C" NOT NULL,
    PRIMARY KEY (agent, resource)
);

-- Time a waiter has to claim its grant; 0: as configured.
ALTER TABLE requests ADD COLUMN claim_s double precision NOT NULL DEFAULT 0;
