-- name: outbox.append
-- Locks: none. Writes one row per element, ids in the order of the arrays. Fewer rows cannot be: nothing conflicts.
INSERT INTO outbox (shard, stream, message_id, type, destination, routing_key, correlation_id, headers, body, key_id, must_route)
SELECT shard, stream, message_id, type, destination, routing_key, correlation_id, headers, body, key_id, must_route
FROM unnest($1::smallint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
            $8::bytea[], $9::bytea[], $10::text[], $11::boolean[])
     WITH ORDINALITY AS row (shard, stream, message_id, type, destination, routing_key, correlation_id,
                             headers, body, key_id, must_route, place)
ORDER BY place;
