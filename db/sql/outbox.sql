-- name: outbox.append
-- Locks: none. Writes one row per element, with ids in the order of the arrays. Nothing can conflict.
INSERT INTO outbox (shard, stream, message_id, type, destination, routing_key, correlation_id, headers, body, key_id, must_route)
SELECT shard, stream, message_id, type, destination, routing_key, correlation_id, headers, body, key_id, must_route
FROM unnest($1::smallint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
            $8::bytea[], $9::bytea[], $10::text[], $11::boolean[])
     WITH ORDINALITY AS row (shard, stream, message_id, type, destination, routing_key, correlation_id,
                             headers, body, key_id, must_route, place)
ORDER BY place;

-- name: outbox.append_about_orders
-- Locks: the rows of outbox_streams, whose streams the caller has locked already. Like outbox.append, with events of orders among the rows.
-- Streams: $12 names, sorted by their bytes, $13 how many events each gets, $14 the conversation that begins with them, if it is a new one.
-- Rows: $15 the position in $12 of the stream whose conversation the row names, $16 for an event of a stream how many come after it here,
-- $17 the order that an event without a stream is about, $18 the conversation that its body names. The order is looked up only if it has no
-- stream of its own, as the children of a split order have none.
-- Positions, and no joins of what was counted with the rows: a join would compare each with each.
WITH counted AS (
        INSERT INTO outbox_streams AS s (stream, last, conversation_id)
        SELECT * FROM unnest($12::text[], $13::bigint[], $14::text[])
        ON CONFLICT (stream) DO UPDATE SET last = s.last + excluded.last
        RETURNING stream, last, conversation_id),
     streams AS MATERIALIZED (
        SELECT array_agg(last ORDER BY stream COLLATE "C") AS lasts, array_agg(conversation_id ORDER BY stream COLLATE "C") AS conversations
        FROM counted)
INSERT INTO outbox (shard, stream, message_id, type, destination, routing_key, correlation_id, headers, body, key_id, must_route)
SELECT g.shard, g.stream, g.message_id, g.type, g.destination, g.routing_key, g.correlation_id,
       convert_to(concat(left(convert_from(g.headers, 'UTF8'), -1), ',"seq":' || (c.lasts[g.position] - g.after),
                         ',"conversation-id":' || to_json(coalesce(
                             g.conversation, c.conversations[g.position], s.conversation_id,
                             (SELECT o.conversation_id FROM orders o WHERE o.id = g.about::bigint))), '}'),
                  'UTF8'),
       g.body, g.key_id, g.must_route
FROM unnest($1::smallint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
            $8::bytea[], $9::bytea[], $10::text[], $11::boolean[], $15::integer[], $16::integer[], $17::text[], $18::text[])
     WITH ORDINALITY AS g (shard, stream, message_id, type, destination, routing_key, correlation_id,
                           headers, body, key_id, must_route, position, after, about, conversation, place)
CROSS JOIN streams c
LEFT JOIN outbox_streams s ON s.stream = ANY (ARRAY[g.about])
ORDER BY g.place;

-- name: outbox.read
-- Locks: none. A row may be published twice but is never missed: published rows are deleted, and below the floor none can appear.
-- $1 shards, $2 rows per shard, $3 body bytes per shard (the first row comes whatever its size), $4 streams to leave out.
-- A row whose stream is held (is_held) is not published but moved, so that no message overtakes the held one. Held streams are few or
-- many, so the hold is looked up by its key for each row that is read, and no join can turn this into a scan of all holds.
SELECT o.shard, o.id, o.stream, o.message_id, o.type, o.destination, o.routing_key, o.correlation_id, o.headers, o.body,
       o.key_id, o.must_route, o.created_at, NULL::text AS held_reason,
       extract(epoch FROM clock_timestamp() - o.created_at)::float8 AS age_seconds,
       coalesce((SELECT true FROM outbox_holds h WHERE h.stream = o.stream), false) AS is_held
FROM unnest($1::smallint[]) AS s (shard)
CROSS JOIN LATERAL (
    SELECT r.*, sum(octet_length(r.body)) OVER (ORDER BY r.id ROWS UNBOUNDED PRECEDING) - octet_length(r.body) AS bytes_before
    FROM (
        SELECT w.*
        FROM outbox w
        WHERE w.shard = s.shard AND w.id > (SELECT floor FROM outbox_floor WHERE only_row) AND w.stream <> ALL ($4::text[])
        ORDER BY w.id
        LIMIT $2
    ) r
) o
WHERE o.bytes_before < $3
ORDER BY o.id;

