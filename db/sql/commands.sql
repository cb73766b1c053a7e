-- name: commands.claim
-- $1 scopes, $2 request ids, $3 types, $4 payload hashes, $5 message ids, $6 correlation ids, $7 reply-tos (null: none).
-- It inserts in sorted order, so that two batches cannot deadlock. It returns the new commands; a missing one is a repeat.
INSERT INTO commands (scope, request_id, type, payload_hash, message_id, correlation_id, reply_tos, reply_ids)
SELECT n.scope, n.request_id, n.type, n.payload_hash, n.message_id, n.correlation_id, array_remove(ARRAY[n.reply_to], NULL),
    CASE WHEN n.reply_to IS NULL THEN '{}' ELSE ARRAY[n.correlation_id] END
FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::text[])
    AS n (scope, request_id, type, payload_hash, message_id, correlation_id, reply_to)
ORDER BY n.scope, n.request_id
ON CONFLICT DO NOTHING
RETURNING scope, request_id;

-- name: commands.refuse
-- $1 scopes, $2 request ids, in ascending order of both, $3 types, $4 payload hashes, $5 message ids, $6 correlation ids, $7 outcome types,
-- $8 outcomes (JSON). Messages that their senders may not send, with their refusals. One that is there already stays. Locks: none but the new rows.
INSERT INTO commands (scope, request_id, type, payload_hash, message_id, correlation_id, outcome_type, outcome, decided_at)
SELECT n.scope, n.request_id, n.type, n.payload_hash, n.message_id, n.correlation_id, n.outcome_type, n.outcome::jsonb, clock_timestamp()
FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::text[], $8::text[])
    WITH ORDINALITY AS n (scope, request_id, type, payload_hash, message_id, correlation_id, outcome_type, outcome, place)
ORDER BY n.place
ON CONFLICT DO NOTHING;

-- name: commands.stored
-- $1 scopes, $2 request ids. The stored commands that these repeat. Locks: them, in key order.
SELECT c.scope, c.request_id, c.payload_hash, c.outcome_type, c.outcome::text AS outcome, c.order_id
FROM (SELECT * FROM unnest($1::text[], $2::text[]) AS k (scope, request_id) ORDER BY scope, request_id) AS k
CROSS JOIN LATERAL (
    SELECT * FROM commands n WHERE n.scope = k.scope AND n.request_id = k.request_id FOR UPDATE OFFSET 0
) AS c;

-- name: commands.add_reply_tos
-- $1 scopes, $2 request ids, $3 reply-tos, $4 correlation ids, no two of them equal. The outcome of an undecided command goes to
-- all of them, once to each. The commands are locked.
UPDATE commands c
SET reply_tos = c.reply_tos || n.reply_tos, reply_ids = c.reply_ids || n.reply_ids
FROM (SELECT k.scope, k.request_id, array_agg(k.reply_to ORDER BY place) AS reply_tos, array_agg(k.reply_id ORDER BY place) AS reply_ids
      FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS k (scope, request_id, reply_to, reply_id, place)
      JOIN commands s ON s.scope = ANY (ARRAY[k.scope]) AND s.request_id = ANY (ARRAY[k.request_id])
      WHERE NOT EXISTS (SELECT FROM unnest(s.reply_tos, s.reply_ids) AS w (reply_to, reply_id)
                        WHERE w.reply_to = k.reply_to AND w.reply_id = k.reply_id)
      GROUP BY k.scope, k.request_id) AS n
WHERE c.scope = ANY (ARRAY[n.scope]) AND c.request_id = ANY (ARRAY[n.request_id]) AND c.outcome_type IS NULL;

-- name: commands.conclude
-- $1 scopes, $2 request ids, $3 outcome types; of each either $4 the outcome (JSON) or $5 the id of the order that it is rendered from.
-- Fewer rows than given: one has its outcome already.
UPDATE commands c
SET outcome_type = n.outcome_type, outcome = n.outcome::jsonb, order_id = n.order_id, decided_at = clock_timestamp()
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[]) AS n (scope, request_id, outcome_type, outcome, order_id)
WHERE c.scope = ANY (ARRAY[n.scope]) AND c.request_id = ANY (ARRAY[n.request_id]) AND c.outcome_type IS NULL
RETURNING c.scope, c.request_id, c.reply_tos, c.reply_ids;

-- name: commands.undecided
-- $1 scopes, $2 request ids. The commands without an outcome. Locks: them, in key order.
SELECT c.scope, c.request_id, c.message_id
FROM (SELECT * FROM unnest($1::text[], $2::text[]) AS k (scope, request_id) ORDER BY scope, request_id) AS k
CROSS JOIN LATERAL (
    SELECT * FROM commands n
    WHERE n.scope = k.scope AND n.request_id = k.request_id AND n.outcome_type IS NULL
    FOR UPDATE OFFSET 0
) AS c;

-- name: commands.forget_revisions
-- $1 the scopes of the commands that set entries of the catalogue (locked), $2 the entries' revisions from now on. Commands with
-- higher revisions are decided anew when they come again.
DELETE FROM commands c
USING unnest($1::text[], $2::bigint[]) AS n (scope, revision)
WHERE c.scope = ANY (ARRAY[n.scope]) AND c.request_id::bigint > n.revision;
