CREATE TABLE retention_horizons (
    name    text        PRIMARY KEY,
    horizon timestamptz NOT NULL
);
COMMENT ON TABLE retention_horizons IS 'rows of the named table from before the horizon may have been deleted, because their retention had passed';
CREATE INDEX commands_decided ON commands (decided_at) WHERE decided_at IS NOT NULL;
CREATE INDEX dead_letter_actions_at ON dead_letter_actions (at);
CREATE INDEX repairs_at ON repairs (at);
CREATE INDEX revision_resets_at ON revision_resets (at);
CREATE INDEX cart_lines_updated ON cart_lines (updated_at);
CREATE INDEX issued_order_numbers_unused ON issued_order_numbers (issued_at) WHERE order_id IS NULL;