-- name: outbox.read_held
-- Locks: none. The first rows of held streams whose next try is due, of each stream in order of id.
-- $1 shards, $2 streams per shard, $3 rows per stream, $4 body bytes (the first row comes whatever its size), $5 streams to leave out.
-- $6: it looks at holds that became due in so many seconds, since those before may be dead entries of the index; NULL looks at all.
-- $7 rows at most.
SELECT o.shard, o.id, o.stream, o.message_id, o.type, o.destination, o.routing_key, o.correlation_id, o.headers, o.body,
       o.key_id, o.must_route, o.created_at, o.held_reason, extract(epoch FROM clock_timestamp() - o.created_at)::float8 AS age_seconds
FROM (
    SELECT r.*, d.reason AS held_reason, d.until,
           sum(octet_length(r.body)) OVER (ORDER BY d.until, r.stream, r.id) - octet_length(r.body) AS bytes_before
    FROM unnest($1::smallint[]) AS s (shard)
    CROSS JOIN LATERAL (
        SELECT h.stream, h.reason, h.until
        FROM outbox_holds h
        WHERE h.shard = s.shard AND h.until <= now() AND h.until >= coalesce(now() - make_interval(secs => $6::float8), '-infinity')
          AND h.stream <> ALL ($5::text[])
        ORDER BY h.until
        LIMIT $2
    ) AS d
    CROSS JOIN LATERAL (SELECT * FROM outbox_held w WHERE w.stream = d.stream ORDER BY w.id LIMIT $3) AS r
) AS o
WHERE o.bytes_before < $4
ORDER BY o.until, o.stream, o.id
LIMIT $7;

-- name: outbox.delete
-- Locks: the rows. Deletes confirmed rows if their shard still has the owner $1 and the epoch under which they were read.
-- Fewer rows than given: another relay owns the shard by now and publishes them again.
DELETE FROM outbox o
USING unnest($2::smallint[], $3::bigint[], $4::bigint[]) AS d (shard, epoch, id)
JOIN outbox_shards s ON s.shard = d.shard AND s.owner = $1 AND s.epoch = d.epoch
WHERE o.shard = ANY (ARRAY[d.shard]) AND o.id = ANY (ARRAY[d.id]);

-- name: outbox.delete_held
-- Locks: the rows. Deletes confirmed rows of held streams, with the same fence as outbox.delete. $5 streams.
DELETE FROM outbox_held r
USING unnest($2::smallint[], $3::bigint[], $4::bigint[], $5::text[]) AS d (shard, epoch, id, stream)
JOIN outbox_shards s ON s.shard = d.shard AND s.owner = $1 AND s.epoch = d.epoch
WHERE r.stream = ANY (ARRAY[d.stream]) AND r.id = ANY (ARRAY[d.id]);

-- name: outbox.hold
-- Locks: the holds. Streams $1 of the shards $2 wait with a reason $3 for $4, 2 * $4, 4 * $4 ... at most $5 seconds, doubling each time
-- that a stream is held in a row. $6, $7: where the message goes that was not taken. There is no fence: what a message did to one relay
-- also holds for the next owner of its shard, which moves the row. What a person holds (by_hand) is not tried sooner for it.
INSERT INTO outbox_holds (stream, shard, until, attempts, reason, destination, routing_key)
SELECT failed.stream, failed.shard,
       clock_timestamp() + make_interval(secs => least(longest, first * power(2, least(coalesce(h.attempts, 0), 20)))),
       coalesce(h.attempts, 0) + 1,
       failed.reason, failed.destination, failed.routing_key
FROM unnest($1::text[], $2::smallint[], $3::text[], $4::float8[], $5::float8[], $6::text[], $7::text[])
     AS failed (stream, shard, reason, first, longest, destination, routing_key)
LEFT JOIN outbox_holds h ON h.stream = ANY (ARRAY[failed.stream])
ORDER BY failed.stream
ON CONFLICT (stream) DO UPDATE
SET until = excluded.until, attempts = excluded.attempts, reason = excluded.reason,
    destination = excluded.destination, routing_key = excluded.routing_key
