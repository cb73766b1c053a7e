CREATE VIEW known_replay_outcomes AS
SELECT l.run_id, l.place, l.dead_letter_id, l.queue, l.message_id, l.sent_at, l.settled_at, coalesce(l.outcome, n.outcome) AS outcome,
    coalesce(l.code, n.code) AS code
FROM replay_run_letters l
LEFT JOIN LATERAL (
    SELECT
        CASE
            WHEN d.repeats > l.repeats THEN 'died_again'
            WHEN i.processed_at < l.sent_at THEN 'handled_before'
            WHEN i.processed_at IS NULL THEN NULL
            WHEN c.outcome_type IN ('command.rejected.v1', 'order.rejected.v1') THEN 'refused'
            ELSE 'worked'
        END AS outcome,
        CASE
            WHEN d.repeats > l.repeats THEN d.reason
            WHEN c.outcome_type IN ('command.rejected.v1', 'order.rejected.v1') THEN c.outcome ->> 'code'
        END AS code
    FROM dead_letters d
    LEFT JOIN LATERAL (
        SELECT max(processed_at) AS processed_at FROM inbox WHERE queue = l.queue AND message_id = l.message_id
    ) AS i ON true
    LEFT JOIN commands c ON c.scope = l.scope AND c.request_id = l.request_id
    WHERE d.id = l.dead_letter_id AND l.sent_at IS NOT NULL AND l.outcome IS NULL
    OFFSET 0
) AS n ON true;
COMMENT ON VIEW known_replay_outcomes IS 'what became of each letter of a replay, as noted, or as known by now: it died again, if the same letter was counted again; its command was refused; it was handled, after it was sent or before';
