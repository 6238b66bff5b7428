-- The provider's own id of the account that a connection belongs to, as in `identifier`: notices name it, a reconnect is
-- compared with it. Erased with the identifier.
ALTER TABLE connections ADD COLUMN external_id TEXT;
CREATE INDEX connections_of_external ON connections (tenant, slug, external_id) WHERE external_id IS NOT NULL;

-- Whether a customer may knowingly replace the account of a connection: refuse, or ask.
ALTER TABLE environments ADD COLUMN account_switch TEXT NOT NULL DEFAULT 'refuse';

-- Credentials of another account than expected, that wait for their customer's decision: one use, in one browser.
CREATE TABLE account_switches (
    token_hash TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    account TEXT NOT NULL REFERENCES linked_accounts (id) ON DELETE CASCADE,
    slug TEXT NOT NULL,
    auth_type TEXT NOT NULL,
    -- the connection, and its last consent when the decision was asked for
    connection TEXT NOT NULL,
    connected_at BIGINT NOT NULL,
    browser_hash TEXT NOT NULL,
    sealed_credential BYTEA NOT NULL,
    sealed_asker BYTEA NOT NULL,
    identifier TEXT NOT NULL,
    proved BIGINT NOT NULL,
    has_refresh_token BIGINT NOT NULL,
    issued_at BIGINT,
    expires_at BIGINT,
    refresh_expires_at BIGINT,
    end_basis TEXT NOT NULL,
    ends_at BIGINT NOT NULL
);
CREATE INDEX account_switches_by_end ON account_switches (ends_at);
CREATE INDEX account_switches_of_account ON account_switches (tenant, account, slug);
