CREATE INDEX issued_order_numbers_order ON issued_order_numbers (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX dead_letters_correlation ON dead_letters (correlation_id);
DROP INDEX commands_undecided;
