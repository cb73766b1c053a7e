-- `orders` becomes a table of months. The rows that exist become its first partition where they are: none is copied or read.
-- Locks: all who read or write orders, for some milliseconds. If a lock does not come within five seconds, the migration ends
-- and nothing has changed. Foreign keys to orders are made anew, and validated by the next migration.
SET LOCAL lock_timeout = '5s';
CREATE FUNCTION grants_of(kept oid) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(format('GRANT %s ON %s TO %s', privilege_type, kept::regclass, grantee::regrole)), '{}')
    FROM pg_class CROSS JOIN LATERAL aclexplode(relacl) WHERE pg_class.oid = kept AND grantee <> relowner AND grantee <> 0
$$;
CREATE FUNCTION become_first_partition(name text, key text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    first text := name || '_first';
    bound text := (SELECT substring(pg_get_constraintdef(oid) FROM '\d+') FROM pg_constraint
        WHERE conrelid = name::regclass AND conname = name || '_bound');
    old regclass := name::regclass;
    before text[] := '{}';
    empty text[] := '{}';
    after text[] := '{}';
    part record;
    statement text;
BEGIN
    FOR part IN SELECT c.relname AS view, c.oid, pg_get_viewdef(c.oid) AS text, obj_description(c.oid) AS comment
        FROM pg_class c WHERE c.relkind = 'v' AND EXISTS (SELECT FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
            WHERE d.refobjid = old AND d.classid = 'pg_rewrite'::regclass AND r.ev_class = c.oid)
    LOOP
        before := before || format('DROP VIEW %I', part.view);
        after := after || format('CREATE VIEW %I AS %s', part.view, part.text) || format('COMMENT ON VIEW %I IS %L', part.view, part.comment)
            || grants_of(part.oid);
    END LOOP;
    FOR part IN SELECT conrelid::regclass AS referrer, conname, pg_get_constraintdef(oid) AS text
        FROM pg_constraint WHERE confrelid = old AND contype = 'f' AND conparentid = 0
    LOOP
        before := before || format('ALTER TABLE %s DROP CONSTRAINT %I', part.referrer, part.conname);
        after := after || format('ALTER TABLE %s ADD CONSTRAINT %I %s NOT VALID', part.referrer, part.conname, part.text);
    END LOOP;
    FOR part IN SELECT tgname, pg_get_triggerdef(oid) AS text FROM pg_trigger WHERE tgrelid = old AND NOT tgisinternal LOOP
        before := before || format('DROP TRIGGER %I ON %I', part.tgname, name);
        after := after || part.text;
    END LOOP;
    before := before || format('ALTER TABLE %I RENAME TO %I', name, first);
    FOR part IN SELECT c.relname AS index, i.indisprimary, pg_get_indexdef(c.oid) AS text, pg_get_constraintdef(k.oid) AS primary_key
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid LEFT JOIN pg_constraint k ON k.conindid = c.oid AND k.contype = 'p'
        WHERE i.indrelid = old
    LOOP
        before := before || format('ALTER INDEX %I RENAME TO %I', part.index, first || substr(part.index, length(name) + 1));
        empty := empty || CASE WHEN part.indisprimary THEN format('ALTER TABLE %I ADD CONSTRAINT %I %s', name, part.index, part.primary_key)
            ELSE part.text END;
    END LOOP;
    FOR part IN SELECT conname, pg_get_constraintdef(oid) AS text FROM pg_constraint WHERE conrelid = old AND contype = 'f' AND conparentid = 0 LOOP
        empty := empty || format('ALTER TABLE %I ADD CONSTRAINT %I %s', name, part.conname, part.text);
    END LOOP;
    before := before || format('CREATE TABLE %I (LIKE %I INCLUDING ALL EXCLUDING INDEXES) PARTITION BY RANGE (%I)', name, first, key)
        || format('ALTER TABLE %I DROP CONSTRAINT %I', name, name || '_bound')
        || format('COMMENT ON TABLE %I IS %L', name, obj_description(old)) || grants_of(old);
    empty := empty || format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (MINVALUE) TO (%s)', name, first, bound)
        || format('ALTER TABLE %I DROP CONSTRAINT %I', first, name || '_bound') || format('COMMENT ON TABLE %I IS NULL', first);
    FOREACH statement IN ARRAY before || empty || after LOOP
        EXECUTE statement;
    END LOOP;
END $$;
DROP INDEX orders_order_no;
DROP INDEX orders_user_created;
DROP INDEX orders_user_state_created;
SELECT become_first_partition('orders', 'id');
