ALTER TABLE orders ADD COLUMN conversation_id text;
UPDATE orders o
SET conversation_id = coalesce(
    (SELECT c.correlation_id FROM commands c WHERE c.scope = 'order.create:' || o.user_id AND c.request_id = o.request_id), o.id::text);
ALTER TABLE orders ALTER COLUMN conversation_id SET NOT NULL;
COMMENT ON COLUMN orders.conversation_id IS 'the correlation id of the order.create that placed it';
