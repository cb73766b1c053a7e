ALTER TABLE order_items ADD COLUMN refunded_shipping bigint NOT NULL DEFAULT 0;
UPDATE order_items
SET refunded_shipping = refunded_amount - div((payable_amount - shipping_share + shipping_adjustment)::numeric * refunded_qty, qty)::bigint
WHERE refunded_qty > 0 AND shipping_share > shipping_adjustment;
ALTER TABLE order_items ADD CONSTRAINT order_items_shipping CHECK (refunded_shipping BETWEEN 0 AND shipping_share - shipping_adjustment);
COMMENT ON COLUMN order_items.refunded_shipping IS 'the part of refunded_amount that is shipping';

ALTER TABLE timers DROP CONSTRAINT timers_kind_check;
ALTER TABLE timers ADD CONSTRAINT timers_kind_check
    CHECK (kind IN ('saga', 'payment', 'receipt', 'attempt', 'refund', 'shortage', 'cancelling', 'waybill', 'authorization',
        'after_sale'));

CREATE TABLE after_sales (
    id             bigint      PRIMARY KEY,
    case_no        text        NOT NULL UNIQUE,
    order_id       bigint      NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    type           text        NOT NULL CHECK (type IN ('refund_only', 'return_refund', 'exchange')),
    source         text        NOT NULL CHECK (source IN ('user', 'customer_service', 'system', 'fulfilment')),
    state          text        NOT NULL CHECK (state IN ('requested', 'reopened', 'approved', 'rejected', 'revoked', 'awaiting_return',
                               'return_in_transit', 'received', 'inspecting', 'inspect_passed', 'inspect_failed', 'reshipping', 'refunding',
                               'refund_failed', 'completed', 'closed')),
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
    CONSTRAINT after_sales_times CHECK (processed_at >= requested_at AND completed_at >= coalesce(processed_at, requested_at)),
    CONSTRAINT after_sales_completed CHECK ((completed_at IS NOT NULL) = (state IN ('completed', 'rejected', 'revoked', 'closed'))),
    CONSTRAINT after_sales_parcel CHECK ((carrier IS NULL) = (tracking_no IS NULL))
) WITH (fillfactor = 80);
CREATE INDEX after_sales_order ON after_sales (order_id);
CREATE INDEX after_sales_open ON after_sales (requested_at, id) WHERE completed_at IS NULL;
COMMENT ON TABLE after_sales IS 'cases in which a buyer wants money back or other goods; they change under the lock of their order';
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
    PRIMARY KEY (case_id, line_no),
    CONSTRAINT after_sale_lines_inspected CHECK (accepted_qty + refused_qty <= qty),
    CONSTRAINT after_sale_lines_settled CHECK (refunded_qty + replaced_qty <= qty)
);

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
CREATE TRIGGER after_sale_steps_immutable BEFORE UPDATE ON after_sale_steps FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
