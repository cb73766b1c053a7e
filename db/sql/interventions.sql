-- What people did to timers, to messages in the outbox and to consumers. The database writes who it was. Locks: none but the new rows.

-- name: interventions.record
-- $1 the action, $2 what it was done to, $3 who was at the terminal, $4 why.
INSERT INTO interventions (action, subject, note, reason) SELECT $1, unnest($2::text[]), $3, $4;

-- name: interventions.list
-- $1 since when or NULL, $2 how many. The newest first.
SELECT at, action, subject, actor, note, reason FROM interventions
WHERE at >= coalesce($1::timestamptz, '-infinity') ORDER BY at DESC LIMIT $2;
