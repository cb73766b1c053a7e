-- Holds of the version before are dropped: their rows stand in the outbox, are tried again, and held anew if they fail again.
DELETE FROM outbox_holds;
ALTER TABLE outbox_holds
    ADD COLUMN shard       smallint NOT NULL,
    ADD COLUMN destination text     NOT NULL,
    ADD COLUMN routing_key text     NOT NULL;
CREATE INDEX outbox_holds_due ON outbox_holds (shard, until);
CREATE INDEX outbox_holds_address ON outbox_holds (destination, routing_key);

CREATE TABLE outbox_held (
    stream         text        NOT NULL REFERENCES outbox_holds,
    id             bigint      NOT NULL,
    shard          smallint    NOT NULL,
    message_id     text        NOT NULL,
    type           text        NOT NULL,
    destination    text        NOT NULL,
    routing_key    text        NOT NULL,
    correlation_id text        NOT NULL,
    headers        bytea       NOT NULL,
    body           bytea       STORAGE EXTERNAL NOT NULL,
    key_id         text,
    must_route     boolean     NOT NULL,
    created_at     timestamptz NOT NULL,
    PRIMARY KEY (stream, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
CREATE INDEX outbox_held_id ON outbox_held (id);

CREATE VIEW unpublished AS
SELECT id, shard, stream, message_id, type, destination, routing_key, correlation_id, headers, body, key_id, must_route, created_at,
    NULL::text AS held_reason
FROM outbox
UNION ALL
SELECT r.id, r.shard, r.stream, r.message_id, r.type, r.destination, r.routing_key, r.correlation_id, r.headers, r.body, r.key_id,
    r.must_route, r.created_at, h.reason
FROM outbox_held r JOIN outbox_holds h USING (stream);
