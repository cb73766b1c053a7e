-- The whole schema as it is now. The migrations build it; a test proves that both are the same.
-- Money is bigint in minor units. Our ids are bigint; the ids of others are text.

CREATE SEQUENCE id_sequence;
CREATE SEQUENCE order_no_sequence;

-- ---------------------------------------------------------------- platform: inbox, commands, outbox, timers, dead letters

CREATE TABLE inbox (
    queue        text        NOT NULL,
    message_id   text        NOT NULL,
    body_hash    bytea       NOT NULL,
    processed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    sender       text        NOT NULL DEFAULT '*',
    PRIMARY KEY (queue, message_id, sender)
);
CREATE INDEX inbox_processed_at ON inbox (processed_at);
COMMENT ON COLUMN inbox.sender IS 'broker user that published first; empty: none named; *: our own processes';

CREATE TABLE commands (
    scope          text        NOT NULL,
    request_id     text        NOT NULL,
    type           text        NOT NULL,
    payload_hash   bytea       NOT NULL,
    message_id     text        NOT NULL,
    correlation_id text        NOT NULL,
    reply_tos      text[]      NOT NULL DEFAULT '{}',
    reply_ids      text[]      NOT NULL DEFAULT '{}',
    received_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    outcome_type   text,
    outcome        jsonb,
    decided_at     timestamptz,
    order_id       bigint,
    PRIMARY KEY (scope, request_id),
    CONSTRAINT commands_replies_whole CHECK (cardinality(reply_tos) = cardinality(reply_ids)),
    CONSTRAINT commands_outcome_whole CHECK (num_nulls(outcome_type, decided_at) IN (0, 2)
        AND num_nonnulls(outcome, order_id) = num_nonnulls(outcome_type))
);
COMMENT ON COLUMN commands.reply_ids IS 'the correlation id of each reply, in the order of reply_tos';
COMMENT ON COLUMN commands.order_id IS 'the outcome is order.created of this order and is rendered from it; else outcome has it';
CREATE INDEX commands_of_others ON commands (split_part(scope, ':', 2)) WHERE split_part(scope, ':', 3) IN ('operator', 'system');
CREATE INDEX commands_decided ON commands (decided_at) WHERE decided_at IS NOT NULL;
CREATE INDEX commands_refused ON commands (decided_at) WHERE outcome_type IN ('command.rejected.v1', 'order.rejected.v1');

CREATE TABLE retention_horizons (
    name    text        PRIMARY KEY,
    horizon timestamptz NOT NULL
);
COMMENT ON TABLE retention_horizons IS 'rows of the named table from before the horizon may have been deleted, because their retention had passed';

