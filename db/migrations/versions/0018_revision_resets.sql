CREATE TABLE revision_resets (
    kind     text        NOT NULL,
    id       text        NOT NULL,
    previous bigint      NOT NULL,
    revision bigint      NOT NULL CHECK (revision >= 0),
    by_user  text        NOT NULL,
    key_id   text        NOT NULL,
    reason   bytea       NOT NULL,
    at       timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX revision_resets_entry ON revision_resets (kind, id);
COMMENT ON TABLE revision_resets IS 'each revision of the catalogue that was set by revision.reset, by whom and why';
