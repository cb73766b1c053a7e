-- name: notices.keep
-- Raw notifications, encrypted. A copy of one that is here is counted; the row's id comes back in the order given.
INSERT INTO channel_notices AS c (id, channel, body_hash, verdict, code, about, key_id, notice, received_at)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bytea[],
    $9::timestamptz[]) AS n (id, channel, body_hash, verdict, code, about, key_id, notice, received_at)
ORDER BY n.channel, n.body_hash, n.verdict
ON CONFLICT (channel, body_hash, verdict) DO UPDATE SET copies = c.copies + 1
RETURNING c.id, c.channel, c.body_hash, c.verdict;

-- name: notices.find
-- $1 ids, $2 numbers of ours. Notifications with these ids, and those about these numbers; oldest first, no locks.
SELECT id, channel, verdict, code, about, copies, received_at, recorded_at, key_id, notice
FROM channel_notices
WHERE id = ANY($1::bigint[]) OR about = ANY($2::text[])
ORDER BY recorded_at, id;

-- name: notices.forget
-- $1 believed or rejected, $2 days, $3 how many at most. Old notifications; rows that another worker holds are skipped.
DELETE FROM channel_notices
WHERE id IN (SELECT id FROM channel_notices WHERE verdict = $1 AND recorded_at < now() - make_interval(days => $2::integer)
             ORDER BY recorded_at LIMIT $3::integer FOR UPDATE SKIP LOCKED);

-- name: notices.certificates
-- $1 channels. The certificates that were fetched.
SELECT channel, serial, pem FROM channel_certificates WHERE channel = ANY($1::text[]);

-- name: notices.keep_certificates
-- $1 channels, $2 serials, $3 PEM texts; sorted here.
INSERT INTO channel_certificates (channel, serial, pem)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) AS n (channel, serial, pem) ORDER BY n.channel, n.serial
ON CONFLICT (channel, serial) DO UPDATE SET pem = excluded.pem, fetched_at = clock_timestamp();
