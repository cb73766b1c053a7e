-- name: reconciliation.lock
-- Statements are compared one after the other: what one has listed is not looked for on another. Nobody else writes here.
LOCK TABLE reconciliations IN SHARE ROW EXCLUSIVE MODE;

-- name: reconciliation.done
-- $1 providers, $2 days, $3 file hashes (the table is locked). What came of files that were compared before; others are missing.
SELECT provider, day, file_hash, rows, matched, differences
FROM reconciliations
JOIN unnest($1::text[], $2::date[], $3::bytea[]) AS k (provider, day, file_hash) USING (provider, day, file_hash);

-- name: reconciliation.captures
-- $1 providers, $2 from, $3 until. What each provider captured in its time, with the number that we gave it and the day of the statement
-- that listed it. Twice where times overlap. No locks: facts never change.
SELECT f.provider, a.out_trade_no AS number, f.trade_no, f.amount, f.currency, f.occurred_at AS at, f.order_id, r.day AS stated_on
FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[]) AS w (provider, since, until)
JOIN payment_facts f ON f.provider = w.provider AND f.kind = 'captured' AND f.occurred_at >= w.since AND f.occurred_at < w.until
LEFT JOIN payment_attempts a ON a.provider = f.provider AND a.trade_no = f.trade_no
LEFT JOIN reconciliation_rows r ON r.provider = f.provider AND r.kind = 'capture' AND r.key = f.trade_no;

-- name: reconciliation.refunds
-- $1 providers, $2 from, $3 until; $4 providers, $5 refund numbers that statements list. What each provider gave back in its time, and
-- those of that number that have not failed: while one is under way it has no time. Each once; no locks.
SELECT f.provider, f.refund_no AS number, f.trade_no, f.amount, f.currency,
    CASE WHEN f.state = 'succeeded' THEN f.finished_at END AS at, f.order_id, r.day AS stated_on
FROM (
    SELECT n.provider, n.refund_no, n.trade_no, n.amount, n.currency, n.state, n.finished_at, n.order_id
    FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[]) AS w (provider, since, until)
    JOIN refunds n ON n.provider = w.provider AND n.state = 'succeeded' AND n.finished_at >= w.since AND n.finished_at < w.until
    UNION
    SELECT n.provider, n.refund_no, n.trade_no, n.amount, n.currency, n.state, n.finished_at, n.order_id
    FROM unnest($4::text[], $5::text[]) AS k (provider, refund_no)
    JOIN refunds n USING (provider, refund_no)
    WHERE n.state <> 'failed'
) AS f
LEFT JOIN reconciliation_rows r ON r.provider = f.provider AND r.kind = 'refund' AND r.key = f.refund_no;

-- name: reconciliation.owners
-- $1 providers, $2 numbers of attempts and refunds. The order of each; unknown numbers are missing. No locks: these never change.
SELECT provider, out_trade_no AS number, order_id
FROM payment_attempts
JOIN unnest($1::text[], $2::text[]) AS k (provider, out_trade_no) USING (provider, out_trade_no)
UNION ALL
SELECT provider, refund_no, order_id
FROM refunds
JOIN unnest($1::text[], $2::text[]) AS k (provider, refund_no) USING (provider, refund_no);

-- name: reconciliation.keep
-- $1 providers, $2 days, $3 file hashes, $4 rows, $5 matched, $6 differences (the table is locked): what came of new files.
INSERT INTO reconciliations (provider, day, file_hash, rows, matched, differences)
SELECT * FROM unnest($1::text[], $2::date[], $3::bytea[], $4::integer[], $5::integer[], $6::integer[]);

-- name: reconciliation.list
-- $1 providers, $2 kinds, $3 keys, $4 days. What statements list. What one of the same day listed before stays.
INSERT INTO reconciliation_rows (provider, kind, key, day)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::date[]) AS n (provider, kind, key, day)
ORDER BY n.provider, n.kind, n.key
ON CONFLICT DO NOTHING;
