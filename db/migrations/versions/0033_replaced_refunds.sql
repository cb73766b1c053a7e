ALTER TABLE refunds ADD COLUMN replaces text;
COMMENT ON COLUMN refunds.replaces IS 'the number of the failed refund of this order whose money this one gives back, under a number of its own';
CREATE UNIQUE INDEX refunds_replaces ON refunds (replaces) WHERE replaces IS NOT NULL;
