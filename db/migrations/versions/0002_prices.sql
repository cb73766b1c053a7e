-- ---------------------------------------------------------------- catalogue

ALTER TABLE skus
    ADD COLUMN tax_class text,
    ADD COLUMN gift_points integer NOT NULL DEFAULT 0 CHECK (gift_points >= 0),
    ADD COLUMN gift_growth integer NOT NULL DEFAULT 0 CHECK (gift_growth >= 0),
    ADD COLUMN points_limit integer CHECK (points_limit >= 0);
COMMENT ON COLUMN skus.points_limit IS 'points that one unit can be paid with at most; null: no limit of its own';

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

CREATE TABLE promotion_uses (
    promo_id    text        NOT NULL,
    order_id    bigint      NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    user_id     text        NOT NULL,
    units       integer     NOT NULL CHECK (units > 0),
    used_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    returned_at timestamptz,
    PRIMARY KEY (promo_id, order_id)
);
COMMENT ON TABLE promotion_uses IS 'units that an order bought at a price that is limited in all or per user; order_id is the root';
CREATE INDEX promotion_uses_user ON promotion_uses (user_id, promo_id) WHERE returned_at IS NULL;
CREATE INDEX promotion_uses_order ON promotion_uses (order_id);

CREATE TABLE business_policies (
    business_type text        PRIMARY KEY,
    revision      bigint      NOT NULL,
    policy        jsonb       NOT NULL,
    updated_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- ---------------------------------------------------------------- what users have: membership, coupons, points, carts

CREATE TABLE members (
    user_id    text        PRIMARY KEY,
    revision   bigint      NOT NULL,
    level      text        NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

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
    op        text        NOT NULL CHECK (op IN ('lock', 'use', 'release', 'return')),
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (coupon_id, order_id, op)
);

CREATE TABLE points_accounts (
    user_id text   PRIMARY KEY,
    balance bigint NOT NULL DEFAULT 0,
    held    bigint NOT NULL DEFAULT 0 CHECK (held >= 0),
    growth  bigint NOT NULL DEFAULT 0,
    CONSTRAINT points_never_overspent CHECK (held <= balance)
) WITH (fillfactor = 50);

CREATE TABLE points_ledger (
    user_id  text        NOT NULL,
    op       text        NOT NULL CHECK (op IN ('grant', 'hold', 'use', 'release', 'return', 'award', 'revoke')),
    ref      text        NOT NULL,
    order_id bigint,
    points   bigint      NOT NULL CHECK (points >= 0),
    growth   bigint      NOT NULL DEFAULT 0 CHECK (growth >= 0),
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (user_id, op, ref)
);
CREATE INDEX points_ledger_order ON points_ledger (order_id) WHERE order_id IS NOT NULL;

CREATE TABLE cart_lines (
    user_id    text        NOT NULL,
    sku_id     text        NOT NULL,
    qty        integer     NOT NULL CHECK (qty > 0),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (user_id, sku_id)
);

CREATE TABLE issued_order_numbers (
    order_no  text        PRIMARY KEY,
    user_id   text        NOT NULL,
    order_id  bigint,
    issued_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- ---------------------------------------------------------------- orders

ALTER TABLE orders
    ALTER COLUMN use_points TYPE bigint,
    ALTER COLUMN gift_points TYPE bigint,
    ALTER COLUMN gift_growth TYPE bigint;
ALTER TABLE orders ADD COLUMN quota_units integer NOT NULL DEFAULT 0 CHECK (quota_units >= 0);
COMMENT ON COLUMN orders.quota_units IS 'units of this root order in promotion_uses';

ALTER TABLE order_items
    ADD COLUMN category_id text,
    ADD COLUMN promotion_id text,
    ADD COLUMN promotion_revision bigint,
    ADD COLUMN promotion_text text,
    ADD COLUMN quota_units integer NOT NULL DEFAULT 0 CHECK (quota_units BETWEEN 0 AND qty),
    ADD COLUMN gift_points bigint NOT NULL DEFAULT 0,
    ADD COLUMN gift_growth bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT order_items_discounts CHECK (promotion_amount >= 0 AND coupon_amount >= 0 AND points_amount >= 0
        AND promotion_amount + coupon_amount + points_amount <= origin_amount),
    ADD CONSTRAINT order_items_payable CHECK (payable_amount = origin_amount - promotion_amount - coupon_amount
        - points_amount + tax_amount + shipping_share);

ALTER TABLE payment_intents DROP CONSTRAINT payment_intents_order_id_purpose_key;
CREATE UNIQUE INDEX payment_intents_one_per_purpose ON payment_intents (order_id, purpose) WHERE purpose <> 'merged';

CREATE TABLE payment_intent_orders (
    intent_id bigint NOT NULL REFERENCES payment_intents (id) ON DELETE CASCADE,
    order_id  bigint NOT NULL,
    amount    bigint NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (intent_id, order_id)
);
COMMENT ON TABLE payment_intent_orders IS 'the orders that one merged payment pays, all or none, and the share of each';
CREATE INDEX payment_intent_orders_order ON payment_intent_orders (order_id);

-- every payment that is kept pays one intent
CREATE UNIQUE INDEX payment_facts_kept_intent ON payment_facts (intent_id) WHERE verdict = 'kept';

CREATE TRIGGER coupon_ledger_immutable BEFORE UPDATE OR DELETE ON coupon_ledger FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER points_ledger_immutable BEFORE UPDATE OR DELETE ON points_ledger FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
