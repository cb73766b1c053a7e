-- Groups of a million dead letters are counted in an index that covers them, for which its pages have to be known as visible.
CREATE INDEX dead_letters_groups ON dead_letters (state, fingerprint, queue, type, reason, error_type, worker_version, attempts, died_at);
CREATE INDEX dead_letters_message ON dead_letters (message_id);
CREATE INDEX dead_letters_newest ON dead_letters (state, died_at, id);
CREATE INDEX dead_letters_died ON dead_letters (died_at, id);
ALTER TABLE dead_letters SET (autovacuum_vacuum_insert_scale_factor = 0.02);
ALTER TABLE dead_letter_actions DROP CONSTRAINT dead_letter_actions_action_check;
ALTER TABLE dead_letter_actions ADD CHECK (action IN ('replay', 'discard', 'restore', 'edit', 'import'));

CREATE TABLE dead_letter_edits (
    id             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dead_letter_id bigint      NOT NULL REFERENCES dead_letters (id),
    key_id         text        NOT NULL,
    body           bytea       NOT NULL,
    actor          text        NOT NULL DEFAULT session_user, -- who edited, which a person cannot choose
    reason         text        NOT NULL,
    at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    note           text -- OMS_ACTOR, or the user of the operating system
);
COMMENT ON TABLE dead_letter_edits IS 'bodies that people wrote in place of the one that came; the newest is replayed';
CREATE INDEX dead_letter_edits_letter ON dead_letter_edits (dead_letter_id);

CREATE TABLE dead_letter_notes (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    group_name text        NOT NULL, -- the fingerprint of the letters, or their reason if they have none
    text       text        NOT NULL,
    actor      text        NOT NULL DEFAULT session_user, -- who wrote it, which a person cannot choose
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    note       text -- OMS_ACTOR, or the user of the operating system
);
CREATE INDEX dead_letter_notes_group ON dead_letter_notes (group_name, id);

CREATE TABLE replay_runs (
    id                  bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    state               text        NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'paused', 'stopped', 'cancelled', 'finished')),
    selection           text        NOT NULL,
    rate_per_minute     integer     NOT NULL CHECK (rate_per_minute > 0),
    canary              integer     NOT NULL CHECK (canary >= 0), -- so many letters go first, and alone
    canary_since        timestamptz NOT NULL DEFAULT clock_timestamp(), -- what was sent since then is judged
    canary_passed       boolean     NOT NULL DEFAULT false,
    canary_wait_seconds integer     NOT NULL CHECK (canary_wait_seconds > 0),
    success_min_percent integer     NOT NULL CHECK (success_min_percent BETWEEN 0 AND 100),
    per_order           integer     NOT NULL CHECK (per_order > 0), -- so many letters of one order may be under way
    one_try             boolean     NOT NULL,
    why                 text, -- why it is in its state; null while nothing has changed it
    actor               text        NOT NULL DEFAULT session_user, -- who started it, which a person cannot choose
    reason              text        NOT NULL,
    at                  timestamptz NOT NULL DEFAULT clock_timestamp(),
    note                text, -- OMS_ACTOR, or the user of the operating system
    changed_at          timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON COLUMN replay_runs.state IS 'stopped: by itself, because too few letters worked; paused and cancelled: by a person';

CREATE TABLE replay_run_letters (
    run_id         bigint      NOT NULL REFERENCES replay_runs (id),
    place          integer     NOT NULL, -- they are sent in this order
    dead_letter_id bigint      NOT NULL REFERENCES dead_letters (id),
    queue          text        NOT NULL, -- where it is sent, without the prefix
    order_key      text, -- order:<id>, or null if it names none
    planned_state  text        NOT NULL, -- the letter's, with its repeats: where they are others, it was decided or died meanwhile
    repeats        integer     NOT NULL,
    message_id     text        NOT NULL,
    scope          text, -- of a command, with its request id: where its outcome is stored
    request_id     text,
    sent_at        timestamptz,
    outcome        text        CHECK (outcome IN ('worked', 'refused', 'died_again', 'handled_before', 'left_out')),
    code           text, -- of the refusal; the reason of the new death; why it was left out
    settled_at     timestamptz,
    PRIMARY KEY (run_id, place)
);
CREATE INDEX replay_run_letters_letter ON replay_run_letters (dead_letter_id);
