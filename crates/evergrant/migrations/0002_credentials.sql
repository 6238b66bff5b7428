-- Handing credentials out, and listing connections.

-- Hand-outs that are alike and close together are one entry that counts them.
ALTER TABLE audit ADD COLUMN times BIGINT NOT NULL DEFAULT 1;
DROP INDEX audit_of_tenant;
CREATE INDEX audit_of_tenant ON audit (tenant, at, id);
CREATE INDEX audit_of_target ON audit (tenant, target, at, id);

-- A page of an environment's live connections: all, those of a customer, those of an application, those that ail.
CREATE INDEX connections_of_tenant ON connections (tenant, id) WHERE disconnected_at IS NULL;
CREATE INDEX connections_of_account ON connections (tenant, account, id) WHERE disconnected_at IS NULL;
CREATE INDEX connections_ailing ON connections (tenant, id)
    WHERE disconnected_at IS NULL AND (status = 'reauth_required' OR trouble_verdict IS NOT NULL);
