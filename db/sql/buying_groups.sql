-- name: buying_groups.open_and_lock
-- $1 group ids, $2 sizes, $3 deadlines of those that do not exist, $4 the time. Opens these, and locks all until commit, in the order of
-- their ids. An update that changes nothing locks a group that exists, so that two batches cannot open one at once. `opened`: it is new.
INSERT INTO buying_groups AS g (group_id, size, deadline, opened_at)
SELECT n.group_id, n.size, n.deadline, $4::timestamptz
FROM unnest($1::text[], $2::integer[], $3::timestamptz[]) AS n (group_id, size, deadline)
ORDER BY n.group_id
ON CONFLICT (group_id) DO UPDATE SET group_id = g.group_id
RETURNING g.id, g.group_id, g.spu_id, g.size, g.deadline, g.state, g.xmax = 0 AS opened;

-- name: buying_groups.lock
-- $1 keys. Locks: these groups until commit, in the order of their ids. Unknown ones are missing.
SELECT id, group_id, spu_id, size, deadline, state FROM buying_groups WHERE id = ANY($1::bigint[]) ORDER BY group_id FOR UPDATE;

-- name: buying_groups.orders
-- $1 keys of groups (locked). Their orders that have seats as they are now, in order of their ids. Locks: none, because who locks orders
-- never waits for a group: an order that is paid while this is read sends group.paid once that is committed, and then it is counted.
SELECT m.group_key, m.order_id, o.user_id, o.state, o.held
FROM buying_group_orders m
CROSS JOIN LATERAL (SELECT user_id, state, held FROM orders f WHERE f.id = m.order_id OFFSET 0) AS o
WHERE m.group_key = ANY($1::bigint[]) AND o.state NOT IN ('cancelled', 'rejected')
ORDER BY m.group_key, m.order_id;

-- name: buying_groups.join
-- $1 new orders and $2 the keys of the groups (locked) that they join; $3 keys, $4 SPUs, $5 sizes and $6 deadlines of the groups that this
-- batch has opened and that an order joins, for which timers start; $7 groups that it has opened and that no order joins: they are gone.
WITH first AS (
    UPDATE buying_groups g SET spu_id = n.spu_id, size = n.size, deadline = n.deadline
    FROM unnest($3::bigint[], $4::text[], $5::integer[], $6::timestamptz[]) AS n (id, spu_id, size, deadline) WHERE g.id = ANY (ARRAY[n.id])
), timed AS (
    INSERT INTO timers (kind, key, due_at, wake_at)
    SELECT 'group', t.key, t.due_at, t.due_at FROM unnest($3::bigint[], $6::timestamptz[]) AS t (key, due_at)
), unused AS (
    DELETE FROM buying_groups WHERE id = ANY($7::bigint[])
)
INSERT INTO buying_group_orders (order_id, group_key) SELECT * FROM unnest($1::bigint[], $2::bigint[]);

-- name: buying_groups.end
-- $1 keys of open groups (locked), $2 formed or failed, $3 the time. Their timers end with them.
WITH stopped AS (
    DELETE FROM timers WHERE kind = 'group' AND key = ANY($1::bigint[])
)
UPDATE buying_groups g
SET state = n.state, ended_at = greatest(g.opened_at, $3::timestamptz)
FROM unnest($1::bigint[], $2::text[]) AS n (id, state)
WHERE g.id = ANY (ARRAY[n.id]) AND g.state = 'open';

-- name: buying_groups.described
-- $1 group ids. The groups as they are, for the answer to group.get; unknown ones are missing. Locks: none.
SELECT id, group_id, state, spu_id, size, deadline, opened_at, ended_at FROM buying_groups WHERE group_id = ANY($1::text[]);
