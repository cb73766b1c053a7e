-- The group role oms_oncall has the least that the commands of on-call engineers use: `oms audit`, `order`, `stuck`, `stats`, `cases`,
-- `disputes`, `payments`, `dead-letters`, `replays`, `outbox`, `timers`, `consumers`, `subject` and `repair`. `oms migrate` runs this file after each migration, so that new tables are readable too.
-- Who may not create roles leaves that to an administrator: CREATE ROLE oms_oncall NOLOGIN; then `oms migrate` again.
-- A person gets a user of her own: CREATE ROLE ana LOGIN PASSWORD '...' IN ROLE oms_oncall;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'oms_oncall') THEN
        CREATE ROLE oms_oncall NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL; -- another database of this server was faster
    WHEN insufficient_privilege THEN RAISE WARNING 'this user may not create the role oms_oncall';
END
$$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'oms_oncall') THEN
        RETURN;
    END IF;
    GRANT USAGE ON SCHEMA public TO oms_oncall;
    GRANT SELECT ON ALL TABLES IN SCHEMA public TO oms_oncall;

    -- Decisions. Nobody can write another's name: the column actor is not granted and defaults to the user of the session.
    GRANT UPDATE (state, about) ON dead_letters TO oms_oncall;
    GRANT INSERT (dead_letter_id, action, note, reason) ON dead_letter_actions TO oms_oncall;
    GRANT INSERT (dead_letter_id, key_id, body, note, reason) ON dead_letter_edits TO oms_oncall;
    GRANT INSERT (group_name, text, note) ON dead_letter_notes TO oms_oncall;
    GRANT INSERT (selection, rate_per_minute, canary, canary_wait_seconds, canary_passed, success_min_percent, per_order, one_try, note, reason),
        UPDATE (state, why, canary_passed, canary_since, changed_at) ON replay_runs TO oms_oncall;
    GRANT INSERT, UPDATE (sent_at, message_id, outcome, code, settled_at) ON replay_run_letters TO oms_oncall;
    GRANT INSERT (order_id, owed, message_id, note, reason) ON repairs TO oms_oncall;
    GRANT INSERT (order_id, user_id, dead_letter_id, what, note, reason) ON address_accesses TO oms_oncall;

    -- Replays and repairs announce messages. Repairs start timers, and lock the order, for which PostgreSQL wants the right to
    -- update one of its columns: this one hides an order from its buyer and moves nothing.
    GRANT INSERT ON outbox TO oms_oncall;
    GRANT INSERT, UPDATE (last) ON outbox_streams TO oms_oncall;
    GRANT INSERT, UPDATE ON timers TO oms_oncall;
    GRANT UPDATE (deleted) ON orders TO oms_oncall;

    -- Timers, the outbox and consumers. A timer that is deleted though its order waits is one that `oms repair` starts again.
    GRANT INSERT (action, subject, note, reason) ON interventions TO oms_oncall;
    GRANT DELETE ON timers TO oms_oncall;
    GRANT INSERT, UPDATE (until, attempts, reason) ON outbox_holds TO oms_oncall;
    GRANT INSERT (queue, note, reason), DELETE ON consumer_pauses TO oms_oncall;
END
$$;