WHERE NOT (outbox_holds.reason LIKE 'by_hand: %' AND outbox_holds.until > excluded.until);

-- name: outbox.move
-- Locks: the shards $2, so that no other relay takes them meanwhile; then the rows. Moves rows of held streams out of the outbox if
-- their shard still has the owner $1 and the epoch of the read. A row without a hold is an error of the foreign key.
WITH mine AS MATERIALIZED (
    SELECT shard, epoch FROM outbox_shards WHERE owner = $1 AND shard = ANY ($2::smallint[]) ORDER BY shard FOR SHARE
), moved AS (
    DELETE FROM outbox o
    USING unnest($2::smallint[], $3::bigint[], $4::bigint[]) AS d (shard, epoch, id) JOIN mine USING (shard, epoch)
    WHERE o.shard = d.shard AND o.id = d.id
    RETURNING o.*
)
INSERT INTO outbox_held (stream, id, shard, message_id, type, destination, routing_key, correlation_id, headers, body, key_id,
                         must_route, created_at)
SELECT stream, id, shard, message_id, type, destination, routing_key, correlation_id, headers, body, key_id, must_route, created_at
FROM moved;

-- name: outbox.release_held
-- Locks: up to $3 holds of messages for the address $1 (destination), $2 (routing key), the longest held first. They are tried
-- again at once, because a message for this address was taken. Not those that the broker refuses whenever they are sent, nor those that a person holds.
-- The rows are chosen once, as in timers.sweep.
WITH chosen AS MATERIALIZED (
    SELECT h.stream
    FROM outbox_holds h
    WHERE h.until > clock_timestamp() AND h.reason !~ '^(refused|error|by_hand): ' AND h.destination = $1 AND h.routing_key = $2
    ORDER BY h.until - make_interval(secs => power(2, least(h.attempts, 20)))
    LIMIT $3
    FOR UPDATE SKIP LOCKED
)
UPDATE outbox_holds SET until = clock_timestamp(), attempts = 0
WHERE stream = ANY (ARRAY(SELECT stream FROM chosen));

-- name: outbox.list_held
-- Locks: none. The held messages, the oldest first: $1 destination or NULL, $2 kind of reason or NULL, $3 how many.
SELECT head.id, head.type, head.destination, head.routing_key, h.reason, h.attempts, h.until AS next_try,
       head.created_at, head.message_id, (SELECT count(*) - 1 FROM outbox_held r WHERE r.stream = h.stream) AS behind
FROM outbox_holds h
CROSS JOIN LATERAL (SELECT * FROM outbox_held r WHERE r.stream = h.stream ORDER BY r.id LIMIT 1) AS head
WHERE ($1::text IS NULL OR head.destination = $1) AND ($2::text IS NULL OR h.reason LIKE $2 || ': %')
ORDER BY head.id
LIMIT $3;

-- name: outbox.count_held
-- Locks: none. How many messages outbox.list_held would show without a limit.
SELECT count(*)
FROM outbox_holds h
CROSS JOIN LATERAL (SELECT * FROM outbox_held r WHERE r.stream = h.stream ORDER BY r.id LIMIT 1) AS head
WHERE ($1::text IS NULL OR head.destination = $1) AND ($2::text IS NULL OR h.reason LIKE $2 || ': %');

-- name: outbox.list_waiting
-- Locks: none. The oldest messages that are not held, of all shards: $1 destination or NULL, $2 how many. They leave within moments.
SELECT o.id, o.type, o.destination, o.routing_key, o.created_at, o.message_id, o.stream
FROM outbox_shards s
CROSS JOIN outbox_floor f
CROSS JOIN LATERAL (
    SELECT * FROM outbox w WHERE w.shard = s.shard AND w.id > f.floor AND ($1::text IS NULL OR w.destination = $1) ORDER BY w.id LIMIT $2
) AS o
WHERE f.only_row
ORDER BY o.id
LIMIT $2;

-- name: outbox.relays
-- Locks: none. The relays, for how many seconds each can still publish unless it renews its lease, and how many shards it has.
SELECT r.owner AS relay, extract(epoch FROM r.live_until - clock_timestamp())::float8 AS live_seconds,
       (SELECT count(*) FROM outbox_shards s WHERE s.owner = r.owner) AS shards
