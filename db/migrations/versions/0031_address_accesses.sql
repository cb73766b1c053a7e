-- Who saw the address of an order in clear at a terminal, when and why. It has nothing of the address.
CREATE TABLE address_accesses (
    id       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id bigint      NOT NULL,
    actor    text        NOT NULL DEFAULT session_user, -- who looked, which a person cannot choose
    reason   text        NOT NULL,
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    note     text -- OMS_ACTOR, or the user of the operating system
);
CREATE INDEX address_accesses_order ON address_accesses (order_id);
CREATE INDEX address_accesses_at ON address_accesses (at);
