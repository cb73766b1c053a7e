-- Reads what was sold, for plans. No statement here locks anything.

-- name: sales.by_period
-- $1 numbers of queries, $2 their SKUs, $3 order ids from which and $4 before which they look, $5 their periods (day, week, month), $6 their
-- warehouses and $7 their currencies ('' is any), $8 how many lines of each are read at most, $9 the time zone of the days. The lines of one more
-- than $8 tell that there are more. Each period in which lines were sold, with the number of lines that were read, units that are not cancelled,
-- and what all units cost after promotions. Lines of orders that were not paid, were cancelled or replace other goods count as read alone.
SELECT q.place, date_trunc(q.period, (timestamptz '2024-01-01 00:00:00+00' + (i.order_id >> 22) * interval '1 millisecond') AT TIME ZONE $9::text)::date
        AS starts_on,
    count(*) AS lines,
    coalesce(sum(i.qty - i.cancelled_qty) FILTER (WHERE o.counts), 0)::bigint AS units,
    coalesce(sum(i.qty) FILTER (WHERE o.counts), 0)::bigint AS units_priced,
    coalesce(sum(i.origin_amount - i.promotion_amount) FILTER (WHERE o.counts), 0)::bigint AS amount
FROM unnest($1::integer[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[])
    AS q (place, sku_id, since, before, period, warehouse, currency)
CROSS JOIN LATERAL (
    SELECT l.order_id, l.warehouse, l.qty, l.cancelled_qty, l.origin_amount, l.promotion_amount
    FROM order_items l
    WHERE l.sku_id = q.sku_id AND l.order_id >= q.since AND l.order_id < q.before
    LIMIT $8::integer + 1
) AS i
CROSS JOIN LATERAL (
    SELECT e.paid_at IS NOT NULL AND e.state <> 'cancelled' AND e.kind <> 'exchange' AND q.currency IN ('', e.currency)
        AND q.warehouse IN ('', i.warehouse) AS counts
    FROM orders e WHERE e.id = i.order_id
) AS o
GROUP BY q.place, starts_on
ORDER BY q.place, starts_on;
