-- The column follows from the plan, so that a worker of the version before, which does not know it, writes it as well.
CREATE FUNCTION waybill_orders(order_id bigint, plan jsonb) RETURNS bigint[] LANGUAGE sql IMMUTABLE AS $$
    SELECT ARRAY(
        SELECT order_id
        UNION
        SELECT jsonb_array_elements_text(coalesce(plan -> 'order_ids', '[]'))::bigint
        UNION
        SELECT (jsonb_array_elements(coalesce(plan -> 'lines', '[]')) ->> 'order_id')::bigint
        EXCEPT
        SELECT NULL
        ORDER BY 1)
$$;
ALTER TABLE waybills ADD COLUMN order_ids bigint[] NOT NULL GENERATED ALWAYS AS (waybill_orders(order_id, plan)) STORED;
COMMENT ON COLUMN waybills.order_ids IS 'all orders whose goods the parcel is to hold; the carrier has their address';
CREATE INDEX waybills_orders ON waybills USING gin (order_ids);

ALTER TABLE waybills ADD COLUMN bookings integer NOT NULL DEFAULT 0;
ALTER TABLE waybills ADD COLUMN stopped boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN waybills.bookings IS 'how often the carrier answered that it booked it; a cancellation counts only for those that came before it';
COMMENT ON COLUMN waybills.stopped IS 'a warehouse of it stopped or refused before the carrier answered, so no parcel is to have it';
UPDATE waybills SET bookings = 1 WHERE tracking_no IS NOT NULL;
