-- The provider's own id of the account that a connection belongs to, as in `identifier`: notices name it, a reconnect is
-- compared with it. Erased with the identifier.
ALTER TABLE connections ADD COLUMN external_id TEXT;
CREATE INDEX connections_of_external ON connections (tenant, slug, external_id) WHERE external_id IS NOT NULL;
