-- The goods of an order that a late payment reinstates are reserved again, perhaps at another warehouse.
CREATE OR REPLACE FUNCTION refuse_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM orders WHERE id = old.order_id AND state IN ('placing', 'reinstating')) THEN
        RETURN new;
    END IF;
    RAISE EXCEPTION 'the warehouse of a line is final once the order has its goods' USING ERRCODE = 'integrity_constraint_violation';
END $$;
