ALTER TABLE waybills ADD COLUMN order_ids bigint[];
UPDATE waybills SET order_ids = ARRAY(
    SELECT order_id
    UNION
    SELECT jsonb_array_elements_text(coalesce(plan -> 'order_ids', '[]'))::bigint
    UNION
    SELECT (jsonb_array_elements(coalesce(plan -> 'lines', '[]')) ->> 'order_id')::bigint
    EXCEPT
    SELECT NULL
    ORDER BY 1);
ALTER TABLE waybills ALTER COLUMN order_ids SET NOT NULL;
ALTER TABLE waybills ADD CONSTRAINT waybills_orders_named CHECK (order_id = ANY (order_ids));
COMMENT ON COLUMN waybills.order_ids IS 'all orders whose goods the parcel is to hold; the carrier has their address';
CREATE INDEX waybills_orders ON waybills USING gin (order_ids);

ALTER TABLE waybills ADD COLUMN bookings integer NOT NULL DEFAULT 0;
ALTER TABLE waybills ADD COLUMN stopped boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN waybills.bookings IS 'how often the carrier answered that it booked it; a cancellation counts only for those that came before it';
COMMENT ON COLUMN waybills.stopped IS 'a warehouse of it stopped or refused before the carrier answered, so no parcel is to have it';
UPDATE waybills SET bookings = 1 WHERE tracking_no IS NOT NULL;
