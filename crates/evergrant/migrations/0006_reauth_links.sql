-- Links that a team can put into an e-mail. A link belongs to one break of one connection (`since` is the flag's) and ends
-- with it. `break_of` names the break whose own link it is: the one in events and errors, of which there is one at a time.
-- Only that one is ever handed out again, so only that one has a sealed copy.

CREATE TABLE reauth_links (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES environments (id),
    connection TEXT NOT NULL,
    since BIGINT NOT NULL,
    break_of BIGINT,
    hash TEXT NOT NULL UNIQUE,
    sealed_value BYTEA,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    UNIQUE (tenant, connection, break_of)
);
CREATE INDEX reauth_links_by_end ON reauth_links (expires_at);
