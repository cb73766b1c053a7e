-- The foreign key to an order that is archived finds its intents by this index, and does not read all intents.
DROP INDEX CONCURRENTLY IF EXISTS payment_intents_order;
CREATE INDEX CONCURRENTLY payment_intents_order ON payment_intents (order_id);
