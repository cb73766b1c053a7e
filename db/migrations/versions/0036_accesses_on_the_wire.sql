-- Looks at personal data in clear that are not of one order at a terminal: by order.get and subject.export on the wire, whole exports,
-- and dead letters.
ALTER TABLE address_accesses
    ALTER COLUMN order_id DROP NOT NULL,
    ADD COLUMN what           text NOT NULL DEFAULT 'address' CHECK (what IN ('address', 'export', 'letter')),
    ADD COLUMN user_id        text,
    ADD COLUMN dead_letter_id bigint,
    ADD CONSTRAINT address_accesses_of_one CHECK (num_nonnulls(order_id, user_id, dead_letter_id) = 1);
CREATE INDEX address_accesses_user ON address_accesses (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX address_accesses_letter ON address_accesses (dead_letter_id) WHERE dead_letter_id IS NOT NULL;
