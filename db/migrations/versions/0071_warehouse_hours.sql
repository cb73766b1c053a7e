CREATE TABLE warehouse_hours (
    warehouse  text        PRIMARY KEY,
    revision   bigint      NOT NULL,
    hours      jsonb       NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE warehouse_hours IS 'when a warehouse works: its time zone, cut-off, days of the week and holidays; {}: it follows the shop';
