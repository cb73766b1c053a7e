-- name: coupons.lock_revisions
-- $1 template ids. The stored revisions. Locks: the templates, in id order. Unknown ids are missing.
SELECT template_id AS id, revision FROM coupon_templates WHERE template_id = ANY($1::text[]) ORDER BY template_id FOR UPDATE;

-- name: coupons.upsert_templates
-- $8 to $10 are JSON arrays. Writes one row per template, in id order, and returns those whose revision is above the stored one.
-- The count of issued coupons stays.
INSERT INTO coupon_templates AS t (template_id, revision, name, amount, currency, min_amount, scope, scope_ids, channels,
    member_levels, valid_from, valid_to, per_user_limit, count)
SELECT n.template_id, n.revision, n.name, n.amount, n.currency, n.min_amount, n.scope,
    ARRAY(SELECT jsonb_array_elements_text(n.scope_ids::jsonb)), ARRAY(SELECT jsonb_array_elements_text(n.channels::jsonb)),
    ARRAY(SELECT jsonb_array_elements_text(n.member_levels::jsonb)), n.valid_from, n.valid_to, n.per_user_limit, n.count
FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::bigint[], $7::text[], $8::text[], $9::text[],
    $10::text[], $11::timestamptz[], $12::timestamptz[], $13::integer[], $14::integer[])
    AS n (template_id, revision, name, amount, currency, min_amount, scope, scope_ids, channels, member_levels, valid_from,
        valid_to, per_user_limit, count)
ORDER BY n.template_id
ON CONFLICT (template_id) DO UPDATE
SET revision = excluded.revision, name = excluded.name, amount = excluded.amount, currency = excluded.currency,
    min_amount = excluded.min_amount, scope = excluded.scope, scope_ids = excluded.scope_ids, channels = excluded.channels,
    member_levels = excluded.member_levels, valid_from = excluded.valid_from, valid_to = excluded.valid_to,
    per_user_limit = excluded.per_user_limit, count = excluded.count, updated_at = clock_timestamp()
WHERE t.revision < excluded.revision
RETURNING template_id;

-- name: coupons.lock_templates
-- $1 template ids. Terms and counters. Locks: the templates, in id order. Unknown ids are missing.
SELECT template_id, name, amount, currency, min_amount, valid_from, valid_to, per_user_limit, count, issued
FROM coupon_templates
WHERE template_id = ANY($1::text[])
ORDER BY template_id
FOR UPDATE;

-- name: coupons.had
-- $1 template ids (locked), $2 user ids, each pair once. The number of coupons that each user ever got; no row for none.
SELECT c.template_id, c.user_id, count(*) AS coupons
FROM coupons c
JOIN unnest($1::text[], $2::text[]) AS k (template_id, user_id) USING (template_id, user_id)
GROUP BY c.template_id, c.user_id;

-- name: coupons.issue
-- $1 coupon ids, $2 template ids (locked), $3 user ids. A coupon id that exists makes it fail.
INSERT INTO coupons (coupon_id, template_id, user_id, state, name, amount, currency, min_amount, scope, scope_ids, channels,
    member_levels, valid_from, valid_to)
SELECT n.coupon_id, n.template_id, n.user_id, 'issued', t.name, t.amount, t.currency, t.min_amount, t.scope, t.scope_ids,
    t.channels, t.member_levels, t.valid_from, t.valid_to
FROM unnest($1::text[], $2::text[], $3::text[]) AS n (coupon_id, template_id, user_id)
JOIN coupon_templates t ON t.template_id = ANY (ARRAY[n.template_id]);

-- name: coupons.count_issued
-- $1 template ids (locked), $2 coupons issued now.
UPDATE coupon_templates t SET issued = t.issued + n.issued
FROM unnest($1::text[], $2::integer[]) AS n (template_id, issued)
WHERE t.template_id = ANY (ARRAY[n.template_id]);

-- name: coupons.expire
-- $1 how many at most. Expires issued coupons that have ended. Rows that an order or another worker has locked are skipped until the next run.
-- It uses now() and not clock_timestamp(), because only a stable bound can use the index.
-- The rows are chosen once, as in timers.sweep.
WITH due AS MATERIALIZED (
    SELECT coupon_id FROM coupons WHERE state = 'issued' AND valid_to <= now() ORDER BY valid_to LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE coupons c
SET state = 'expired', updated_at = clock_timestamp()
FROM due
WHERE c.coupon_id = ANY (ARRAY[due.coupon_id])
RETURNING c.coupon_id, c.user_id;

-- name: coupons.reset_revisions
-- $1 ids (locked), $2 their revisions from now on, also below the stored ones.
UPDATE coupon_templates e
SET revision = n.revision, updated_at = clock_timestamp()
FROM unnest($1::text[], $2::bigint[]) AS n (id, revision)
WHERE e.template_id = n.id;