FROM outbox_relays r ORDER BY r.owner;

-- name: outbox.streams_of
-- Locks: none. The messages with the ids $1, waiting or held, each with its stream. Those that have left are missing.
SELECT o.* FROM outbox_shards s CROSS JOIN LATERAL (
    SELECT id, stream, shard, type, destination, routing_key, created_at FROM outbox w WHERE w.shard = s.shard AND w.id = ANY ($1::bigint[])
    OFFSET 0) AS o
UNION ALL
SELECT id, stream, shard, type, destination, routing_key, created_at FROM outbox_held WHERE id = ANY ($1::bigint[])
ORDER BY id;

-- name: outbox.hold_by_hand
-- Locks: the holds. Streams $1 of the shards $2 with the addresses $3, $4 wait for $5 seconds: relays move their messages to those that
-- are held. A stream that is held already waits so long, too.
INSERT INTO outbox_holds (stream, shard, until, attempts, reason, destination, routing_key)
SELECT stream, shard, clock_timestamp() + make_interval(secs => $5::float8), 0, 'by_hand: a person holds it', destination, routing_key
FROM unnest($1::text[], $2::smallint[], $3::text[], $4::text[]) AS n (stream, shard, destination, routing_key)
ORDER BY stream
ON CONFLICT (stream) DO UPDATE SET until = excluded.until, attempts = 0, reason = excluded.reason;

-- name: outbox.retry
-- Locks: the holds. Ends the holds of the messages $1. Fewer rows than ids: the others are not held.
UPDATE outbox_holds h SET until = clock_timestamp()
FROM outbox_held r
WHERE r.id = ANY ($1::bigint[]) AND h.stream = ANY (ARRAY[r.stream])
RETURNING r.id;

-- name: outbox.unhold
-- Locks: the holds. Deletes the holds of streams without held rows. Streams that have some go on with them.
DELETE FROM outbox_holds h
WHERE h.stream = ANY ($1::text[]) AND NOT EXISTS (SELECT FROM outbox_held r WHERE r.stream = h.stream OFFSET 0);

-- name: outbox.forget_holds
-- Locks: the holds. Deletes the holds of streams without rows, which a crash between delete and unhold leaves behind, or a person
-- who deletes rows. It looks only at holds that ended $1 seconds ago: a stream that still waits is held again long before.
DELETE FROM outbox_holds h
WHERE h.shard = ANY (ARRAY(SELECT shard FROM outbox_shards)) AND h.until < now() - make_interval(secs => $1)
    AND NOT EXISTS (SELECT FROM outbox_held r WHERE r.stream = h.stream OFFSET 0);

-- name: outbox.register
-- Locks: own row. Records that relay $1 lives and can publish for the next $2 seconds. Counts the other relays, living and dead, as
-- they were when the statement began: one that comes or dies meanwhile counts at the next renewal.
INSERT INTO outbox_relays (owner, live_until) VALUES ($1, clock_timestamp() + make_interval(secs => $2))
ON CONFLICT (owner) DO UPDATE SET live_until = excluded.live_until
RETURNING (SELECT count(*) FROM outbox_relays o WHERE o.owner <> $1 AND o.live_until >= clock_timestamp()) AS live,
          (SELECT count(*) FROM outbox_relays o WHERE o.owner <> $1 AND o.live_until < clock_timestamp()) AS dead;

-- name: outbox.withdraw
-- Locks: own row.
DELETE FROM outbox_relays WHERE owner = $1;

-- name: outbox.bury
-- Locks: the rows of dead relays, skipping those that another relay locks; then their shards. Deletes dead relays and frees their
-- shards. A relay that registers at the same moment either is found live by this, or finds that its shards are gone.
WITH dead AS (
    DELETE FROM outbox_relays
    WHERE owner IN (SELECT owner FROM outbox_relays WHERE live_until < clock_timestamp() FOR UPDATE SKIP LOCKED)
    RETURNING owner
)
UPDATE outbox_shards SET owner = NULL WHERE owner IN (SELECT owner FROM dead);

