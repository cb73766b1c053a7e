-- name: notifications.keep
-- Stores raw notifications, encrypted. A copy of a stored notification is counted. Returns the id of each row.
INSERT INTO payment_notifications AS c (id, provider, body_hash, verdict, code, about, key_id, notification, received_at)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bytea[],
    $9::timestamptz[]) AS n (id, provider, body_hash, verdict, code, about, key_id, notification, received_at)
ORDER BY n.provider, n.body_hash, n.verdict
ON CONFLICT (provider, body_hash, verdict) DO UPDATE SET copies = c.copies + 1
RETURNING c.id, c.provider, c.body_hash, c.verdict;

-- name: notifications.find
-- $1 ids, $2 our numbers. Notifications with these ids and about these numbers, oldest first. Locks: none.
SELECT id, provider, verdict, code, about, copies, received_at, recorded_at, key_id, notification
FROM payment_notifications
WHERE id = ANY($1::bigint[]) OR about = ANY($2::text[])
ORDER BY recorded_at, id;

-- name: notifications.certificates
-- $1 providers. The certificates that were downloaded. Locks: none.
SELECT provider, serial, pem FROM provider_certificates WHERE provider = ANY($1::text[]);

-- name: notifications.keep_certificates
-- $1 providers, $2 serials, $3 PEM texts, written in sorted order.
INSERT INTO provider_certificates (provider, serial, pem)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) AS n (provider, serial, pem) ORDER BY n.provider, n.serial
ON CONFLICT (provider, serial) DO UPDATE SET pem = excluded.pem, fetched_at = clock_timestamp();
