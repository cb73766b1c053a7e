-- name: promotions.for_scopes
-- $1 SPU ids, $2 category ids, $3 when. Promotions valid then for one of these, or for everything; ended ones (kind none) are
-- left out. No locks. A quantity of 2147483647 is one that was lifted.
SELECT p.promo_id, p.revision, p.name, p.kind, p.scope, p.scope_id, p.currency, p.terms::text AS terms, p.starts_at, p.ends_at,
    p.per_user_limit, nullif(q.quantity, 2147483647) AS quantity
FROM promotions p
LEFT JOIN promotion_quotas q USING (promo_id)
WHERE p.starts_at <= $3::timestamptz AND p.ends_at > $3::timestamptz AND p.kind <> 'none'
    AND (p.scope = 'spu' AND p.scope_id = ANY($1::text[]) OR p.scope = 'category' AND p.scope_id = ANY($2::text[])
        OR p.scope = 'all');
