-- name: promotions.for_scopes
-- $1 SPU ids, $2 category ids, $3 when. Promotions that are valid then for one of these or for everything, without ended ones (kind
-- none). Locks: none. A quantity of 2147483647 means that the limit was lifted.
SELECT p.promo_id, p.revision, p.name, p.kind, p.scope, p.scope_id, p.currency, p.terms::text AS terms, p.starts_at, p.ends_at,
    p.per_user_limit, nullif(q.quantity, 2147483647) AS quantity
FROM promotions p
LEFT JOIN promotion_quotas q ON q.promo_id = ANY (ARRAY[p.promo_id])
WHERE p.starts_at <= $3::timestamptz AND p.ends_at > $3::timestamptz AND p.kind <> 'none'
    AND (p.scope = 'spu' AND p.scope_id = ANY($1::text[]) OR p.scope = 'category' AND p.scope_id = ANY($2::text[])
        OR p.scope = 'all');

-- name: promotions.lock
-- Upserts run one after the other, because two new promotions may overlap each other. Readers do not wait.
LOCK TABLE promotions IN SHARE ROW EXCLUSIVE MODE;

-- name: promotions.lock_revisions
-- $1 promotion ids (the table is locked). The stored revisions. Unknown ids are missing.
SELECT promo_id AS id, revision FROM promotions WHERE promo_id = ANY($1::text[]);

-- name: promotions.beside
-- $1 scopes, $2 scope ids (null for all), $3 starts, $4 ends (the table is locked). Promotions that overlap one of these in time,
-- once for each, without ended ones (kind none). It has two joins, because only plain equality finds the index.
WITH n AS (SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[]) AS n (scope, scope_id, starts_at, ends_at)),
found AS (
    SELECT p.* FROM n JOIN promotions p ON p.scope = n.scope AND p.scope_id = n.scope_id
        AND p.ends_at > n.starts_at AND p.starts_at < n.ends_at
    UNION ALL
    SELECT p.* FROM n JOIN promotions p ON n.scope = 'all' AND p.scope = 'all'
        AND p.ends_at > n.starts_at AND p.starts_at < n.ends_at
)
SELECT promo_id, revision, name, kind, scope, scope_id, currency, '{}' AS terms, starts_at, ends_at, per_user_limit,
    NULL::integer AS quantity
FROM found
WHERE kind <> 'none';

-- name: promotions.upsert
-- $8 are the terms (JSON). Writes one row per promotion, in id order, and returns those whose revision is above the stored one.
INSERT INTO promotions AS p (promo_id, revision, name, kind, scope, scope_id, currency, terms, starts_at, ends_at, per_user_limit)
SELECT n.promo_id, n.revision, n.name, n.kind, n.scope, n.scope_id, n.currency, n.terms::jsonb, n.starts_at, n.ends_at,
    n.per_user_limit
FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::timestamptz[],
    $10::timestamptz[], $11::integer[])
    AS n (promo_id, revision, name, kind, scope, scope_id, currency, terms, starts_at, ends_at, per_user_limit)
ORDER BY n.promo_id
ON CONFLICT (promo_id) DO UPDATE
SET revision = excluded.revision, name = excluded.name, kind = excluded.kind, scope = excluded.scope, scope_id = excluded.scope_id,
    currency = excluded.currency, terms = excluded.terms, starts_at = excluded.starts_at, ends_at = excluded.ends_at,
    per_user_limit = excluded.per_user_limit, updated_at = clock_timestamp()
WHERE p.revision < excluded.revision
RETURNING promo_id;

-- name: promotions.set_quotas
-- $1 promotion ids, $2 quantities (null: not limited), $3 whether it is a flash sale; one row per promotion. Locks: the
-- quotas, in id order. A quantity never falls below what is sold. Every flash sale has a row that counts its units, limited or not,
-- so that a quantity that is set while orders are under way waits for them. What was sold before there was a row is counted once.
INSERT INTO promotion_quotas AS q (promo_id, quantity, sold)
SELECT n.promo_id, greatest(coalesce(n.quantity, 2147483647), u.sold), u.sold
FROM unnest($1::text[], $2::integer[], $3::boolean[]) AS n (promo_id, quantity, flash)
LEFT JOIN LATERAL (SELECT sold FROM promotion_quotas WHERE promo_id = n.promo_id OFFSET 0) AS k ON true
CROSS JOIN LATERAL (SELECT coalesce(k.sold, (
    SELECT coalesce(sum(units), 0)::integer FROM promotion_uses WHERE promo_id = n.promo_id AND returned_at IS NULL)) AS sold) AS u
WHERE n.flash OR k.sold IS NOT NULL
ORDER BY n.promo_id
ON CONFLICT (promo_id) DO UPDATE SET quantity = greatest(excluded.quantity, q.sold);

-- name: promotions.reset_revisions
-- $1 ids (locked), $2 their revisions from now on, also below the stored ones.
UPDATE promotions e
SET revision = n.revision, updated_at = clock_timestamp()
FROM unnest($1::text[], $2::bigint[]) AS n (id, revision)
WHERE e.promo_id = n.id;
