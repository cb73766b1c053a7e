-- Moves what only the snapshots of amounts (2) and lines (3) have to the orders and their lines, and deletes these snapshots. A parent's lines
-- are those of its children, which have snapshots of their own. Locks: the orders, as handlers do, before anything else of them.
WITH chosen AS MATERIALIZED (
    SELECT DISTINCT order_id FROM order_snapshots WHERE type IN (2, 3) AND order_id > %(after)s ORDER BY order_id LIMIT %(rows_max)s
), locked AS MATERIALIZED (
    SELECT id FROM orders WHERE id IN (SELECT order_id FROM chosen) ORDER BY root_id, id FOR UPDATE
), taken AS (
    DELETE FROM order_snapshots WHERE order_id IN (SELECT id FROM locked) AND type IN (2, 3) RETURNING order_id, type, data
), lines AS (
    UPDATE order_items i
    SET specs = coalesce(l.line -> 'specs', '{}'), image_url = l.line ->> 'image_url', unit = l.line ->> 'unit',
        tax_basis_points = (l.line ->> 'tax_basis_points')::integer
    FROM (SELECT order_id, jsonb_array_elements(data) AS line FROM taken WHERE type = 3) AS l
    WHERE i.order_id = l.order_id AND i.line_no = (l.line ->> 'line_no')::smallint AND i.specs IS NULL
), roundings AS (
    SELECT order_id, coalesce(data -> 'rounding' ->> 'tax', 'half_even') AS tax,
        coalesce(data -> 'rounding' ->> 'discount', 'half_even') AS discount
    FROM taken WHERE type = 2
), policies AS (
    UPDATE orders o
    SET policy = o.policy || CASE WHEN r.tax = 'half_up' THEN '{}' ELSE jsonb_build_object('tax_rounding', r.tax) END
        || CASE WHEN r.discount = 'half_even' THEN '{}' ELSE jsonb_build_object('discount_rounding', r.discount) END
    FROM roundings r
    WHERE o.id = r.order_id AND (r.tax <> 'half_up' OR r.discount <> 'half_even')
)
SELECT max(order_id) FROM chosen
