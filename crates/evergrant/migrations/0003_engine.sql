-- The refresh engine: fairness of the sweep, retries, and the end that is known in advance.

-- How long the last wait after a failure was: the next one is drawn between the shortest and three times that.
ALTER TABLE connections ADD COLUMN retry_wait BIGINT;

-- When the connection ends unless something is done, and how that is known: stated, known_lifetime, idle_limit, unknown.
ALTER TABLE connections ADD COLUMN expected_end BIGINT;
ALTER TABLE connections ADD COLUMN end_basis TEXT NOT NULL DEFAULT 'unknown';
-- Whether each refresh moves that end, so that it comes only if refreshing fails.
ALTER TABLE connections ADD COLUMN end_moves BIGINT NOT NULL DEFAULT 0;
-- When the team is to be told of it, and the end that it has been told of.
ALTER TABLE connections ADD COLUMN tell_at BIGINT;
ALTER TABLE connections ADD COLUMN told_end BIGINT;

CREATE INDEX connections_in_lanes ON connections (slug, tenant, due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX connections_to_tell ON connections (tell_at) WHERE tell_at IS NOT NULL;
-- A page of an environment's connections that will end if nobody does anything, the soonest first.
CREATE INDEX connections_ending ON connections (tenant, expected_end, id)
    WHERE disconnected_at IS NULL AND status = 'active' AND (end_moves = 0 OR trouble_verdict IS NOT NULL);
