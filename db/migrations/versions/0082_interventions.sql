-- What on-call engineers do to timers, to the outbox and to consumers, and the queues that wait because a person wants it.
CREATE TABLE interventions (
    id      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    action  text        NOT NULL CHECK (action IN ('timer.fire', 'timer.cancel', 'outbox.hold', 'outbox.retry', 'consumer.pause', 'consumer.resume')),
    subject text        NOT NULL, -- what it was done to: a timer's kind and key, the id of a row of the outbox, a queue
    actor   text        NOT NULL DEFAULT session_user, -- who did it, which a person cannot choose
    reason  text        NOT NULL,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    note    text -- OMS_ACTOR, or the user of the operating system
);
CREATE INDEX interventions_at ON interventions (at);

CREATE TABLE consumer_pauses (
    queue  text        PRIMARY KEY, -- without the prefix
    actor  text        NOT NULL DEFAULT session_user,
    reason text        NOT NULL,
    since  timestamptz NOT NULL DEFAULT clock_timestamp(),
    note   text
);
COMMENT ON TABLE consumer_pauses IS 'queues from which no worker takes messages, because a person wants it';

CREATE INDEX replay_runs_changed ON replay_runs (changed_at);
CREATE INDEX dead_letter_notes_at ON dead_letter_notes (at);
