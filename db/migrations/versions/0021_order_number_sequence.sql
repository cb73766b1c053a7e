-- It goes on from the highest number of any day, so no number of today comes again.
CREATE SEQUENCE order_no_sequence;
SELECT setval('order_no_sequence', max(last)) FROM order_no_counters HAVING max(last) IS NOT NULL;
DROP TABLE order_no_counters;
