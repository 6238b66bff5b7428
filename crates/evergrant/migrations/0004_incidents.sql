-- One problem of an application as a whole, in one environment. The partial index decides who opens it.
CREATE TABLE incidents (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES environments (id),
    slug TEXT NOT NULL,
    reason TEXT NOT NULL,
    evidence TEXT NOT NULL,
    -- who saw it first: a connection's id, or `consent`
    witness TEXT NOT NULL,
    observations BIGINT NOT NULL,
    opened_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    -- when a second, independent witness saw it
    confirmed_at BIGINT,
    -- who first heard the provider say that the OAuth client is gone, and when that became a fact
    stated_by TEXT,
    deleted_at BIGINT,
    -- when the next refresh may find out whether it is over
    next_try_at BIGINT NOT NULL,
    closed_at BIGINT,
    closed_by TEXT,
    -- nobody had confirmed it when somebody else's refresh worked: its witness alone opens no other for a while
    refuted BIGINT NOT NULL
);
CREATE UNIQUE INDEX incidents_open ON incidents (tenant, slug) WHERE closed_at IS NULL;
CREATE INDEX incidents_of_tenant ON incidents (tenant, id);
CREATE INDEX incidents_lately_closed ON incidents (tenant, slug, closed_at) WHERE closed_at IS NOT NULL;
