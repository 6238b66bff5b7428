-- notices -----------------------------------------------------------------------------------------------------

-- Where an application's notices for an environment arrive; `id` is the last segment of the path.
CREATE TABLE notice_addresses (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES environments (id),
    slug TEXT NOT NULL,
    sealed_secret BYTEA,
    sealed_previous BYTEA,
    previous_until BIGINT,
    heard_at BIGINT,
    refused_at BIGINT,
    refused_for TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (tenant, slug)
);

-- Digests of notices that have counted: none counts twice while its signature would hold.
CREATE TABLE notices_heard (
    tenant TEXT NOT NULL,
    slug TEXT NOT NULL,
    digest TEXT NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (tenant, slug, digest)
);
CREATE INDEX notices_heard_by_end ON notices_heard (until);