CREATE TABLE outbox (
    shard          smallint    NOT NULL,
    id             bigint      GENERATED ALWAYS AS IDENTITY,
    stream         text        NOT NULL,
    message_id     text        NOT NULL,
    type           text        NOT NULL,
    destination    text        NOT NULL CHECK (destination IN ('internal', 'events', 'delay', 'queue', 'dead', 'reply')),
    routing_key    text        NOT NULL,
    correlation_id text        NOT NULL,
    headers        bytea       NOT NULL,
    body           bytea       STORAGE EXTERNAL NOT NULL, -- here for milliseconds: compressing costs more than space
    key_id         text,
    must_route     boolean     NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (shard, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
        toast_tuple_target = 8160);

CREATE INDEX outbox_sealed ON outbox (id) WHERE key_id IS NOT NULL;

-- One row for each stream of events, which is that of a root order, for ever: it is short.
CREATE TABLE outbox_streams (
    stream          text   PRIMARY KEY,
    last            bigint NOT NULL, -- the number of its newest event: 1, 2, 3 ... without gaps
    conversation_id text   NOT NULL  -- the correlation id of the message that began it, which every event of it names
) WITH (fillfactor = 70);

CREATE TABLE outbox_shards (
    shard       smallint    PRIMARY KEY,
    owner       text,                          -- a relay, which holds the shard while its row in outbox_relays is live
    epoch       bigint      NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- One row: reads begin above `floor` (outbox/read_floor.py says why). `candidate` can be the next when `writers` have ended.
CREATE TABLE outbox_floor (
    only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    floor     bigint  NOT NULL DEFAULT 0,
    candidate bigint  NOT NULL DEFAULT 0,
    writers   text[]  NOT NULL DEFAULT '{}'
);

CREATE TABLE outbox_relays (
    owner      text        PRIMARY KEY,
    live_until timestamptz NOT NULL
);

CREATE TABLE outbox_holds (
    stream      text        PRIMARY KEY,
    until       timestamptz NOT NULL,
    attempts    integer     NOT NULL,
    reason      text        NOT NULL,
    shard       smallint    NOT NULL,
    destination text        NOT NULL, -- where the first message of the stream goes
    routing_key text        NOT NULL
);
CREATE INDEX outbox_holds_due ON outbox_holds (shard, until);
CREATE INDEX outbox_holds_address ON outbox_holds (destination, routing_key);

-- The rows of held streams. They leave the outbox, so that its read never passes over them. Each has a hold.
CREATE TABLE outbox_held (
    stream         text        NOT NULL REFERENCES outbox_holds,
    id             bigint      NOT NULL,
    shard          smallint    NOT NULL,
    message_id     text        NOT NULL,
    type           text        NOT NULL,
    destination    text        NOT NULL,
    routing_key    text        NOT NULL,
    correlation_id text        NOT NULL,
    headers        bytea       NOT NULL,
    body           bytea       STORAGE EXTERNAL NOT NULL,
    key_id         text,
    must_route     boolean     NOT NULL,
    created_at     timestamptz NOT NULL,
    PRIMARY KEY (stream, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
CREATE INDEX outbox_held_id ON outbox_held (id);
CREATE INDEX outbox_held_sealed ON outbox_held (id) WHERE key_id IS NOT NULL;

-- What waits in either table, with the reason if it is held.
CREATE VIEW unpublished AS
SELECT id, shard, stream, message_id, type, destination, routing_key, correlation_id, headers, body, key_id, must_route, created_at,
    NULL::text AS held_reason
FROM outbox
UNION ALL
SELECT r.id, r.shard, r.stream, r.message_id, r.type, r.destination, r.routing_key, r.correlation_id, r.headers, r.body, r.key_id,
    r.must_route, r.created_at, h.reason
FROM outbox_held r JOIN outbox_holds h USING (stream);

CREATE TABLE timers (
    kind     text        NOT NULL CHECK (kind IN ('saga', 'payment', 'receipt', 'attempt', 'refund', 'shortage', 'cancelling', 'waybill', 'authorization',
             'after_sale', 'dispute', 'cancellation', 'group')),
    key      bigint      NOT NULL,
    due_at   timestamptz NOT NULL,
    wake_at  timestamptz NOT NULL,
    woken_at timestamptz,
    wakes    integer     NOT NULL DEFAULT 0,
    PRIMARY KEY (kind, key)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
CREATE INDEX timers_wake_at ON timers (wake_at);

CREATE TABLE progress (
    queue text        PRIMARY KEY,
    at    timestamptz NOT NULL
);

CREATE TABLE dead_letters (
    id              bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue           text        NOT NULL,
    message_id      text,
    body_hash       bytea       NOT NULL,
    type            text,
    correlation_id  text,
    reason          text        NOT NULL,
    error_path      text,
    error_type      text,
    error_message   text,
    fingerprint     text,
    attempts        integer     NOT NULL DEFAULT 0,
    exchange        text,
    routing_key     text,
    origin_user     text,
    worker_version  text,
    occurred_at     timestamptz,
    first_failed_at timestamptz,
    last_failed_at  timestamptz,
    died_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    repeats         integer     NOT NULL DEFAULT 0,
    state           text        NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'replayed', 'discarded')),
    key_id          text        NOT NULL,
    body            bytea       NOT NULL,
    headers         bytea       NOT NULL,
    about           text[]
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02);
COMMENT ON COLUMN dead_letters.about IS 'what the body names: user:<id>, order:<id>, number:<ours of an attempt or refund>, payment: and dispute:<provider>/<number>; null: kept before this was noted';
CREATE INDEX dead_letters_about ON dead_letters USING gin (about);
CREATE INDEX dead_letters_unexamined ON dead_letters (id) WHERE about IS NULL;
CREATE UNIQUE INDEX dead_letters_identity ON dead_letters (queue, coalesce(message_id, ''), body_hash);
CREATE INDEX dead_letters_correlation ON dead_letters (correlation_id);
CREATE INDEX dead_letters_open ON dead_letters (queue, died_at) WHERE state = 'open';
CREATE INDEX dead_letters_groups ON dead_letters (state, fingerprint, queue, type, reason, error_type, worker_version, attempts, died_at);
CREATE INDEX dead_letters_message ON dead_letters (message_id);
CREATE INDEX dead_letters_newest ON dead_letters (state, died_at, id);
CREATE INDEX dead_letters_died ON dead_letters (died_at, id);

CREATE TABLE dead_letter_actions (
    id             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dead_letter_id bigint      NOT NULL REFERENCES dead_letters (id),
    action         text        NOT NULL CHECK (action IN ('replay', 'discard', 'restore', 'edit', 'import')),
    actor          text        NOT NULL DEFAULT session_user, -- who decided, which a person cannot choose
    reason         text        NOT NULL,
    at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    note           text -- OMS_ACTOR, or the user of the operating system
);
CREATE INDEX dead_letter_actions_letter ON dead_letter_actions (dead_letter_id);
CREATE INDEX dead_letter_actions_at ON dead_letter_actions (at);

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
CREATE INDEX dead_letter_notes_at ON dead_letter_notes (at);

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
CREATE INDEX replay_runs_changed ON replay_runs (changed_at);
CREATE INDEX replay_run_letters_letter ON replay_run_letters (dead_letter_id);

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

CREATE TABLE standing_alerts (
    name      text        PRIMARY KEY,
    raised_at timestamptz NOT NULL,
    count     bigint      NOT NULL CHECK (count >= 0)
);
COMMENT ON TABLE standing_alerts IS 'what people were last alerted of, by kind, and how many there were; the next alert follows from it';

CREATE TABLE repairs (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id   bigint      NOT NULL,
    owed       text        NOT NULL,
    message_id text,
    actor      text        NOT NULL DEFAULT session_user, -- who repaired, which a person cannot choose
    reason     text        NOT NULL,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    note       text -- OMS_ACTOR, or the user of the operating system
);
CREATE INDEX repairs_order ON repairs (order_id);
CREATE INDEX repairs_at ON repairs (at);

CREATE TABLE address_accesses (
    id             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id       bigint,
    actor          text        NOT NULL DEFAULT session_user, -- who looked, which a person cannot choose: the broker's user on the wire
    reason         text        NOT NULL,
    at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    note           text, -- OMS_ACTOR, or the user of the operating system; on the wire the message's actor
    what           text        NOT NULL DEFAULT 'address' CHECK (what IN ('address', 'case', 'export', 'letter')),
    user_id        text,
    dead_letter_id bigint,
    CONSTRAINT address_accesses_of_one CHECK (num_nonnulls(order_id, user_id, dead_letter_id) = 1)
);
CREATE INDEX address_accesses_order ON address_accesses (order_id);
CREATE INDEX address_accesses_at ON address_accesses (at);
CREATE INDEX address_accesses_user ON address_accesses (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX address_accesses_letter ON address_accesses (dead_letter_id) WHERE dead_letter_id IS NOT NULL;

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
CREATE INDEX interventions_cancelled_timers ON interventions (subject, at) WHERE action = 'timer.cancel';

CREATE TABLE consumer_pauses (
    queue  text        PRIMARY KEY, -- without the prefix
    actor  text        NOT NULL DEFAULT session_user,
    reason text        NOT NULL,
    since  timestamptz NOT NULL DEFAULT clock_timestamp(),
    note   text
);
COMMENT ON TABLE consumer_pauses IS 'queues from which no worker takes messages, because a person wants it';

-- ---------------------------------------------------------------- catalogue

CREATE TABLE skus (
    sku_id       text        PRIMARY KEY,
    revision     bigint      NOT NULL,
    spu_id       text        NOT NULL,
    name         text        NOT NULL,
    specs        jsonb       NOT NULL DEFAULT '{}',
    on_sale      boolean     NOT NULL,
    price        bigint      NOT NULL CHECK (price >= 0),
    currency     text        NOT NULL,
    product_type text        NOT NULL,
    category_id  text,
    seller_id    text,
    image_url    text,
    unit         text,
    updated_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    tax_class    text,
    gift_points  integer     NOT NULL DEFAULT 0 CHECK (gift_points >= 0),
    gift_growth  integer     NOT NULL DEFAULT 0 CHECK (gift_growth >= 0),
    points_limit integer     CHECK (points_limit >= 0),
    purchase_price bigint    CHECK (purchase_price >= 0)
);
COMMENT ON COLUMN skus.points_limit IS 'points that one unit can be paid with at most; null: no limit of its own';
COMMENT ON COLUMN skus.purchase_price IS 'what the shop pays for a unit; null: not known';

CREATE TABLE promotions (
    promo_id       text        PRIMARY KEY,
    revision       bigint      NOT NULL,
    name           text        NOT NULL,
    kind           text        NOT NULL CHECK (kind IN ('none', 'single', 'member', 'ladder', 'full_reduction', 'flash')),
    scope          text        NOT NULL CHECK (scope IN ('spu', 'category', 'all')),
    scope_id       text,
    currency       text        NOT NULL,
    terms          jsonb       NOT NULL,
    starts_at      timestamptz NOT NULL,
    ends_at        timestamptz NOT NULL,
    per_user_limit integer     CHECK (per_user_limit > 0),
    updated_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT promotions_scope CHECK ((scope = 'all') = (scope_id IS NULL)),
    CONSTRAINT promotions_time CHECK (starts_at < ends_at)
);
COMMENT ON COLUMN promotions.terms IS 'prices by SKU (single, flash), by level and SKU (member), or steps (ladder, full_reduction)';
CREATE INDEX promotions_scope_index ON promotions (scope, scope_id, ends_at);

CREATE TABLE promotion_quotas (
    promo_id text    PRIMARY KEY REFERENCES promotions (promo_id),
    quantity integer NOT NULL CHECK (quantity >= 0),
    sold     integer NOT NULL DEFAULT 0 CHECK (sold >= 0),
    CONSTRAINT promotion_never_oversold CHECK (sold <= quantity)
) WITH (fillfactor = 10);

CREATE TABLE business_policies (
    business_type text        PRIMARY KEY,
    revision      bigint      NOT NULL,
    policy        jsonb       NOT NULL,
    updated_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE warehouse_lists (
    id         text        PRIMARY KEY,
    revision   bigint      NOT NULL,
    sku_id     text        NOT NULL,
    country    text        NOT NULL,
    province   text        NOT NULL,
    warehouses text[]      NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT warehouse_lists_region CHECK (country <> '' OR province = '')
);
COMMENT ON TABLE warehouse_lists IS 'where a line comes from that names no warehouse, the best first; an empty SKU, country or province: any';
CREATE UNIQUE INDEX warehouse_lists_of ON warehouse_lists (sku_id, country, province);

CREATE TABLE warehouse_hours (
    warehouse  text        PRIMARY KEY,
    revision   bigint      NOT NULL,
    hours      jsonb       NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE warehouse_hours IS 'when a warehouse works: its time zone, cut-off, days of the week and holidays; {}: it follows the shop';

-- ---------------------------------------------------------------- what users have: membership, coupons, points, carts

CREATE TABLE members (
    user_id    text        PRIMARY KEY,
    revision   bigint      NOT NULL,
    level      text        NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    blocked    boolean     NOT NULL DEFAULT false
);

CREATE TABLE user_keys (
    key_id      text        PRIMARY KEY,
    user_id     text        NOT NULL,
    shop_key_id text,
    wrapped     bytea,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    erased_at   timestamptz,
    CONSTRAINT user_keys_erased CHECK (num_nulls(shop_key_id, wrapped) = CASE WHEN erased_at IS NULL THEN 0 ELSE 2 END)
);
COMMENT ON TABLE user_keys IS 'the data key of each user, encrypted with the key shop_key_id of the shop; an erased one is gone, and its id stays';
CREATE UNIQUE INDEX user_keys_live ON user_keys (user_id) WHERE erased_at IS NULL;
CREATE INDEX user_keys_dropped ON user_keys (user_id) WHERE erased_at IS NOT NULL;

CREATE TABLE coupon_templates (
    template_id    text        PRIMARY KEY,
    revision       bigint      NOT NULL,
    name           text        NOT NULL,
    amount         bigint      NOT NULL CHECK (amount > 0),
    currency       text        NOT NULL,
    min_amount     bigint      NOT NULL DEFAULT 0 CHECK (min_amount >= 0),
    scope          text        NOT NULL CHECK (scope IN ('all', 'category', 'sku')),
    scope_ids      text[]      NOT NULL DEFAULT '{}',
    channels       text[]      NOT NULL DEFAULT '{}',
    member_levels  text[]      NOT NULL DEFAULT '{}',
    valid_from     timestamptz NOT NULL,
    valid_to       timestamptz NOT NULL,
    per_user_limit integer     CHECK (per_user_limit > 0),
    count          integer     CHECK (count >= 0),
    issued         integer     NOT NULL DEFAULT 0 CHECK (issued >= 0),
    updated_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT coupon_templates_time CHECK (valid_from < valid_to),
    CONSTRAINT coupon_templates_scope CHECK ((scope = 'all') = (cardinality(scope_ids) = 0))
) WITH (fillfactor = 50);
COMMENT ON COLUMN coupon_templates.channels IS 'empty: any; the same for member_levels';

CREATE TABLE coupons (
    coupon_id     text        PRIMARY KEY,
    template_id   text        NOT NULL REFERENCES coupon_templates (template_id),
    name          text        NOT NULL,
    user_id       text        NOT NULL,
    state         text        NOT NULL CHECK (state IN ('issued', 'locked', 'used', 'expired')),
    order_id      bigint,
    amount        bigint      NOT NULL CHECK (amount > 0),
    currency      text        NOT NULL,
    min_amount    bigint      NOT NULL,
    scope         text        NOT NULL,
    scope_ids     text[]      NOT NULL,
    channels      text[]      NOT NULL,
    member_levels text[]      NOT NULL,
    valid_from    timestamptz NOT NULL,
    valid_to      timestamptz NOT NULL,
    issued_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT coupons_one_order CHECK ((state IN ('locked', 'used')) = (order_id IS NOT NULL))
) WITH (fillfactor = 70);
COMMENT ON TABLE coupons IS 'a coupon keeps the terms it was issued under';
CREATE INDEX coupons_user ON coupons (user_id, state);
CREATE INDEX coupons_template_user ON coupons (template_id, user_id);
CREATE INDEX coupons_order ON coupons (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX coupons_expiry ON coupons (valid_to) WHERE state = 'issued';

CREATE TABLE coupon_ledger (
    coupon_id text        NOT NULL,
    order_id  bigint      NOT NULL,
    op        text        NOT NULL CHECK (op IN ('lock', 'use', 'release', 'return', 'relock', 'rerelease')),
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (coupon_id, order_id, op)
);

CREATE TABLE free_texts (
    type       text        NOT NULL,
    field      text        NOT NULL,
    about      text        NOT NULL,
    message_id text        NOT NULL,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    key_id     text        NOT NULL,
    ciphertext bytea       NOT NULL,
    sender     text        NOT NULL DEFAULT '',
    PRIMARY KEY (about, type, field, message_id, sender)
);
CREATE INDEX free_texts_at ON free_texts (at);
COMMENT ON TABLE free_texts IS 'what people and strangers wrote in messages, encrypted';
COMMENT ON COLUMN free_texts.sender IS 'hash of the sender''s name, whose message id it is; empty: none named, or written by an older version';
COMMENT ON COLUMN free_texts.about IS 'what it is about: an order''s id, a refund''s number, provider and trade number, a user, or warehouse and SKU';

CREATE TABLE revision_resets (
    kind     text        NOT NULL,
    id       text        NOT NULL,
    previous bigint      NOT NULL,
    revision bigint      NOT NULL CHECK (revision >= 0),
    by_user  text        NOT NULL,
    key_id   text        NOT NULL,
    reason   bytea       NOT NULL,
    at       timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX revision_resets_entry ON revision_resets (kind, id);
CREATE INDEX revision_resets_at ON revision_resets (at);
COMMENT ON TABLE revision_resets IS 'each revision of the catalogue that was set by revision.reset, by whom and why';

CREATE TABLE points_accounts (
    user_id text   PRIMARY KEY,
    balance bigint NOT NULL DEFAULT 0,
    held    bigint NOT NULL DEFAULT 0 CHECK (held >= 0),
    growth  bigint NOT NULL DEFAULT 0,
    CONSTRAINT points_never_overspent CHECK (held <= balance)
) WITH (fillfactor = 50);

CREATE TABLE points_ledger (
    user_id  text        NOT NULL,
    op       text        NOT NULL
             CHECK (op IN ('grant', 'hold', 'use', 'release', 'return', 'reclaim', 'award', 'revoke', 'restore', 'add', 'deduct')),
    ref      text        NOT NULL,
    order_id bigint,
    points   bigint      NOT NULL CHECK (points >= 0),
    growth   bigint      NOT NULL DEFAULT 0 CHECK (growth >= 0),
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    short    bigint      NOT NULL DEFAULT 0 CHECK (short >= 0),
    PRIMARY KEY (user_id, op, ref)
);
COMMENT ON COLUMN points_ledger.short IS 'points that were to be taken besides, but that the account did not have free';
CREATE INDEX points_ledger_order ON points_ledger (order_id) WHERE order_id IS NOT NULL;

CREATE TABLE cart_lines (
    user_id    text        NOT NULL,
    sku_id     text        NOT NULL,
    qty        integer     NOT NULL CHECK (qty > 0),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (user_id, sku_id)
);
CREATE INDEX cart_lines_updated ON cart_lines (updated_at);

CREATE TABLE order_drafts (
    id         bigint      PRIMARY KEY,
    user_id    text        NOT NULL,
    revision   bigint      NOT NULL CHECK (revision > 0),
    content    jsonb       NOT NULL,
    key_id     text        NOT NULL,
    ciphertext bytea       NOT NULL,
    order_id   bigint,
    saved_at   timestamptz NOT NULL
);
CREATE INDEX order_drafts_user ON order_drafts (user_id);
CREATE INDEX order_drafts_saved ON order_drafts (saved_at);
CREATE INDEX order_drafts_order ON order_drafts (order_id) WHERE order_id IS NOT NULL;
COMMENT ON TABLE order_drafts IS 'orders that buyers saved and have not placed';
COMMENT ON COLUMN order_drafts.content IS 'channel, currency and lines';
COMMENT ON COLUMN order_drafts.ciphertext IS 'address and remark as JSON, encrypted with the key of the user';
COMMENT ON COLUMN order_drafts.order_id IS 'the order that was placed from it; the draft is deleted once that is created, and free if it was rejected';

CREATE TABLE user_contacts (
    user_id     text        NOT NULL,
    medium      text        NOT NULL CHECK (medium IN ('email', 'sms', 'push')),
    key_id      text        NOT NULL,
    ciphertext  bytea       NOT NULL,
    language    text        NOT NULL,
    enabled     boolean     NOT NULL,
    quiet_begin text,
    quiet_until text,
    time_zone   text,
    opt_outs    text[]      NOT NULL,
    changed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (user_id, medium)
);
COMMENT ON COLUMN user_contacts.ciphertext IS 'the address, encrypted with the key of the user';

CREATE TABLE buyer_notifications (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cause      text        NOT NULL,
    user_id    text        NOT NULL,
    medium     text        NOT NULL CHECK (medium IN ('email', 'sms', 'push')),
    kind       text        NOT NULL,
    order_id   bigint      NOT NULL,
    content    jsonb       NOT NULL,
    state      text        NOT NULL CHECK (state IN ('pending', 'sent', 'failed', 'skipped')),
    reason     text,
    attempts   integer     NOT NULL DEFAULT 0,
    wake_at    timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at   timestamptz,
    UNIQUE (user_id, cause, medium),
    CHECK ((state = 'pending') = (ended_at IS NULL)),
    CHECK (state <> 'skipped' OR reason IS NOT NULL)
) WITH (fillfactor = 80);
COMMENT ON COLUMN buyer_notifications.cause IS 'the id of the event that it is about';
COMMENT ON COLUMN buyer_notifications.content IS 'the event, which has no personal data; its template reads it';
CREATE INDEX buyer_notifications_waiting ON buyer_notifications (wake_at) WHERE state = 'pending';
CREATE INDEX buyer_notifications_created ON buyer_notifications (created_at);

CREATE TABLE issued_order_numbers (
    order_no  text        PRIMARY KEY,
    user_id   text        NOT NULL,
    order_id  bigint,
    issued_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX issued_order_numbers_order ON issued_order_numbers (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX issued_order_numbers_unused ON issued_order_numbers (issued_at) WHERE order_id IS NULL;

-- ---------------------------------------------------------------- orders

CREATE TABLE order_numbers (
    order_no text   PRIMARY KEY,
    order_id bigint NOT NULL
);
COMMENT ON TABLE order_numbers IS 'which order has a number, also once the order is archived; a trigger of orders writes it';

CREATE TABLE orders (
    id                bigint      PRIMARY KEY,
    order_uuid        uuid        NOT NULL GENERATED ALWAYS AS (lpad(to_hex(id), 32, '0')::uuid) STORED,
    root_id           bigint      NOT NULL,
    parent_id         bigint,
    kind              text        NOT NULL DEFAULT 'sale' CHECK (kind IN ('sale', 'split_parent', 'split_child', 'exchange')),
    order_no          text,
    request_id        text        NOT NULL,
    business_type     text        NOT NULL,
    order_type        text        NOT NULL DEFAULT 'normal',
    business_order_id text,
    channel           text        NOT NULL,
    source            text        NOT NULL,
    seller_id         text,
    user_id           text        NOT NULL,
    state             text        NOT NULL CHECK (state IN ('placing', 'awaiting_payment', 'paid', 'fulfilling', 'shipped',
                                  'delivered', 'cancelling', 'cancelled', 'completed', 'delivery_failed', 'split', 'rejected', 'reinstating')),
    version           integer     NOT NULL,
    cancel_type       text,
    reason_code       text,
    currency          text        NOT NULL,
    origin_amount     bigint      NOT NULL CHECK (origin_amount >= 0),
    promotion_amount  bigint      NOT NULL DEFAULT 0 CHECK (promotion_amount >= 0),
    coupon_amount     bigint      NOT NULL DEFAULT 0 CHECK (coupon_amount >= 0),
    points_amount     bigint      NOT NULL DEFAULT 0 CHECK (points_amount >= 0),
    adjustment_amount bigint      NOT NULL DEFAULT 0,
    shipping_fee      bigint      NOT NULL DEFAULT 0 CHECK (shipping_fee >= 0),
    box_fee           bigint      NOT NULL DEFAULT 0 CHECK (box_fee >= 0),
    tax_amount        bigint      NOT NULL DEFAULT 0 CHECK (tax_amount >= 0),
    payable_amount    bigint      NOT NULL CHECK (payable_amount >= 0),
    captured_amount   bigint      NOT NULL DEFAULT 0 CHECK (captured_amount >= 0),
    refunded_amount   bigint      NOT NULL DEFAULT 0 CHECK (refunded_amount >= 0),
    coupon_id         text,
    use_points        bigint      NOT NULL DEFAULT 0,
    gift_points       bigint      NOT NULL DEFAULT 0,
    gift_growth       bigint      NOT NULL DEFAULT 0,
    intent_id         bigint,
    remark_key_id     text,
    user_remark       bytea,
    ops_note          text,
    deleted           boolean     NOT NULL DEFAULT false,
    commented         boolean     NOT NULL DEFAULT false,
    held              boolean     NOT NULL DEFAULT false,
    policy            jsonb       NOT NULL DEFAULT '{}',
    ext               jsonb       NOT NULL DEFAULT '{}',
    created_at        timestamptz NOT NULL,
    expire_at         timestamptz NOT NULL,
    paid_at           timestamptz,
    shipped_at        timestamptz,
    delivered_at      timestamptz,
    completed_at      timestamptz,
    cancelled_at      timestamptz,
    updated_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    quota_units       integer     NOT NULL DEFAULT 0 CHECK (quota_units >= 0),
    conversation_id   text        NOT NULL,
    CONSTRAINT orders_payable_adds_up CHECK (payable_amount = origin_amount - promotion_amount - coupon_amount
        - points_amount - adjustment_amount + shipping_fee + box_fee + tax_amount),
    CONSTRAINT orders_family_ids CHECK (abs(id - root_id) < 86400000::bigint << 22), -- who locks a family looks in these months alone
    CONSTRAINT orders_numbered CHECK (order_no IS NOT NULL OR state IN ('placing', 'rejected')),
    CONSTRAINT orders_paid_at CHECK (paid_at IS NOT NULL OR state NOT IN ('paid', 'fulfilling', 'shipped', 'delivered', 'completed')),
    CONSTRAINT orders_cancelled_whole CHECK (state <> 'cancelled' OR (cancelled_at IS NOT NULL AND cancel_type IS NOT NULL))
) PARTITION BY RANGE (id);
COMMENT ON COLUMN orders.quota_units IS 'units of this root order in promotion_uses';
COMMENT ON COLUMN orders.conversation_id IS 'the correlation id of the order.create that placed it';
CREATE INDEX orders_user ON orders (user_id, id);
CREATE INDEX orders_user_state ON orders (user_id, state, id);
CREATE INDEX orders_state_created ON orders (state, created_at);
CREATE INDEX orders_paid_at_index ON orders (paid_at) WHERE paid_at IS NOT NULL;
CREATE INDEX orders_root ON orders (root_id) WHERE root_id <> id;

CREATE TABLE order_items (
    order_id         bigint   NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    line_no          smallint NOT NULL,
    sku_id           text     NOT NULL,
    warehouse        text     NOT NULL,
    spu_id           text     NOT NULL,
    name             text     NOT NULL,
    product_type     text     NOT NULL,
    seller_id        text,
    qty              integer  NOT NULL CHECK (qty > 0),
    unit_price       bigint   NOT NULL CHECK (unit_price >= 0),
    origin_amount    bigint   NOT NULL,
    promotion_amount bigint   NOT NULL DEFAULT 0,
    coupon_amount    bigint   NOT NULL DEFAULT 0,
    points_amount    bigint   NOT NULL DEFAULT 0,
    tax_amount       bigint   NOT NULL DEFAULT 0,
    shipping_share   bigint   NOT NULL DEFAULT 0,
    payable_amount   bigint   NOT NULL CHECK (payable_amount >= 0),
    refunded_qty     integer  NOT NULL DEFAULT 0,
    refunded_amount  bigint   NOT NULL DEFAULT 0,
    category_id      text,
    promotion_id     text,
    promotion_revision bigint,
    promotion_text   text,
    quota_units      integer  NOT NULL DEFAULT 0 CHECK (quota_units BETWEEN 0 AND qty),
    gift_points      bigint   NOT NULL DEFAULT 0,
    gift_growth      bigint   NOT NULL DEFAULT 0,
    short_qty        integer  NOT NULL DEFAULT 0 CHECK (short_qty >= 0),
    cancelled_qty    integer  NOT NULL DEFAULT 0 CHECK (cancelled_qty >= 0),
    specs            jsonb,
    image_url        text,
    unit             text,
    tax_basis_points integer,
    adjustment_amount bigint  NOT NULL DEFAULT 0,
    shipping_adjustment bigint NOT NULL DEFAULT 0,
    refunded_shipping bigint  NOT NULL DEFAULT 0,
    purchase_price   bigint   CHECK (purchase_price >= 0),
    PRIMARY KEY (order_id, line_no),
    CONSTRAINT order_items_discounts CHECK (promotion_amount >= 0 AND coupon_amount >= 0 AND points_amount >= 0
        AND promotion_amount + coupon_amount + points_amount <= origin_amount),
    CONSTRAINT order_items_payable CHECK (payable_amount = origin_amount - promotion_amount - coupon_amount
        - points_amount - adjustment_amount + tax_amount + shipping_share),
    CONSTRAINT order_items_adjusted CHECK (shipping_share - shipping_adjustment BETWEEN 0 AND payable_amount),
    CONSTRAINT order_items_origin CHECK (origin_amount = unit_price * qty),
    CONSTRAINT order_items_shipping CHECK (refunded_shipping BETWEEN 0 AND shipping_share - shipping_adjustment),
    CONSTRAINT order_items_dropped CHECK (short_qty + cancelled_qty <= refunded_qty),
    CONSTRAINT order_items_refunded CHECK (refunded_qty BETWEEN 0 AND qty AND refunded_amount BETWEEN 0 AND payable_amount)
) PARTITION BY RANGE (order_id);
CREATE INDEX order_items_sku_time ON order_items (sku_id, order_id);

COMMENT ON TABLE order_items IS 'lines as they were sold; their warehouse until they have their goods, the units and the money that went back change';
COMMENT ON COLUMN order_items.specs IS 'null: the line is older than this column, and snapshot 3 of its order has specs, image_url, unit and tax rate';
COMMENT ON COLUMN order_items.tax_basis_points IS 'null: no tax was added';
COMMENT ON COLUMN order_items.adjustment_amount IS 'what operators took off the line; shipping_adjustment of it off its shipping_share';
COMMENT ON COLUMN order_items.refunded_shipping IS 'the part of refunded_amount that is shipping';
COMMENT ON COLUMN order_items.purchase_price IS 'what the shop paid for a unit, for operators only; null: it was not known when the line was sold';
COMMENT ON COLUMN order_items.short_qty IS 'units that the warehouse did not have; they were given back';
COMMENT ON COLUMN order_items.cancelled_qty IS 'units that were cancelled after others had left; they were given back';

CREATE TABLE dropped_units (
    order_id bigint      NOT NULL,
    ref      text        NOT NULL,
    line_no  smallint    NOT NULL,
    kind     text        NOT NULL CHECK (kind IN ('short', 'cancelled')),
    qty      integer     NOT NULL CHECK (qty > 0),
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (order_id, ref, line_no),
    FOREIGN KEY (order_id, line_no) REFERENCES order_items (order_id, line_no) ON DELETE CASCADE
);
COMMENT ON TABLE dropped_units IS 'units that a partly shipped order will not ship; ref is the cause of their refund and the ref of their restock';

CREATE TABLE order_adjustments (
    order_id    bigint      NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    version     integer     NOT NULL,
    line_no     smallint    NOT NULL,
    amount      bigint      NOT NULL,
    shipping    bigint      NOT NULL,
    reason_code text        NOT NULL,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (order_id, version, line_no)
);
COMMENT ON TABLE order_adjustments IS 'what operators took off an unpaid order; a row of line 0 is the whole order, the others are its own lines';
COMMENT ON COLUMN order_adjustments.amount IS 'what came off, less than 0 if it was put on; shipping is the part that came off the shipping';

CREATE TABLE order_holds (
    id                  bigint      PRIMARY KEY,
    order_id            bigint      NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    kind                text        NOT NULL CHECK (kind IN ('operator', 'risk', 'shortage', 'payment', 'group')),
    reason_code         text        NOT NULL,
    message_id          text        NOT NULL,
    held_since          timestamptz NOT NULL,
    placed_at           timestamptz NOT NULL,
    placed_by_type      text        NOT NULL,
    placed_by           text        NOT NULL,
    released_at         timestamptz,
    released_by_type    text,
    released_by         text,
    release_reason_code text,
    CONSTRAINT order_holds_released CHECK ((released_at IS NULL) = (released_by IS NULL) AND released_at >= placed_at)
);
CREATE INDEX order_holds_order ON order_holds (order_id);
CREATE INDEX order_holds_open ON order_holds (placed_at, id) WHERE released_at IS NULL;
COMMENT ON TABLE order_holds IS 'holds of orders; orders.held says whether an order has an open one';
COMMENT ON COLUMN order_holds.held_since IS 'when its order began to be held: the first hold of an unbroken row';

CREATE TABLE scheduled_cancellations (
    order_id     bigint      PRIMARY KEY REFERENCES orders (id) ON DELETE CASCADE,
    at           timestamptz NOT NULL,
    actor_type   text        NOT NULL,
    actor_id     text        NOT NULL,
    unpaid       boolean     NOT NULL,
    reason_code  text,
    scheduled_at timestamptz NOT NULL,
    CONSTRAINT scheduled_cancellations_ahead CHECK (at > scheduled_at)
);
COMMENT ON TABLE scheduled_cancellations IS 'orders that are to be cancelled at a time; a timer of kind cancellation has the same one';

CREATE TABLE order_addresses (
    order_id     bigint   PRIMARY KEY REFERENCES orders (id) ON DELETE CASCADE,
    country      text     NOT NULL,
    key_id       text     NOT NULL,
    ciphertext   bytea    NOT NULL,
    modify_count smallint NOT NULL DEFAULT 0
) PARTITION BY RANGE (order_id);

CREATE TABLE fulfilments (
    order_id        bigint      NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    warehouse       text        NOT NULL,
    state           text        NOT NULL CHECK (state IN ('requested', 'accepted', 'picking', 'packed', 'handed_over', 'refused', 'withdrawn')),
    number          integer     NOT NULL CHECK (number > 0),
    units           integer     NOT NULL CHECK (units >= 0),
    address_changes integer     NOT NULL,
    cancel_no       integer,
    ref             text,
    reason_code     text,
    requested_at    timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    PRIMARY KEY (order_id, warehouse),
    CONSTRAINT fulfilments_cancel_open CHECK (cancel_no IS NULL OR state NOT IN ('requested', 'withdrawn'))
) PARTITION BY RANGE (order_id);
COMMENT ON COLUMN fulfilments.number IS 'counts the requests that were sent; facts name the one that they answer';
COMMENT ON COLUMN fulfilments.cancel_no IS 'the order version of a cancellation that the warehouse has not answered';
CREATE INDEX fulfilments_open ON fulfilments (warehouse, requested_at) WHERE state IN ('requested', 'accepted', 'picking', 'packed');
CREATE INDEX fulfilments_waiting ON fulfilments ((CASE WHEN state IN ('requested', 'accepted', 'picking', 'packed') OR cancel_no IS NOT NULL THEN updated_at END))
    WHERE CASE WHEN state IN ('requested', 'accepted', 'picking', 'packed') OR cancel_no IS NOT NULL THEN updated_at END IS NOT NULL;

CREATE TABLE fulfilment_steps (
    id          bigint      GENERATED ALWAYS AS IDENTITY,
    order_id    bigint      NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    warehouse   text        NOT NULL,
    pre_state   text        NOT NULL,
    cur_state   text        NOT NULL,
    number      integer     NOT NULL,
    cause_type  text        NOT NULL,
    cause_id    text        NOT NULL,
    reason_code text,
    happened_at timestamptz NOT NULL,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (order_id, id)
) PARTITION BY RANGE (order_id);

CREATE TABLE captcha_challenges (
    order_id    bigint      PRIMARY KEY,
    required_at timestamptz NOT NULL,
    until       timestamptz NOT NULL,
    answers     integer     NOT NULL CHECK (answers >= 0),
    answered_at timestamptz,
    CONSTRAINT captcha_challenges_time CHECK (required_at < until)
);
CREATE INDEX captcha_challenges_open ON captcha_challenges (until) WHERE answered_at IS NULL;
COMMENT ON TABLE captcha_challenges IS 'captchas that the risk check wants before it judges an order; a row ends with the verdict, or with the order';
COMMENT ON COLUMN captcha_challenges.answers IS 'how many answers the buyer has given; answered_at is when the last came, null while one is awaited';

CREATE TABLE order_notes (
    order_id   bigint      PRIMARY KEY,
    key_id     text        NOT NULL,
    ciphertext bytea       NOT NULL,
    actor_id   text        NOT NULL,
    changed_at timestamptz NOT NULL
);
COMMENT ON TABLE order_notes IS 'what operators note with an order, for operators; encrypted with the key of its user';

CREATE TABLE imported_orders (
    order_id    bigint      PRIMARY KEY,
    source      text        NOT NULL,
    external_no text        NOT NULL,
    imported_at timestamptz NOT NULL,
    CONSTRAINT imported_orders_once UNIQUE (source, external_no)
);
COMMENT ON TABLE imported_orders IS 'what orders that were taken from other systems are called there';

CREATE TABLE buying_groups (
    id        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    group_id  text        NOT NULL UNIQUE,
    spu_id    text,
    size      integer     NOT NULL CHECK (size > 1),
    deadline  timestamptz NOT NULL,
    state     text        NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'formed', 'failed')),
    opened_at timestamptz NOT NULL,
    ended_at  timestamptz,
    CONSTRAINT buying_groups_ended CHECK ((state = 'open') = (ended_at IS NULL))
);
CREATE INDEX buying_groups_ended_at ON buying_groups (ended_at) WHERE ended_at IS NOT NULL;

COMMENT ON TABLE buying_groups IS 'groups of orders of which all go on or none: formed once size of them are paid, failed at the deadline';
COMMENT ON COLUMN buying_groups.group_id IS 'chosen by who sent the first order of the group; size and deadline are from the policy of that order';
COMMENT ON COLUMN buying_groups.spu_id IS 'the SPU of all its goods; null only inside the transaction that opens it';

CREATE TABLE buying_group_orders (
    order_id  bigint PRIMARY KEY REFERENCES orders (id) ON DELETE CASCADE,
    group_key bigint NOT NULL REFERENCES buying_groups (id) ON DELETE CASCADE
);
CREATE INDEX buying_group_orders_group ON buying_group_orders (group_key, order_id);

COMMENT ON TABLE buying_group_orders IS 'the orders that joined a group; one that is neither cancelled nor rejected has a seat';
COMMENT ON COLUMN buying_group_orders.group_key IS 'buying_groups.id, which orders.policy has as buying_group';

CREATE TABLE order_snapshots (
    order_id   bigint      NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    type       smallint    NOT NULL CHECK (type BETWEEN 1 AND 6),
    data       jsonb       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (order_id, type)
) PARTITION BY RANGE (order_id);
COMMENT ON COLUMN order_snapshots.type IS '1 coupon, 5 promotion rules used, 6 risk verdict; 2 amount and 3 item only of older orders';

CREATE TABLE promotion_uses (
    promo_id    text        NOT NULL,
    order_id    bigint      NOT NULL,
    user_id     text        NOT NULL,
    units       integer     NOT NULL CHECK (units > 0),
    used_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    returned_at timestamptz,
    PRIMARY KEY (promo_id, order_id)
);
COMMENT ON TABLE promotion_uses IS 'units that an order bought at a price that is limited in all or per user; order_id is the root';
CREATE INDEX promotion_uses_user ON promotion_uses (user_id, promo_id) WHERE returned_at IS NULL;
CREATE INDEX promotion_uses_order ON promotion_uses (order_id);

CREATE TABLE operate_logs (
    order_id     bigint      NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    version      integer     NOT NULL,
    operate_type smallint    NOT NULL,
    pre_state    text        NOT NULL,
    cur_state    text        NOT NULL,
    actor_type   text        NOT NULL,
    actor_id     text        NOT NULL,
    cause_type   text        NOT NULL,
    cause_id     text        NOT NULL,
    remark       text        NOT NULL,
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (order_id, version)
) PARTITION BY RANGE (order_id);
CREATE INDEX operate_logs_day ON operate_logs (at)
    WHERE pre_state <> cur_state
        AND (cur_state IN ('awaiting_payment', 'paid', 'cancelled', 'rejected', 'delivered', 'delivery_failed')
            OR (pre_state = 'shipped' AND cur_state = 'completed'));

-- Amounts live once, in orders and order_items; these are the shapes the source documents give them.
CREATE VIEW order_amounts AS
    SELECT o.id AS order_id, a.type, a.amount
    FROM orders o
    CROSS JOIN LATERAL (VALUES (10, o.origin_amount), (15, o.promotion_amount), (20, o.coupon_amount), (25, o.points_amount),
        (30, o.shipping_fee), (35, o.tax_amount), (40, o.box_fee), (45, o.adjustment_amount), (50, o.payable_amount)) AS a (type, amount);
CREATE VIEW order_amount_details AS
    SELECT i.order_id, i.line_no, i.sku_id, a.type, a.amount
    FROM order_items i
    CROSS JOIN LATERAL (VALUES (10, i.origin_amount), (15, i.promotion_amount), (20, i.coupon_amount), (25, i.points_amount),
        (30, i.shipping_share), (35, i.tax_amount), (45, i.adjustment_amount), (50, i.payable_amount)) AS a (type, amount);
CREATE VIEW snapshots AS
    SELECT order_id, type, data, created_at FROM order_snapshots
    UNION ALL
    SELECT o.id, 2::smallint, jsonb_build_object('currency', o.currency, 'origin', o.origin_amount, 'promotion', o.promotion_amount,
        'coupon', o.coupon_amount, 'points', o.points_amount, 'shipping', o.shipping_fee, 'tax', o.tax_amount, 'payable', o.payable_amount + o.adjustment_amount,
        'stages', '["promotion", "coupon", "points", "shipping", "tax"]'::jsonb,
        'rounding', jsonb_build_object('discount', coalesce(o.policy ->> 'discount_rounding', 'half_even'),
            'tax', coalesce(o.policy ->> 'tax_rounding', 'half_up'))), o.created_at
    FROM orders o
    WHERE NOT EXISTS (SELECT FROM order_snapshots s WHERE s.order_id = o.id AND s.type = 2)
    UNION ALL
    SELECT o.id, 3::smallint, l.lines, o.created_at
    FROM orders o
    CROSS JOIN LATERAL (
        SELECT jsonb_agg(jsonb_build_object('line_no', i.line_no, 'sku_id', i.sku_id, 'name', i.name, 'qty', i.qty,
                'unit_price', i.unit_price, 'payable', i.payable_amount + i.adjustment_amount, 'specs', i.specs, 'category_id', i.category_id,
                'image_url', i.image_url, 'unit', i.unit)
            || CASE WHEN i.tax_basis_points IS NULL THEN '{}'::jsonb
                ELSE jsonb_build_object('tax', i.tax_amount, 'tax_basis_points', i.tax_basis_points) END
            || CASE WHEN i.promotion_id IS NULL THEN '{}'::jsonb
                ELSE jsonb_build_object('promotion_id', i.promotion_id, 'promotion', i.promotion_amount,
                    'promotion_text', i.promotion_text) END
            ORDER BY i.line_no) AS lines
        FROM order_items i
        WHERE i.order_id = ANY (o.id || ARRAY(SELECT c.id FROM orders c WHERE c.root_id = o.id AND c.root_id <> c.id))
    ) AS l
    WHERE l.lines IS NOT NULL AND NOT EXISTS (SELECT FROM order_snapshots s WHERE s.order_id = o.id AND s.type = 3);
COMMENT ON VIEW snapshots IS 'an order''s own copy of its coupon, amounts, lines and rules, as the source documents have them';

-- ---------------------------------------------------------------- payments and refunds

CREATE TABLE payment_intents (
    id         bigint      PRIMARY KEY,
    order_id   bigint      NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    purpose    text        NOT NULL DEFAULT 'order' CHECK (purpose IN ('order', 'merged', 'exchange_diff')),
    amount     bigint      NOT NULL CHECK (amount >= 0),
    currency   text        NOT NULL,
    expire_at  timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX payment_intents_one_per_purpose ON payment_intents (order_id, purpose) WHERE purpose <> 'merged';
CREATE INDEX payment_intents_order ON payment_intents (order_id);

CREATE TABLE payment_intent_orders (
    intent_id bigint NOT NULL REFERENCES payment_intents (id) ON DELETE CASCADE,
    order_id  bigint NOT NULL,
    amount    bigint NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (intent_id, order_id)
);
COMMENT ON TABLE payment_intent_orders IS 'the orders that one merged payment pays, all or none, and the share of each';
CREATE INDEX payment_intent_orders_order ON payment_intent_orders (order_id);

CREATE TABLE payment_facts (
    provider     text        NOT NULL,
    trade_no    text        NOT NULL,
    kind        text        NOT NULL CHECK (kind IN ('captured', 'failed')),
    order_id    bigint      NOT NULL,
    intent_id   bigint,
    amount      bigint      NOT NULL CHECK (amount >= 0),
    currency    text        NOT NULL,
    verdict     text        NOT NULL CHECK (verdict IN ('kept', 'late', 'duplicate', 'mismatch', 'failed', 'waiting')),
    reason_code text,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (provider, trade_no, kind)
);
CREATE INDEX payment_facts_order ON payment_facts (order_id, kind);
CREATE UNIQUE INDEX payment_facts_one_kept ON payment_facts (order_id) WHERE verdict = 'kept';
CREATE UNIQUE INDEX payment_facts_one_waiting ON payment_facts (order_id) WHERE verdict = 'waiting';
CREATE UNIQUE INDEX payment_facts_kept_intent ON payment_facts (intent_id) WHERE verdict = 'kept';

CREATE TABLE refunds (
    id           bigint      PRIMARY KEY,
    refund_no    text        NOT NULL UNIQUE,
    order_id     bigint      NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    intent_id    bigint,
    provider      text        NOT NULL,
    trade_no     text        NOT NULL,
    cause        text        NOT NULL,
    amount       bigint      NOT NULL CHECK (amount > 0),
    currency     text        NOT NULL,
    state        text        NOT NULL DEFAULT 'requested'
                 CHECK (state IN ('requested', 'submitted', 'succeeded', 'excess', 'failed', 'unknown', 'returned', 'released', 'deferred')),
    reason_code  text,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at  timestamptz,
    excess_amount bigint     NOT NULL DEFAULT 0 CHECK (excess_amount BETWEEN 0 AND amount),
    unexpected   boolean     NOT NULL DEFAULT false,
    provider_no  text,
    replaces     text,
    case_id      bigint,
    UNIQUE (order_id, cause),
    CONSTRAINT refunds_excess CHECK ((state = 'excess') = (excess_amount > 0))
);
COMMENT ON COLUMN refunds.excess_amount IS 'the part that succeeded above what the order had left of the capture; people must recover it';
COMMENT ON COLUMN refunds.unexpected IS 'it succeeded after its provider had reported that it failed, or without a request of ours';
COMMENT ON COLUMN refunds.provider_no IS 'the provider''s number of a refund that it made by itself; null for those that we requested';
COMMENT ON COLUMN refunds.case_id IS 'the after-sale case that follows this refund: it opened the refund, or the one that this one replaces';
COMMENT ON COLUMN refunds.replaces IS 'the number of the failed refund of this order whose money this one gives back, under a number of its own';
CREATE UNIQUE INDEX refunds_replaces ON refunds (replaces) WHERE replaces IS NOT NULL;
CREATE UNIQUE INDEX refunds_foreign ON refunds (provider, provider_no, trade_no, order_id) WHERE provider_no IS NOT NULL;
CREATE INDEX refunds_excess_open ON refunds (finished_at) WHERE state = 'excess';
CREATE INDEX refunds_trade ON refunds (provider, trade_no);
CREATE INDEX refunds_failed ON refunds ((CASE state WHEN 'failed' THEN coalesce(finished_at, requested_at) END))
    WHERE CASE state WHEN 'failed' THEN coalesce(finished_at, requested_at) END IS NOT NULL;

CREATE TABLE payment_disputes (
    provider    text        NOT NULL,
    dispute_no  text        NOT NULL,
    trade_no    text        NOT NULL,
    state       text        NOT NULL CHECK (state IN ('opened', 'won', 'lost', 'closed')),
    amount      bigint      NOT NULL CHECK (amount > 0),
    currency    text        NOT NULL,
    reason_code text,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    due_at      timestamptz,
    id          bigint      GENERATED ALWAYS AS IDENTITY,
    remind_at   timestamptz,
    PRIMARY KEY (provider, dispute_no),
    CONSTRAINT payment_disputes_id UNIQUE (id)
);
COMMENT ON COLUMN payment_disputes.remind_at IS 'when people are reminded to answer; null once they were, or if they need not be';
COMMENT ON COLUMN payment_disputes.due_at IS 'until when the shop has to answer at the provider; null once it need not';
CREATE INDEX payment_disputes_due ON payment_disputes (state, due_at, id);
CREATE INDEX payment_disputes_no ON payment_disputes (dispute_no);
CREATE INDEX payment_disputes_state ON payment_disputes (state, occurred_at);
CREATE INDEX payment_disputes_trade ON payment_disputes (provider, trade_no);

CREATE TABLE dispute_evidence (
    dispute_id   bigint      NOT NULL REFERENCES payment_disputes (id) ON DELETE CASCADE,
    number       integer     NOT NULL CHECK (number > 0),
    evidence     jsonb       NOT NULL,
    message_id   text        NOT NULL,
    actor_id     text        NOT NULL,
    submitted_at timestamptz NOT NULL,
    state        text        NOT NULL DEFAULT 'recorded' CHECK (state IN ('recorded', 'sending', 'accepted', 'refused')),
    reason_code  text,
    PRIMARY KEY (dispute_id, number)
);
COMMENT ON TABLE dispute_evidence IS 'what the shop submitted against a dispute; free_texts has what was written, by message_id';
COMMENT ON COLUMN dispute_evidence.evidence IS 'references to photos and documents that the shop keeps elsewhere';
COMMENT ON COLUMN dispute_evidence.state IS 'recorded: an operator gave it on the provider''s page; sending: we give it, and no answer is known';

CREATE VIEW counted_refunds AS
SELECT r.id, r.order_id, r.provider, r.trade_no, r.amount - r.excess_amount AS amount
FROM refunds r JOIN payment_facts f ON f.provider = r.provider AND f.trade_no = r.trade_no AND f.kind = 'captured' AND f.verdict = 'kept'
WHERE r.state NOT IN ('failed', 'returned', 'released', 'deferred')
UNION ALL
SELECT r.id, r.order_id, r.provider, r.trade_no, r.amount FROM refunds r WHERE r.state IN ('released', 'deferred');
COMMENT ON VIEW counted_refunds IS 'refunds that draw on the capture that an order keeps, and whose money is gone or on its way, and what of its authorisation is released; what failed, and what is above the capture, counts for nothing';

CREATE VIEW returned_values AS
SELECT o.id AS order_id, o.root_id, sum(div(i.points_amount::numeric * i.refunded_qty, i.qty))::bigint AS points_amount,
    sum(div(i.gift_points::numeric * i.refunded_qty, i.qty))::bigint AS gift_points,
    sum(div(i.gift_growth::numeric * i.refunded_qty, i.qty))::bigint AS gift_growth, sum(i.refunded_amount)::bigint AS line_amount,
    coalesce((SELECT sum(r.amount) FROM counted_refunds r WHERE r.order_id = o.id), 0)::bigint AS refunded
FROM orders o JOIN order_items i ON i.order_id = o.id
GROUP BY o.id, o.root_id;
COMMENT ON VIEW returned_values IS 'of each order that carries goods: which part of the points that paid its lines, of the points that they earn and of their money belongs to units that went back; and the money of its refunds that count';

CREATE TABLE refund_lines (
    refund_id bigint   NOT NULL REFERENCES refunds (id) ON DELETE CASCADE,
    order_id  bigint   NOT NULL,
    line_no   smallint NOT NULL,
    qty       integer  NOT NULL CHECK (qty >= 0),
    amount    bigint   NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (refund_id, line_no)
);

CREATE TABLE payment_attempts (
    id           bigint      PRIMARY KEY,
    out_trade_no text        NOT NULL UNIQUE,
    intent_id    bigint      NOT NULL REFERENCES payment_intents (id) ON DELETE CASCADE,
    order_id     bigint      NOT NULL,
    provider      text        NOT NULL,
    scene        text        NOT NULL,
    amount       bigint      NOT NULL CHECK (amount > 0),
    currency     text        NOT NULL,
    state        text        NOT NULL CHECK (state IN ('created', 'requested', 'unknown', 'captured', 'failed', 'closing', 'closed', 'authorized')),
    reference    text,
    trade_no     text,
    reason_code  text,
    command      text[]      NOT NULL,
    key_id       text        NOT NULL,
    details      bytea       NOT NULL,
    started_at   timestamptz NOT NULL,
    expire_at    timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    authorize    boolean     NOT NULL DEFAULT false,
    CONSTRAINT payment_attempts_command CHECK (cardinality(command) = 2)
) WITH (fillfactor = 70);
COMMENT ON COLUMN payment_attempts.reference IS 'what the provider called the attempt when it was opened there';
COMMENT ON COLUMN payment_attempts.command IS 'scope and request id of the payment.start that is answered when the provider has';
COMMENT ON COLUMN payment_attempts.details IS 'ciphertext: address, payer and return URL of the buyer''s client';
CREATE INDEX payment_attempts_intent ON payment_attempts (intent_id);
CREATE INDEX payment_attempts_order ON payment_attempts (order_id);

CREATE TABLE payment_authorizations (
    attempt_id       bigint      PRIMARY KEY REFERENCES payment_attempts (id) ON DELETE CASCADE,
    order_id         bigint      NOT NULL,
    provider         text        NOT NULL,
    authorization_no text        NOT NULL,
    amount           bigint      NOT NULL CHECK (amount > 0),
    currency         text        NOT NULL,
    verdict          text        NOT NULL CHECK (verdict IN ('kept', 'late', 'duplicate', 'mismatch')),
    state            text        NOT NULL CHECK (state IN ('authorized', 'capturing', 'captured', 'failed', 'voiding', 'voided')),
    capture_amount   bigint      CHECK (capture_amount BETWEEN 1 AND amount),
    captures         integer     NOT NULL DEFAULT 0,
    trade_no         text,
    reason_code      text,
    authorized_at    timestamptz NOT NULL,
    renewed_at       timestamptz,
    expire_at        timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    not_taken_at     timestamptz
);
COMMENT ON TABLE payment_authorizations IS 'money that a provider reserves for us; what of it is not captured is released or voided';
COMMENT ON COLUMN payment_authorizations.capture_amount IS 'what the last capture asks for: the authorised amount without what was released before';
COMMENT ON COLUMN payment_authorizations.captures IS 'how many captures were requested; each has its own number at the provider';
COMMENT ON COLUMN payment_authorizations.trade_no IS 'the provider''s number of the last capture that it reported';
COMMENT ON COLUMN payment_authorizations.not_taken_at IS 'since when people have to act, because wanted money could not be taken; an alert was raised then';
CREATE INDEX payment_authorizations_order ON payment_authorizations (order_id);
CREATE INDEX payment_authorizations_waiting ON payment_authorizations
    ((CASE WHEN verdict = 'kept' AND (state = 'capturing' OR not_taken_at IS NOT NULL) THEN coalesce(not_taken_at, updated_at) END))
    WHERE CASE WHEN verdict = 'kept' AND (state = 'capturing' OR not_taken_at IS NOT NULL) THEN coalesce(not_taken_at, updated_at) END IS NOT NULL;
CREATE UNIQUE INDEX payment_authorizations_one_kept ON payment_authorizations (order_id) WHERE verdict = 'kept';

CREATE TABLE payment_notifications (
    id          bigint      PRIMARY KEY,
    provider     text        NOT NULL,
    body_hash   bytea       NOT NULL,
    verdict     text        NOT NULL CHECK (verdict IN ('believed', 'rejected')),
    code        text,
    about       text,
    copies      integer     NOT NULL DEFAULT 1,
    key_id      text        NOT NULL,
    notification      bytea       NOT NULL,
    received_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (provider, body_hash, verdict)
);
COMMENT ON TABLE payment_notifications IS 'raw notifications, encrypted, for disputes; about is our number in them, where they were believed';
CREATE INDEX payment_notifications_about ON payment_notifications (about) WHERE about IS NOT NULL;
CREATE INDEX payment_notifications_recorded ON payment_notifications (verdict, recorded_at);

CREATE TABLE provider_certificates (
    provider    text        NOT NULL,
    serial     text        NOT NULL,
    pem        text        NOT NULL,
    fetched_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (provider, serial)
);

CREATE TABLE reconciliations (
    provider     text        NOT NULL,
    day         date        NOT NULL,
    file_hash   bytea       NOT NULL,
    rows        integer     NOT NULL,
    matched     integer     NOT NULL,
    differences integer     NOT NULL,
    done_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (provider, day, file_hash)
);

CREATE TABLE reconciliation_rows (
    provider text NOT NULL,
    kind    text NOT NULL CHECK (kind IN ('capture', 'refund')),
    key     text NOT NULL,
    day     date NOT NULL,
    PRIMARY KEY (provider, kind, key)
);
COMMENT ON TABLE reconciliation_rows IS 'what of ours a statement listed, and of which day: captures by trade number, refunds by refund number';
CREATE INDEX payment_facts_captured ON payment_facts (provider, occurred_at) WHERE kind = 'captured';
CREATE INDEX refunds_succeeded ON refunds (provider, finished_at) WHERE state IN ('succeeded', 'excess');
CREATE INDEX refunds_running ON refunds (requested_at) WHERE state IN ('requested', 'submitted', 'unknown');
CREATE INDEX payment_attempts_trade ON payment_attempts (provider, trade_no) WHERE trade_no IS NOT NULL;

-- ---------------------------------------------------------------- shipments

CREATE TABLE shipments (
    id           bigint      PRIMARY KEY,
    carrier      text        NOT NULL,
    tracking_no  text        NOT NULL,
    warehouse    text,
    state        text        NOT NULL CHECK (state IN ('booked', 'outbound', 'picked_up', 'in_transit', 'out_for_delivery', 'delivered',
                             'refused', 'undeliverable', 'lost', 'returning', 'returned', 'loss_confirmed', 'cancelled')),
    delayed      boolean     NOT NULL DEFAULT false,
    booked_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    outbound_at  timestamptz,
    delivered_at timestamptz,
    ended        boolean     NOT NULL DEFAULT false,
    case_id      bigint,
    to_buyer     boolean     NOT NULL DEFAULT false,
    CONSTRAINT shipments_to_buyer CHECK (case_id IS NOT NULL OR NOT to_buyer),
    CONSTRAINT shipments_ended CHECK (ended OR state NOT IN ('delivered', 'returned', 'loss_confirmed', 'cancelled'))
);
COMMENT ON COLUMN shipments.case_id IS 'the after-sale case whose goods the parcel carries; it ships nothing of its order';
COMMENT ON COLUMN shipments.to_buyer IS 'with a case: it takes refused goods back to the buyer, and not to the warehouse';
COMMENT ON COLUMN shipments.ended IS 'it arrived, came back, was confirmed lost or cancelled: its number may be used again';
CREATE UNIQUE INDEX shipments_live ON shipments (carrier, tracking_no) WHERE NOT ended;
CREATE INDEX shipments_number ON shipments (tracking_no, carrier, id);
CREATE INDEX shipments_waiting ON shipments ((CASE WHEN state NOT IN ('delivered', 'returned', 'loss_confirmed', 'cancelled') THEN booked_at END))
    WHERE CASE WHEN state NOT IN ('delivered', 'returned', 'loss_confirmed', 'cancelled') THEN booked_at END IS NOT NULL;

CREATE TABLE shipment_items (
    shipment_id bigint   NOT NULL REFERENCES shipments (id) ON DELETE CASCADE,
    order_id    bigint   NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    line_no     smallint NOT NULL,
    qty         integer  NOT NULL CHECK (qty > 0),
    given_up    boolean  NOT NULL DEFAULT false,
    withdrawn   boolean  NOT NULL DEFAULT false,
    PRIMARY KEY (shipment_id, order_id, line_no)
) PARTITION BY RANGE (order_id);
COMMENT ON TABLE shipment_items IS 'a parcel may hold goods of several orders of one user';
COMMENT ON COLUMN shipment_items.given_up IS 'these units were given back, because the parcel would not arrive';
COMMENT ON COLUMN shipment_items.withdrawn IS 'these units were taken out before the parcel left';
CREATE INDEX shipment_items_order ON shipment_items (order_id);

CREATE TABLE shipment_facts (
    carrier     text        NOT NULL,
    tracking_no text        NOT NULL,
    event_id    text        NOT NULL,
    shipment_id bigint      NOT NULL,
    status      text        NOT NULL,
    stale       boolean     NOT NULL,
    place       text,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (shipment_id, event_id)
);

CREATE FUNCTION waybill_orders(order_id bigint, plan jsonb) RETURNS bigint[] LANGUAGE sql IMMUTABLE AS $$
    SELECT ARRAY(
        SELECT order_id
        UNION
        SELECT jsonb_array_elements_text(coalesce(plan -> 'order_ids', '[]'))::bigint
        UNION
        SELECT (jsonb_array_elements(coalesce(plan -> 'lines', '[]')) ->> 'order_id')::bigint
        EXCEPT
        SELECT NULL
        ORDER BY 1)
$$;
CREATE TABLE waybills (
    id           bigint      PRIMARY KEY,
    order_id     bigint      NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    scope        text        NOT NULL,
    request_id   text        NOT NULL,
    carrier      text        NOT NULL,
    state        text        NOT NULL CHECK (state IN ('requested', 'booked', 'refused', 'unused', 'cancelled', 'uncancelled')),
    plan         jsonb       NOT NULL,
    tracking_no  text,
    ship_time    timestamptz,
    refusal      text,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    answered_at  timestamptz,
    order_ids    bigint[]    NOT NULL GENERATED ALWAYS AS (waybill_orders(order_id, plan)) STORED,
    bookings     integer     NOT NULL DEFAULT 0,
    stopped      boolean     NOT NULL DEFAULT false,
    CONSTRAINT waybills_numbered CHECK ((tracking_no IS NOT NULL) = (state NOT IN ('requested', 'refused')))
);
COMMENT ON TABLE waybills IS 'a parcel that we book at its carrier: its id is that of the parcel, and our number at the carrier';
COMMENT ON COLUMN waybills.scope IS 'with request_id: the shipment.create that waits for the answer';
COMMENT ON COLUMN waybills.state IS 'unused: no parcel has it, and it is to be cancelled; uncancelled: the carrier refused that';
COMMENT ON COLUMN waybills.order_ids IS 'all orders whose goods the parcel is to hold; the carrier has their address';
COMMENT ON COLUMN waybills.bookings IS 'how often the carrier answered that it booked it; a cancellation counts only for those that came before it';
COMMENT ON COLUMN waybills.stopped IS 'a warehouse of it stopped or refused before the carrier answered, so no parcel is to have it';
CREATE INDEX waybills_order ON waybills (order_id);
CREATE INDEX waybills_orders ON waybills USING gin (order_ids);
CREATE INDEX waybills_waiting ON waybills ((CASE WHEN state IN ('requested', 'unused') THEN requested_at END))
    WHERE CASE WHEN state IN ('requested', 'unused') THEN requested_at END IS NOT NULL;

-- ---------------------------------------------------------------- after-sale cases

CREATE TABLE after_sales (
    id             bigint      PRIMARY KEY,
    case_no        text        NOT NULL UNIQUE,
    order_id       bigint      NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    type           text        NOT NULL CHECK (type IN ('refund_only', 'return_refund', 'exchange')),
    source         text        NOT NULL CHECK (source IN ('user', 'customer_service', 'system', 'fulfilment')),
    state          text        NOT NULL CHECK (state IN ('requested', 'reopened', 'approved', 'rejected', 'revoked', 'awaiting_return',
                               'return_in_transit', 'received', 'inspecting', 'inspect_passed', 'inspect_failed', 'reshipping', 'refunding',
                               'refund_failed', 'completed', 'closed', 'unreturned')),
    version        integer     NOT NULL CHECK (version > 0),
    reason_code    text        NOT NULL,
    merchant_fault boolean     NOT NULL,
    evidence       jsonb       NOT NULL DEFAULT '[]',
    granted_amount bigint      CHECK (granted_amount >= 0),
    refund_amount  bigint      CHECK (refund_amount >= 0),
    carrier        text,
    tracking_no    text,
    requested_at   timestamptz NOT NULL,
    processed_at   timestamptz,
    completed_at   timestamptz,
    received_at    timestamptz,
    parcel_id      bigint,
    balance_amount bigint,
    CONSTRAINT after_sales_times CHECK (processed_at >= requested_at AND completed_at >= coalesce(processed_at, requested_at)),
    CONSTRAINT after_sales_completed CHECK ((completed_at IS NOT NULL) = (state IN ('completed', 'rejected', 'revoked', 'closed', 'unreturned'))),
    CONSTRAINT after_sales_owed CHECK (state <> 'unreturned' OR balance_amount < 0),
    CONSTRAINT after_sales_parcel CHECK ((carrier IS NULL) = (tracking_no IS NULL))
) WITH (fillfactor = 80);
CREATE INDEX after_sales_order ON after_sales (order_id);
CREATE INDEX after_sales_open ON after_sales (requested_at, id) WHERE completed_at IS NULL;
CREATE INDEX after_sales_state ON after_sales (state, requested_at, id);
COMMENT ON TABLE after_sales IS 'cases in which a buyer wants money back or other goods; they change under the lock of their order';
COMMENT ON COLUMN after_sales.received_at IS 'when its goods came back to the warehouse';
COMMENT ON COLUMN after_sales.balance_amount IS 'what an exchange leaves once its goods are out: above 0 it has gone back to the buyer, below 0 the buyer owes it';
COMMENT ON COLUMN after_sales.parcel_id IS 'the parcel that was delivered and came back';
COMMENT ON COLUMN after_sales.evidence IS 'references to photos and documents that the shop keeps elsewhere';
COMMENT ON COLUMN after_sales.granted_amount IS 'what the reviewer set in place of the computed amount';
COMMENT ON COLUMN after_sales.refund_amount IS 'what was requested from the provider, 0 if there was nothing to give back';

CREATE TABLE after_sale_lines (
    case_id       bigint   NOT NULL REFERENCES after_sales (id) ON DELETE CASCADE,
    line_no       smallint NOT NULL,
    qty           integer  NOT NULL CHECK (qty > 0),
    accepted_qty  integer  NOT NULL DEFAULT 0 CHECK (accepted_qty >= 0),
    refused_qty   integer  NOT NULL DEFAULT 0 CHECK (refused_qty >= 0),
    refunded_qty  integer  NOT NULL DEFAULT 0 CHECK (refunded_qty >= 0),
    replaced_qty  integer  NOT NULL DEFAULT 0 CHECK (replaced_qty >= 0),
    wanted_sku_id text,
    exchange_qty    integer NOT NULL DEFAULT 0,
    exchange_value  bigint  NOT NULL DEFAULT 0 CHECK (exchange_value >= 0),
    exchange_credit bigint  NOT NULL DEFAULT 0 CHECK (exchange_credit >= 0),
    lost_qty        integer NOT NULL DEFAULT 0,
    PRIMARY KEY (case_id, line_no),
    CONSTRAINT after_sale_lines_exchanged CHECK (exchange_qty BETWEEN 0 AND qty AND lost_qty BETWEEN 0 AND exchange_qty),
    CONSTRAINT after_sale_lines_inspected CHECK (accepted_qty + refused_qty <= qty),
    CONSTRAINT after_sale_lines_settled CHECK (refunded_qty + replaced_qty <= qty)
);
COMMENT ON COLUMN after_sale_lines.exchange_qty IS 'units of this line in the newest exchange order of the case';
COMMENT ON COLUMN after_sale_lines.exchange_value IS 'what these units count for; exchange_credit of the price of the other goods is paid with them';
COMMENT ON COLUMN after_sale_lines.lost_qty IS 'units of the exchange order that never arrived, or came back';

CREATE TABLE after_sale_steps (
    case_id     bigint      NOT NULL REFERENCES after_sales (id) ON DELETE CASCADE,
    version     integer     NOT NULL,
    trigger     text        NOT NULL,
    pre_state   text        NOT NULL,
    cur_state   text        NOT NULL,
    actor_type  text        NOT NULL,
    actor_id    text        NOT NULL,
    cause_type  text        NOT NULL,
    cause_id    text        NOT NULL,
    reason_code text,
    at          timestamptz NOT NULL,
    PRIMARY KEY (case_id, version)
);
COMMENT ON TABLE after_sale_steps IS 'one row for each step of a case; pre_state is empty for the first';

CREATE TABLE after_sale_send_backs (
    case_id         bigint      NOT NULL REFERENCES after_sales (id) ON DELETE CASCADE,
    line_no         smallint    NOT NULL,
    warehouse       text        NOT NULL,
    qty             integer     NOT NULL CHECK (qty > 0),
    requested_at    timestamptz NOT NULL,
    cause_type      text        NOT NULL,
    cause_id        text        NOT NULL,
    parcel_id       bigint,
    sent_at         timestamptz,
    sent_actor_type text,
    sent_actor_id   text,
    sent_cause_type text,
    sent_cause_id   text,
    PRIMARY KEY (case_id, line_no),
    CONSTRAINT after_sale_send_backs_sent CHECK (num_nulls(parcel_id, sent_at, sent_actor_type, sent_actor_id, sent_cause_type, sent_cause_id) IN (0, 6))
);
COMMENT ON TABLE after_sale_send_backs IS 'goods of a case that a warehouse is to send back to the buyer, because they were refused or the case ended without them';
CREATE INDEX after_sale_send_backs_waiting ON after_sale_send_backs ((CASE WHEN sent_at IS NULL THEN requested_at END))
    WHERE CASE WHEN sent_at IS NULL THEN requested_at END IS NOT NULL;
COMMENT ON COLUMN after_sale_send_backs.parcel_id IS 'the parcel that takes them to the buyer, once the warehouse has handed it over';

CREATE VIEW operate_log_entries AS
SELECT l.order_id, l.version, l.operate_type, l.pre_state, l.cur_state, l.remark, l.actor_type, l.actor_id, l.cause_type, l.cause_id, l.at,
    NULL::bigint AS case_id, NULL::text AS case_no, NULL::text AS case_state, NULL::integer AS case_version, NULL::text AS refund_no
FROM operate_logs l
UNION ALL
SELECT c.order_id, o.version, 230::smallint, o.cur_state, o.cur_state, s.trigger, s.actor_type, s.actor_id, s.cause_type, s.cause_id, s.at,
    c.id, c.case_no, s.cur_state, s.version, NULL
FROM after_sales c
JOIN after_sale_steps s ON s.case_id = c.id
CROSS JOIN LATERAL (
    SELECT l.version, l.cur_state FROM operate_logs l WHERE l.order_id = c.order_id AND l.at <= s.at ORDER BY l.version DESC LIMIT 1
) AS o
UNION ALL
SELECT c.order_id, o.version, 230::smallint, o.cur_state, o.cur_state, b.remark, b.actor_type, b.actor_id, b.cause_type, b.cause_id, b.at,
    c.id, c.case_no, k.cur_state, k.version, NULL
FROM after_sales c
CROSS JOIN LATERAL (
    SELECT DISTINCT 'send_back_requested' AS remark, 'system' AS actor_type, 'oms' AS actor_id, cause_type, cause_id, requested_at AS at
    FROM after_sale_send_backs WHERE case_id = c.id
    UNION ALL
    SELECT DISTINCT 'sent_back' AS text, sent_actor_type, sent_actor_id, sent_cause_type, sent_cause_id, sent_at
    FROM after_sale_send_backs WHERE case_id = c.id AND sent_at IS NOT NULL
) AS b
CROSS JOIN LATERAL (
    SELECT s.version, s.cur_state FROM after_sale_steps s WHERE s.case_id = c.id AND s.at <= b.at ORDER BY s.version DESC LIMIT 1
) AS k
CROSS JOIN LATERAL (
    SELECT l.version, l.cur_state FROM operate_logs l WHERE l.order_id = c.order_id AND l.at <= b.at ORDER BY l.version DESC LIMIT 1
) AS o
UNION ALL
SELECT r.order_id, o.version, CASE WHEN r.cause LIKE 'late:%' THEN 160 ELSE 170 END::smallint, o.cur_state, o.cur_state,
    CASE WHEN r.cause LIKE 'late:%' THEN 'late_payment_refunded' ELSE 'duplicate_payment_refunded' END, 'system', 'oms', 'payment', r.trade_no,
    r.requested_at, NULL, NULL, NULL, NULL, r.refund_no
FROM refunds r
CROSS JOIN LATERAL (
    SELECT l.version, l.cur_state FROM operate_logs l WHERE l.order_id = r.order_id AND l.at <= r.requested_at ORDER BY l.version DESC LIMIT 1
) AS o
WHERE r.cause LIKE 'late:%' OR r.cause LIKE 'dup:%';
COMMENT ON VIEW operate_log_entries IS 'all that was done with an order: its own steps, the steps of its after-sale cases, and the refunds of payments that came late or twice. Of the last two, version and states are those that the order had then';

CREATE TABLE after_sale_inspections (
    case_id     bigint   NOT NULL REFERENCES after_sales (id) ON DELETE CASCADE,
    version     integer  NOT NULL,
    line_no     smallint NOT NULL,
    disposition text     NOT NULL CHECK (disposition IN ('restock', 'quarantine', 'write_off', 'send_back', 'lost')),
    qty         integer  NOT NULL CHECK (qty > 0),
    PRIMARY KEY (case_id, version, line_no, disposition)
);
COMMENT ON TABLE after_sale_inspections IS 'what each report of an inspection found; `version` is that of the step of its case';

-- ---------------------------------------------------------------- stock (no foreign keys to orders: it may live in a database of its own)

CREATE TABLE stock (
    sku_id    text    NOT NULL,
    warehouse text    NOT NULL,
    on_hand   integer NOT NULL CHECK (on_hand >= 0),
    locked    integer NOT NULL DEFAULT 0 CHECK (locked >= 0),
    quarantined integer NOT NULL DEFAULT 0 CHECK (quarantined >= 0),
    low_units integer CHECK (low_units >= 0),
    PRIMARY KEY (sku_id, warehouse),
    CONSTRAINT stock_never_oversold CHECK (locked <= on_hand)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON COLUMN stock.low_units IS 'stock.low is announced when so few can be sold; 0: never, null: as the setting says';
COMMENT ON COLUMN stock.quarantined IS 'units that came back and are kept apart; they are not on hand';

CREATE TABLE stock_holders (
    holder_id  bigint      PRIMARY KEY,
    group_id   bigint      NOT NULL,
    state      text        NOT NULL CHECK (state IN ('reserved', 'refused', 'committed', 'released', 'restocked')),
    decided_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    turn      smallint    NOT NULL DEFAULT 0
) WITH (fillfactor = 70);
COMMENT ON COLUMN stock_holders.turn IS 'the reservation that the state is about: 0 when the order is placed, 1 when it is reinstated';

CREATE TABLE stock_ledger (
    holder_id bigint      NOT NULL,
    sku_id    text        NOT NULL,
    warehouse text        NOT NULL,
    op        text        NOT NULL CHECK (op IN ('receive', 'adjust', 'reserve', 'commit', 'release', 'restock', 'quarantine',
                          'write_off', 'clear', 'discard', 'transfer_out', 'transfer_in')),
    ref       text        NOT NULL DEFAULT '',
    qty       integer     NOT NULL,
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (holder_id, sku_id, warehouse, op, ref),
    CONSTRAINT stock_ledger_sign CHECK (qty > 0 OR op = 'adjust')
);

-- ---------------------------------------------------------------- partitions: one for each month of the ids of orders

CREATE FUNCTION first_order_id(at timestamptz) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN at <= '2024-01-01T00:00:00Z' THEN 0 WHEN at >= '2093-01-01T00:00:00Z' THEN 9223372036854775807
        ELSE ((extract(epoch FROM at) * 1000)::bigint - 1704067200000) << 22 END
$$;
COMMENT ON FUNCTION first_order_id IS 'the least id that an order placed at this time has: 41 bits of its id are milliseconds since 2024';

CREATE VIEW order_partitions AS
SELECT * FROM (VALUES (1, 'orders', 70), (2, 'order_items', 90), (3, 'operate_logs', 100), (4, 'order_addresses', 100), (5, 'order_snapshots', 100),
    (6, 'fulfilments', 100), (7, 'fulfilment_steps', 100), (8, 'shipment_items', 100)) AS t (place, name, fillfactor);
COMMENT ON VIEW order_partitions IS 'the tables that have a partition for each month of the ids of their orders; those after the first refer to it';

CREATE VIEW order_months AS
SELECT p.place, p.name AS table_name, c.relname AS name, c.oid, c.reltuples,
    substring(pg_get_expr(c.relpartbound, c.oid) FROM 'FROM \(''(\d+)''\)')::bigint AS since,
    substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''(\d+)''\)')::bigint AS before
FROM order_partitions p JOIN pg_inherits i ON i.inhparent = p.name::regclass JOIN pg_class c ON c.oid = i.inhrelid;
COMMENT ON VIEW order_months IS 'the partitions of these tables: orders with ids from since (null: the first) and below before';

CREATE FUNCTION make_order_partitions(ahead interval) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    part record;
    month timestamptz;
    made integer := 0;
    new_name text;
BEGIN
    FOR part IN SELECT p.*, (SELECT max(m.before) FROM order_months m WHERE m.place = p.place) AS bound FROM order_partitions p ORDER BY p.place
    LOOP
        month := to_timestamp(((part.bound >> 22) + 1704067200000) / 1000.0);
        WHILE month < clock_timestamp() + least(ahead, interval '2 years') LOOP
            new_name := part.name || to_char(month AT TIME ZONE 'UTC', '_YYYY_MM');
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL EXCLUDING IDENTITY EXCLUDING COMMENTS) WITH (fillfactor = %s)',
                new_name, part.name, part.fillfactor);
            month := ((month AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC';
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', part.name, new_name, part.bound,
                first_order_id(month));
            part.bound := first_order_id(month);
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;
COMMENT ON FUNCTION make_order_partitions IS 'makes what is missing until so long from now, two years at most, and says how many. Others read meanwhile; who writes a table waits from when a month of it is attached until the transaction ends';

DO $$
DECLARE
    part record;
BEGIN
    FOR part IN SELECT * FROM order_partitions ORDER BY place LOOP
        EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (MINVALUE) TO (%s) WITH (fillfactor = %s)', part.name || '_first', part.name,
            first_order_id(date_trunc('month', now(), 'UTC') + interval '2 months'), part.fillfactor);
    END LOOP;
END $$;

-- ---------------------------------------------------------------- history that cannot be rewritten

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE FUNCTION refuse_price() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF old.state = 'awaiting_payment' AND new.adjustment_amount =
        (SELECT sum(amount) FROM order_adjustments WHERE order_id = old.id AND line_no = 0) THEN
        RETURN new;
    END IF;
    RAISE EXCEPTION 'the price of an order changes only by order_adjustments while it waits for payment'
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE FUNCTION refuse_line_price() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (new.adjustment_amount, new.shipping_adjustment) =
        (SELECT sum(amount), sum(shipping) FROM order_adjustments WHERE order_id = old.order_id AND line_no = old.line_no) THEN
        RETURN new;
    END IF;
    RAISE EXCEPTION 'the price of a line changes only by order_adjustments' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE FUNCTION keep_order_number() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM order_numbers WHERE order_no = old.order_no;
    END IF;
    IF new.order_no IS NOT NULL THEN
        INSERT INTO order_numbers (order_no, order_id) VALUES (new.order_no, new.id);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER orders_number_inserted AFTER INSERT ON orders FOR EACH ROW WHEN (new.order_no IS NOT NULL)
    EXECUTE FUNCTION keep_order_number();
CREATE TRIGGER orders_number_set AFTER UPDATE OF order_no ON orders
    FOR EACH ROW WHEN (new.order_no IS DISTINCT FROM old.order_no) EXECUTE FUNCTION keep_order_number();

CREATE TRIGGER orders_price_immutable BEFORE UPDATE OF currency, origin_amount, promotion_amount, coupon_amount, points_amount,
    shipping_fee, box_fee, tax_amount ON orders FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER orders_price_adjusted BEFORE UPDATE OF adjustment_amount, payable_amount ON orders
    FOR EACH ROW EXECUTE FUNCTION refuse_price();
CREATE TRIGGER orders_policy_immutable BEFORE UPDATE OF policy ON orders
    FOR EACH ROW WHEN (NOT new.policy @> old.policy
        OR new.policy - '{discount_rounding,tax_rounding}'::text[] <> old.policy - '{discount_rounding,tax_rounding}'::text[])
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER order_items_immutable BEFORE UPDATE OF order_id, line_no, sku_id, spu_id, name, product_type, seller_id, qty,
    unit_price, origin_amount, promotion_amount, coupon_amount, points_amount, tax_amount, shipping_share, category_id,
    promotion_id, promotion_revision, promotion_text, quota_units, gift_points, gift_growth
    ON order_items FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER order_items_purchase_price_immutable BEFORE UPDATE OF purchase_price ON order_items
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER order_items_price_adjusted BEFORE UPDATE OF adjustment_amount, shipping_adjustment, payable_amount ON order_items
    FOR EACH ROW EXECUTE FUNCTION refuse_line_price();
CREATE TRIGGER order_adjustments_immutable BEFORE UPDATE ON order_adjustments FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER order_items_specs_immutable BEFORE UPDATE OF specs, image_url, unit, tax_basis_points ON order_items
    FOR EACH ROW WHEN (old.specs IS NOT NULL) EXECUTE FUNCTION refuse_change();
CREATE FUNCTION refuse_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM orders WHERE id = old.order_id AND state IN ('placing', 'reinstating')) THEN
        RETURN new;
    END IF;
    RAISE EXCEPTION 'the warehouse of a line is final once the order has its goods' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER order_items_warehouse_final BEFORE UPDATE OF warehouse ON order_items
    FOR EACH ROW WHEN (new.warehouse <> old.warehouse) EXECUTE FUNCTION refuse_move();
CREATE TRIGGER order_snapshots_immutable BEFORE UPDATE ON order_snapshots FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER operate_logs_immutable BEFORE UPDATE ON operate_logs FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER after_sale_steps_immutable BEFORE UPDATE ON after_sale_steps FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE exchange_orders (
    order_id       bigint PRIMARY KEY REFERENCES orders (id) ON DELETE CASCADE,
    case_id        bigint NOT NULL,
    first_order_id bigint NOT NULL,
    value_amount   bigint NOT NULL CHECK (value_amount >= 0),
    price_amount   bigint NOT NULL CHECK (price_amount >= 0),
    state          text   NOT NULL CHECK (state IN ('reserving', 'reserved', 'confirmed', 'paid', 'delivered', 'ended'))
) WITH (fillfactor = 80);
CREATE INDEX exchange_orders_case ON exchange_orders (case_id);
COMMENT ON TABLE exchange_orders IS 'orders of kind exchange: the case and the order whose goods they replace; they change under the lock of that order';
COMMENT ON COLUMN exchange_orders.value_amount IS 'what the goods that come back count for';
COMMENT ON COLUMN exchange_orders.price_amount IS 'what the wanted goods cost; above value_amount the buyer pays the rest, below it the rest goes back';
CREATE TRIGGER stock_ledger_immutable BEFORE UPDATE OR DELETE ON stock_ledger FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER coupon_ledger_immutable BEFORE UPDATE OR DELETE ON coupon_ledger FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER points_ledger_immutable BEFORE UPDATE OR DELETE ON points_ledger FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- ---------------------------------------------------------------- archive

CREATE VIEW order_documents AS
SELECT o.id AS order_id, o.root_id, o.user_id, to_jsonb(o) || jsonb_build_object(
    'items', (SELECT jsonb_agg(to_jsonb(i) ORDER BY i.line_no) FROM order_items i WHERE i.order_id = o.id),
    'address', (SELECT to_jsonb(a) FROM order_addresses a WHERE a.order_id = o.id),
    'import', (SELECT to_jsonb(m) FROM imported_orders m WHERE m.order_id = o.id),
    'note', (SELECT to_jsonb(n) FROM order_notes n WHERE n.order_id = o.id),
    'snapshots', (SELECT jsonb_agg(to_jsonb(s) ORDER BY s.type) FROM order_snapshots s WHERE s.order_id = o.id),
    'log', (SELECT jsonb_agg(to_jsonb(l) ORDER BY l.version) FROM operate_logs l WHERE l.order_id = o.id),
    'holds', (SELECT jsonb_agg(to_jsonb(h)) FROM order_holds h WHERE h.order_id = o.id),
    'captcha', (SELECT to_jsonb(h) FROM captcha_challenges h WHERE h.order_id = o.id),
    'scheduled_cancellation', (SELECT to_jsonb(x) FROM scheduled_cancellations x WHERE x.order_id = o.id),
    'buying_group', (SELECT to_jsonb(g) FROM buying_groups g
        WHERE g.id = (SELECT b.group_key FROM buying_group_orders b WHERE b.order_id = o.id)),
    'adjustments', (SELECT jsonb_agg(to_jsonb(j) ORDER BY j.version, j.line_no) FROM order_adjustments j WHERE j.order_id = o.id),
    'dropped_units', (SELECT jsonb_agg(to_jsonb(d)) FROM dropped_units d WHERE d.order_id = o.id),
    'hand_overs', (SELECT jsonb_agg(to_jsonb(f) || jsonb_build_object('steps',
        (SELECT jsonb_agg(to_jsonb(p) ORDER BY p.id) FROM fulfilment_steps p WHERE p.order_id = o.id AND p.warehouse = f.warehouse))
        ORDER BY f.warehouse) FROM fulfilments f WHERE f.order_id = o.id),
    'after_sales', (SELECT jsonb_agg(to_jsonb(s) || jsonb_build_object(
        'lines', (SELECT jsonb_agg(to_jsonb(l) ORDER BY l.line_no) FROM after_sale_lines l WHERE l.case_id = s.id),
        'steps', (SELECT jsonb_agg(to_jsonb(p) ORDER BY p.version) FROM after_sale_steps p WHERE p.case_id = s.id),
        'inspections', (SELECT jsonb_agg(to_jsonb(n) ORDER BY n.version, n.line_no) FROM after_sale_inspections n WHERE n.case_id = s.id),
        'send_backs', (SELECT jsonb_agg(to_jsonb(b) ORDER BY b.line_no) FROM after_sale_send_backs b WHERE b.case_id = s.id),
        'exchange_orders', (SELECT jsonb_agg(to_jsonb(x) ORDER BY x.order_id) FROM exchange_orders x WHERE x.case_id = s.id)) ORDER BY s.id)
        FROM after_sales s WHERE s.order_id = o.id),
    'repairs', (SELECT jsonb_agg(to_jsonb(r) ORDER BY r.id) FROM repairs r WHERE r.order_id = o.id),
    'address_accesses', (SELECT jsonb_agg(to_jsonb(r) ORDER BY r.id) FROM address_accesses r WHERE r.order_id = o.id),
    'issued_number', (SELECT jsonb_agg(to_jsonb(n)) FROM issued_order_numbers n WHERE n.order_id = o.id),
    'limited_prices', (SELECT jsonb_agg(to_jsonb(u)) FROM promotion_uses u WHERE u.order_id = o.id),
    'intent', (SELECT to_jsonb(p) FROM payment_intents p WHERE p.id = o.intent_id),
    'merged_with', (SELECT jsonb_agg(to_jsonb(p)) FROM payment_intent_orders p WHERE p.order_id = o.id),
    'attempts', (SELECT jsonb_agg(to_jsonb(t) ORDER BY t.id) FROM payment_attempts t WHERE t.order_id = o.id),
    'authorizations', (SELECT jsonb_agg(to_jsonb(a) ORDER BY a.attempt_id) FROM payment_authorizations a WHERE a.order_id = o.id),
    'payments', (SELECT jsonb_agg(to_jsonb(f) ORDER BY f.recorded_at) FROM payment_facts f WHERE f.order_id = o.id),
    'disputes', (SELECT jsonb_agg(to_jsonb(d) || jsonb_build_object('evidence',
        (SELECT jsonb_agg(to_jsonb(e) ORDER BY e.number) FROM dispute_evidence e WHERE e.dispute_id = d.id)))
        FROM payment_facts f JOIN payment_disputes d USING (provider, trade_no) WHERE f.order_id = o.id),
    'refunds', (SELECT jsonb_agg(to_jsonb(r) || jsonb_build_object('lines',
        (SELECT jsonb_agg(to_jsonb(l) ORDER BY l.line_no) FROM refund_lines l WHERE l.refund_id = r.id)) ORDER BY r.id)
        FROM refunds r WHERE r.order_id = o.id),
    'parcels', (SELECT jsonb_agg(to_jsonb(s) || jsonb_build_object(
        'units', (SELECT jsonb_agg(to_jsonb(i) ORDER BY i.line_no) FROM shipment_items i WHERE i.shipment_id = s.id AND i.order_id = o.id),
        'reports', (SELECT jsonb_agg(to_jsonb(f) ORDER BY f.recorded_at) FROM shipment_facts f WHERE f.shipment_id = s.id)) ORDER BY s.id)
        FROM shipments s WHERE s.id IN (SELECT i.shipment_id FROM shipment_items i WHERE i.order_id = o.id)),
    'waybills', (SELECT jsonb_agg(to_jsonb(w) ORDER BY w.id) FROM waybills w WHERE w.order_id = o.id)) AS document
FROM orders o;
COMMENT ON VIEW order_documents IS 'each order with all that belongs to it and has no retention of its own: what its archive keeps, and what its user is given by subject.export';
CREATE TABLE archived_orders (
    order_id    bigint      PRIMARY KEY,
    root_id     bigint      NOT NULL,
    user_id     text        NOT NULL,
    document    jsonb       NOT NULL,
    archived_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX archived_orders_user ON archived_orders (user_id, order_id);
COMMENT ON TABLE archived_orders IS 'orders that ended long ago, each with all that belonged to it but for what was personal; the tables have nothing of them any more';
CREATE FUNCTION letter_names(order_ids bigint[]) RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT ARRAY(
        SELECT 'order:' || o.id FROM unnest(order_ids) AS o (id)
        UNION
        SELECT 'number:' || a.out_trade_no FROM payment_attempts a WHERE a.order_id = ANY(order_ids)
        UNION
        SELECT 'number:' || r.refund_no FROM refunds r WHERE r.order_id = ANY(order_ids)
        UNION
        SELECT 'payment:' || f.provider || '/' || f.trade_no FROM payment_facts f WHERE f.order_id = ANY(order_ids)
        UNION
        SELECT 'dispute:' || d.provider || '/' || d.dispute_no
        FROM payment_facts f JOIN payment_disputes d ON d.provider = f.provider AND d.trade_no = f.trade_no
        WHERE f.order_id = ANY(order_ids))
$$;
COMMENT ON FUNCTION letter_names(bigint[]) IS 'what dead_letters.about may have of these orders: their ids, and the numbers of their attempts, payments, refunds and disputes';
CREATE FUNCTION letter_names(users text[]) RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT ARRAY(SELECT 'user:' || u FROM unnest(users) AS u)
        || letter_names(ARRAY(SELECT o.id FROM orders o WHERE o.user_id = ANY(users)))
        || ARRAY(
            SELECT 'order:' || a.order_id FROM archived_orders a WHERE a.user_id = ANY(users)
            UNION
            SELECT 'number:' || (n.number #>> '{}')
            FROM archived_orders a CROSS JOIN LATERAL unnest(ARRAY['$.refunds[*].refund_no', '$.attempts[*].out_trade_no']::jsonpath[]) AS p (path)
                CROSS JOIN LATERAL jsonb_path_query(a.document, p.path) AS n (number)
            WHERE a.user_id = ANY(users)
            UNION
            SELECT 'payment:' || (n.one ->> 'provider') || '/' || (n.one ->> 'trade_no')
            FROM archived_orders a CROSS JOIN LATERAL jsonb_path_query(a.document, '$.payments[*]') AS n (one)
            WHERE a.user_id = ANY(users)
            UNION
            SELECT 'dispute:' || (n.one ->> 'provider') || '/' || (n.one ->> 'dispute_no')
            FROM archived_orders a CROSS JOIN LATERAL jsonb_path_query(a.document, '$.disputes[*]') AS n (one)
            WHERE a.user_id = ANY(users))
$$;
COMMENT ON FUNCTION letter_names(text[]) IS 'what dead_letters.about may have of these users, and of their orders';
CREATE FUNCTION drop_empty_order_partitions(before bigint) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    month record;
    part record;
    filled boolean;
    dropped integer := 0;
    ended bigint := least(before, first_order_id(date_trunc('month', now(), 'UTC')));
BEGIN
    FOR month IN SELECT substr(m.name, length('orders') + 1) AS suffix FROM order_months m
        WHERE m.table_name = 'orders' AND m.before <= ended ORDER BY m.before
    LOOP
        FOR part IN SELECT name || month.suffix AS name FROM order_partitions LOOP
            EXECUTE format('SELECT EXISTS (SELECT FROM %I)', part.name) INTO filled;
            EXIT WHEN filled;
        END LOOP;
        EXIT WHEN filled;
        EXECUTE (SELECT 'LOCK TABLE ' || string_agg(format('ONLY %I', name), ', ' ORDER BY place) FROM order_partitions);
        FOR part IN SELECT name FROM order_partitions ORDER BY place DESC LOOP
            EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', part.name, part.name || month.suffix);
            EXECUTE format('DROP TABLE %I', part.name || month.suffix);
        END LOOP;
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;
COMMENT ON FUNCTION drop_empty_order_partitions IS 'drops the oldest months that end before this order id, up to the first with an order, and says how many';

INSERT INTO outbox_shards (shard) SELECT generate_series(0, 63);
INSERT INTO outbox_floor DEFAULT VALUES;
INSERT INTO progress (queue, at) VALUES ('payment-results', '1970-01-01T00:00:00Z');