-- name: outbox.owned
-- Locks: none. The shards of relay $1. After outbox.register these are its own until the lease of the relay ends: renewing writes no
-- row of a shard, because 64 dead versions every few seconds would slow each delete while an old transaction is open.
SELECT shard, epoch FROM outbox_shards WHERE owner = $1;

-- name: outbox.acquire
-- Locks: own row, so that no other relay buries this one meanwhile; then up to $2 shards without an owner, skipping those that another
-- relay is taking. The new epoch makes the last owner's deletes fail. The shards are chosen once, as in timers.sweep.
WITH me AS MATERIALIZED (
    SELECT owner FROM outbox_relays WHERE owner = $1 AND live_until > clock_timestamp() FOR SHARE
), free AS MATERIALIZED (
    SELECT s.shard FROM outbox_shards s, me WHERE s.owner IS NULL ORDER BY random() LIMIT $2 FOR UPDATE OF s SKIP LOCKED
)
UPDATE outbox_shards SET owner = $1, epoch = epoch + 1
WHERE shard IN (SELECT shard FROM free)
RETURNING shard, epoch;

-- name: outbox.release
-- Locks: own shards among $2. Other relays can acquire them at once.
UPDATE outbox_shards SET owner = NULL WHERE owner = $1 AND shard = ANY ($2::smallint[]);

-- name: outbox.floor
-- Locks: none. The floor and the last id that the sequence has given.
SELECT floor, candidate, writers, coalesce(pg_sequence_last_value(pg_get_serial_sequence('outbox', 'id')::regclass), 0) AS last_id
FROM outbox_floor WHERE only_row;

-- name: outbox.writers
-- Locks: none. The transactions that may write to the outbox: each holds this lock from before its first id until its end.
SELECT coalesce(array_agg(DISTINCT virtualtransaction), '{}')
FROM pg_locks
WHERE locktype = 'relation' AND relation = 'outbox'::regclass AND mode = 'RowExclusiveLock'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database());

-- name: outbox.raise_floor
-- Locks: the floor. $1 the candidate whose writers have ended: they had ended before this statement's snapshot, so it sees all rows up
-- to $1 that will ever be. $2 the next candidate, $3 its writers.
UPDATE outbox_floor
SET floor = greatest(floor, least($1::bigint, (
        SELECT min(head.id) - 1
        FROM outbox_shards s
        CROSS JOIN LATERAL (
            SELECT w.id FROM outbox w WHERE w.shard = s.shard AND w.id > (SELECT floor FROM outbox_floor WHERE only_row)
            ORDER BY w.id LIMIT 1
        ) AS head))),
    candidate = $2, writers = $3::text[]
WHERE only_row AND candidate = $1;

-- name: outbox.reset_floor
-- Locks: the floor.
UPDATE outbox_floor SET floor = 0, candidate = 0, writers = '{}' WHERE only_row;

-- name: outbox.backlog
-- Locks: none. Rows waiting, held ones too (each counted up to 100,000), the age of the oldest in seconds, streams held,
-- and live relays.
SELECT (SELECT count(*)
        FROM (SELECT FROM outbox_shards s CROSS JOIN LATERAL (SELECT FROM outbox w WHERE w.shard = s.shard AND w.id > f.floor) AS one
              LIMIT 100000) AS capped)
           + (SELECT count(*) FROM (SELECT FROM outbox_held LIMIT 100000) AS capped) AS pending,
       coalesce(extract(epoch FROM clock_timestamp() - least(
           (SELECT min(head.created_at)
            FROM outbox_shards s
            CROSS JOIN LATERAL (SELECT created_at FROM outbox WHERE shard = s.shard AND id > f.floor ORDER BY id LIMIT 1) AS head),
           (SELECT created_at FROM outbox_held ORDER BY id LIMIT 1))), 0)::float8 AS oldest_age_seconds,
       (SELECT count(*) FROM outbox_holds) AS held_streams,
       (SELECT count(*) FROM outbox_relays WHERE live_until >= clock_timestamp()) AS relays
FROM outbox_floor f WHERE f.only_row;

-- name: outbox.held_rows
-- Locks: none. Held rows by destination, counted up to 100,000.
SELECT destination, count(*) AS held FROM (SELECT destination FROM outbox_held LIMIT 100000) AS capped GROUP BY destination;
