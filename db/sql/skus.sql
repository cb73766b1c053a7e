-- name: skus.read
-- $1 SKU ids. The SKUs as the catalogue last described them. Locks: none. Unknown ids are missing.
SELECT sku_id, spu_id, name, on_sale, price, currency, product_type, seller_id, category_id, specs::text AS specs, image_url,
    unit, tax_class, gift_points, gift_growth, points_limit, purchase_price
FROM skus
WHERE sku_id = ANY($1::text[]);

-- name: skus.read_with_lists
-- $1 SKU ids, $2 countries, $3 provinces. As skus.read; and one row, of whichever SKU, has the lists of warehouses in these regions, as a JSON
-- array of (SKU, country, province, warehouses); null: none. Those of all SKUs have the SKU ''. Locks: none. Unknown ids are missing.
SELECT sku_id, spu_id, name, on_sale, price, currency, product_type, seller_id, category_id, specs::text AS specs, image_url,
    unit, tax_class, gift_points, gift_growth, points_limit, purchase_price,
    CASE WHEN row_number() OVER () = 1 THEN (
        SELECT jsonb_agg(jsonb_build_array(w.sku_id, w.country, w.province, w.warehouses))::text FROM warehouse_lists w
        WHERE w.sku_id = ANY(array_prepend('', $1::text[])) AND w.country = ANY($2::text[]) AND w.province = ANY($3::text[])) END AS lists
FROM skus
WHERE sku_id = ANY($1::text[]);

-- name: skus.upsert
-- Writes one row per SKU, in id order, and returns those whose revision is above the stored one.
INSERT INTO skus AS s (sku_id, revision, spu_id, name, specs, on_sale, price, currency, product_type, category_id, seller_id,
    image_url, unit, tax_class, gift_points, gift_growth, points_limit, purchase_price)
SELECT n.sku_id, n.revision, n.spu_id, n.name, n.specs::jsonb, n.on_sale, n.price, n.currency, n.product_type, n.category_id,
    n.seller_id, n.image_url, n.unit, n.tax_class, n.gift_points, n.gift_growth, n.points_limit, n.purchase_price
FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::boolean[], $7::bigint[], $8::text[], $9::text[],
    $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::integer[], $16::integer[], $17::integer[], $18::bigint[])
    AS n (sku_id, revision, spu_id, name, specs, on_sale, price, currency, product_type, category_id, seller_id, image_url, unit,
        tax_class, gift_points, gift_growth, points_limit, purchase_price)
ORDER BY n.sku_id
ON CONFLICT (sku_id) DO UPDATE
SET revision = excluded.revision, spu_id = excluded.spu_id, name = excluded.name, specs = excluded.specs,
    on_sale = excluded.on_sale, price = excluded.price, currency = excluded.currency, product_type = excluded.product_type,
    category_id = excluded.category_id, seller_id = excluded.seller_id, image_url = excluded.image_url, unit = excluded.unit,
    tax_class = excluded.tax_class, gift_points = excluded.gift_points, gift_growth = excluded.gift_growth,
    points_limit = excluded.points_limit, purchase_price = excluded.purchase_price, updated_at = clock_timestamp()
WHERE s.revision < excluded.revision
RETURNING sku_id;

-- name: skus.lock_revisions
-- $1 SKU ids. The stored revisions. Locks: the SKUs, in id order.
SELECT sku_id AS id, revision FROM skus WHERE sku_id = ANY($1::text[]) ORDER BY sku_id FOR UPDATE;

-- name: skus.reset_revisions
-- $1 ids (locked), $2 their revisions from now on, also below the stored ones.
UPDATE skus e
SET revision = n.revision, updated_at = clock_timestamp()
FROM unnest($1::text[], $2::bigint[]) AS n (id, revision)
WHERE e.sku_id = n.id;
