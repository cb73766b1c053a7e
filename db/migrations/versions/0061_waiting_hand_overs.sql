-- Hand-overs that wait are found by when they came into their state, and not by all orders in warehouses.
CREATE INDEX fulfilments_waiting ON fulfilments ((CASE WHEN state IN ('requested', 'accepted', 'picking', 'packed') OR cancel_no IS NOT NULL THEN updated_at END))
    WHERE CASE WHEN state IN ('requested', 'accepted', 'picking', 'packed') OR cancel_no IS NOT NULL THEN updated_at END IS NOT NULL;
