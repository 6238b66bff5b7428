-- One text for SQLite and PostgreSQL: TEXT, BIGINT (times in milliseconds, flags as 0/1) and BYTEA only.
-- `tenant` is an environment's id; it stands first in every key. `sealed…` columns open only through the vault.

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BYTEA NOT NULL
);

-- tenants -----------------------------------------------------------------------------------------------------

CREATE TABLE organisations (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);

CREATE TABLE data_keys (
    id TEXT PRIMARY KEY,
    org TEXT NOT NULL REFERENCES organisations (id),
    wrapped BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX data_keys_of_org ON data_keys (org, created_at);

CREATE TABLE environments (
    id TEXT PRIMARY KEY,
    org TEXT NOT NULL REFERENCES organisations (id),
    name TEXT NOT NULL,
    signing_key TEXT,
    return_origins TEXT NOT NULL,
    frame_origins TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (org, name)
);

CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES environments (id),
    name TEXT NOT NULL,
    hint TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    sealed_value BYTEA,
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX api_keys_of_tenant ON api_keys (tenant, created_at);

CREATE TABLE audit (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL
);
CREATE INDEX audit_of_tenant ON audit (tenant, at);

-- clients -----------------------------------------------------------------------------------------------------

CREATE TABLE oauth_clients (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES environments (id),
    slug TEXT NOT NULL,
    client_id TEXT NOT NULL,
    sealed_secret BYTEA,
    scopes TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (tenant, slug)
);

-- accounts ----------------------------------------------------------------------------------------------------

CREATE TABLE linked_accounts (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES environments (id),
    account_id TEXT NOT NULL,
    name TEXT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (tenant, account_id)
);
CREATE INDEX linked_accounts_by_age ON linked_accounts (tenant, id);

CREATE TABLE account_fields (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    account TEXT NOT NULL REFERENCES linked_accounts (id) ON DELETE CASCADE,
    key_name TEXT NOT NULL,
    key_value TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (tenant, account, key_name)
);

CREATE TABLE default_apps (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    account TEXT NOT NULL REFERENCES linked_accounts (id) ON DELETE CASCADE,
    app_id TEXT,
    sealed_credentials BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (tenant, account)
);

CREATE TABLE session_tokens (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    account TEXT NOT NULL REFERENCES linked_accounts (id) ON DELETE CASCADE,
    hash TEXT NOT NULL UNIQUE,
    sealed_value BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    refresh_expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    properties TEXT,
    properties_until BIGINT
);
CREATE INDEX session_tokens_of_account ON session_tokens (tenant, account, expires_at);
CREATE INDEX session_tokens_by_end ON session_tokens (expires_at);

-- connections -------------------------------------------------------------------------------------------------

CREATE TABLE connections (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES environments (id),
    account TEXT NOT NULL,
    slug TEXT NOT NULL,
    auth_type TEXT NOT NULL,
    -- what it is: active, reauth_required (with reason, since …) or disconnected
    status TEXT NOT NULL,
    reason TEXT,
    since BIGINT,
    confidence TEXT,
    evidence TEXT,
    identifier TEXT,
    -- trouble under way on an active connection; its next try is due_at
    trouble_verdict TEXT,
    trouble_reason TEXT,
    trouble_since BIGINT,
    failures BIGINT NOT NULL,
    -- the credential: version counts every stored set, so that a late writer sees that it is late
    version BIGINT NOT NULL,
    sealed_credential BYTEA,
    has_refresh_token BIGINT NOT NULL,
    issued_at BIGINT,
    expires_at BIGINT,
    refresh_issued_at BIGINT,
    refresh_expires_at BIGINT,
    last_ok_at BIGINT,
    -- the refresh lease: fence counts claims; sent_at is the intent, set while a request may be on its way
    fence BIGINT NOT NULL,
    lease_until BIGINT,
    sent_at BIGINT,
    reply_lost_at BIGINT,
    due_at BIGINT,
    connected_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    disconnected_at BIGINT
);
CREATE UNIQUE INDEX connections_live ON connections (tenant, account, slug, auth_type) WHERE disconnected_at IS NULL;
CREATE INDEX connections_of_application ON connections (tenant, slug, id);
CREATE INDEX connections_due ON connections (due_at, tenant, id) WHERE due_at IS NOT NULL;
CREATE INDEX connections_erased ON connections (disconnected_at) WHERE disconnected_at IS NOT NULL;

CREATE TABLE timeline (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    connection TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    verdict TEXT,
    reason TEXT,
    confidence TEXT,
    evidence TEXT
);
CREATE INDEX timeline_of_connection ON timeline (tenant, connection, at, id);

-- authorize ---------------------------------------------------------------------------------------------------

CREATE TABLE authorizations (
    start_hash TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    account TEXT NOT NULL,
    slug TEXT NOT NULL,
    connection TEXT,
    state_hash TEXT UNIQUE,
    browser_hash TEXT,
    sealed_request BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX authorizations_by_end ON authorizations (expires_at);

-- webhooks ----------------------------------------------------------------------------------------------------

CREATE TABLE webhooks (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES environments (id),
    url TEXT NOT NULL,
    events TEXT NOT NULL,
    enabled BIGINT NOT NULL,
    body TEXT NOT NULL,
    sealed_headers BYTEA,
    method TEXT NOT NULL,
    slug TEXT,
    workflow_ids TEXT NOT NULL,
    description TEXT,
    webhook_description TEXT,
    group_name TEXT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX webhooks_of_tenant ON webhooks (tenant, id);

CREATE TABLE events (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    connection TEXT NOT NULL,
    event TEXT NOT NULL,
    linked_account_id TEXT NOT NULL,
    linked_account_name TEXT,
    slug TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX events_of_tenant ON events (tenant, id);
CREATE INDEX events_by_age ON events (created_at);

CREATE TABLE deliveries (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    event TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    -- no foreign key: deleting a webhook must never fail the transaction that appends an event at the same moment
    webhook TEXT NOT NULL,
    -- what is sent, where the webhook's template makes it differ from the event: every attempt sends the same bytes
    body TEXT,
    attempts BIGINT NOT NULL,
    fence BIGINT NOT NULL,
    lease_until BIGINT,
    next_try_at BIGINT,
    delivered_at BIGINT,
    gave_up_at BIGINT,
    last_status BIGINT,
    last_error TEXT,
    UNIQUE (event, webhook)
);
CREATE INDEX deliveries_due ON deliveries (next_try_at) WHERE next_try_at IS NOT NULL;
CREATE INDEX deliveries_of_webhook ON deliveries (tenant, webhook, id);
