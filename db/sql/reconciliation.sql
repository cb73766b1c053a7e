-- name: reconciliation.lock
-- Compare statements one after the other, because a row that one statement lists is not searched on another. Only they write here.
LOCK TABLE reconciliations IN SHARE ROW EXCLUSIVE MODE;

-- name: reconciliation.done
-- $1 providers, $2 days, $3 file hashes (the table is locked). The results of files that were compared before. Other files are missing.
SELECT provider, day, file_hash, rows, matched, differences
FROM reconciliations
JOIN unnest($1::text[], $2::date[], $3::bytea[]) AS k (provider, day, file_hash) USING (provider, day, file_hash);

-- name: reconciliation.captures
-- $1 providers, $2 from, $3 until. What each provider captured in its time, with our number and the day of the statement that lists it.
-- A capture appears twice if times overlap. Locks: none, because facts never change.
SELECT f.provider, a.out_trade_no AS number, f.trade_no, f.amount, f.currency, f.occurred_at AS at, f.order_id, r.day AS stated_on
FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[]) AS w (provider, since, until)
CROSS JOIN LATERAL (
    SELECT * FROM payment_facts p
    WHERE p.provider = w.provider AND p.kind = 'captured' AND p.occurred_at >= w.since AND p.occurred_at < w.until
    OFFSET 0
) AS f
LEFT JOIN payment_attempts a ON a.provider = f.provider AND a.trade_no = f.trade_no
LEFT JOIN reconciliation_rows r ON r.provider = f.provider AND r.kind = 'capture' AND r.key = f.trade_no;

-- name: reconciliation.refunds
-- $1 providers, $2 from, $3 until; $4 providers, $5 refund numbers that statements list. What each provider refunded in its time,
-- and the refunds with these numbers that have not failed, because a refund under way has no time. Each appears once. One that the
-- provider made by itself has its number there, and may be shared out to several orders. Locks: none.
SELECT f.provider, coalesce(f.provider_no, f.refund_no) AS number, f.trade_no, sum(f.amount)::bigint AS amount, f.currency,
    min(CASE WHEN f.state IN ('succeeded', 'excess') THEN f.finished_at END) AS at, min(f.order_id) AS order_id, min(r.day) AS stated_on
FROM (
    SELECT n.id, n.provider, n.refund_no, n.provider_no, n.trade_no, n.amount, n.currency, n.state, n.finished_at, n.order_id
    FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[]) AS w (provider, since, until)
    CROSS JOIN LATERAL (
        SELECT * FROM refunds r
        WHERE r.provider = w.provider AND r.state IN ('succeeded', 'excess') AND r.finished_at >= w.since AND r.finished_at < w.until
        OFFSET 0
    ) AS n
    UNION
    SELECT n.id, n.provider, n.refund_no, n.provider_no, n.trade_no, n.amount, n.currency, n.state, n.finished_at, n.order_id
    FROM unnest($4::text[], $5::text[]) AS k (provider, refund_no)
    JOIN refunds n USING (provider, refund_no)
    WHERE n.state <> 'failed'
    UNION
    SELECT n.id, n.provider, n.refund_no, n.provider_no, n.trade_no, n.amount, n.currency, n.state, n.finished_at, n.order_id
    FROM unnest($4::text[], $5::text[]) AS k (provider, provider_no)
    CROSS JOIN LATERAL (
        SELECT * FROM refunds r WHERE r.provider = k.provider AND r.provider_no = k.provider_no OFFSET 0
    ) AS n
) AS f
LEFT JOIN reconciliation_rows r ON r.provider = f.provider AND r.kind = 'refund' AND r.key = coalesce(f.provider_no, f.refund_no)
GROUP BY f.provider, coalesce(f.provider_no, f.refund_no), f.trade_no, f.currency;

-- name: reconciliation.owners
-- $1 providers, $2 numbers of attempts and refunds, and of captures at the provider. The order of each. Unknown numbers are missing.
-- Locks: none, because these never change.
SELECT provider, out_trade_no AS number, order_id
FROM payment_attempts
JOIN unnest($1::text[], $2::text[]) AS k (provider, out_trade_no) USING (provider, out_trade_no)
UNION ALL
SELECT provider, refund_no, order_id
FROM refunds
JOIN unnest($1::text[], $2::text[]) AS k (provider, refund_no) USING (provider, refund_no)
UNION ALL
SELECT k.provider, k.trade_no, f.order_id
FROM unnest($1::text[], $2::text[]) AS k (provider, trade_no)
CROSS JOIN LATERAL (
    SELECT p.order_id FROM payment_facts p
    WHERE p.provider = k.provider AND p.trade_no = k.trade_no AND p.kind = 'captured' OFFSET 0
) AS f;

-- name: reconciliation.keep
-- $1 providers, $2 days, $3 file hashes, $4 rows, $5 matched, $6 differences (the table is locked). Stores the results of new files.
INSERT INTO reconciliations (provider, day, file_hash, rows, matched, differences)
SELECT * FROM unnest($1::text[], $2::date[], $3::bytea[], $4::integer[], $5::integer[], $6::integer[]);

-- name: reconciliation.list
-- $1 providers, $2 kinds, $3 keys, $4 days. Marks rows as listed by a statement of that day. A row that is marked already stays as it is.
INSERT INTO reconciliation_rows (provider, kind, key, day)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::date[]) AS n (provider, kind, key, day)
ORDER BY n.provider, n.kind, n.key
ON CONFLICT DO NOTHING;
