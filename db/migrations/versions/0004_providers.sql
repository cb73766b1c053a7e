ALTER TABLE channel_notices RENAME TO payment_notifications;
ALTER TABLE channel_certificates RENAME TO provider_certificates;
ALTER INDEX channel_notices_about RENAME TO payment_notifications_about;
ALTER INDEX channel_notices_recorded RENAME TO payment_notifications_recorded;
ALTER TABLE payment_notifications RENAME notice TO notification;

ALTER TABLE payment_facts RENAME channel TO provider;
ALTER TABLE refunds RENAME channel TO provider;
ALTER TABLE payment_attempts RENAME channel TO provider;
ALTER TABLE payment_notifications RENAME channel TO provider;
ALTER TABLE provider_certificates RENAME channel TO provider;
ALTER TABLE reconciliations RENAME channel TO provider;
ALTER TABLE reconciliation_rows RENAME channel TO provider;

COMMENT ON COLUMN payment_attempts.reference IS 'what the provider called the attempt when it was opened there';
COMMENT ON COLUMN payment_attempts.command IS 'scope and request id of the payment.start that is answered when the provider has';

-- Constraints keep the names that they were made with. PostgreSQL 18 lists NOT NULL among them, 17 does not.
DO $$
DECLARE
    old record;
BEGIN
    FOR old IN
        SELECT conrelid::regclass AS of_table, conname AS name,
            replace(replace(replace(replace(conname, 'channel_notices', 'payment_notifications'),
                'channel_certificates', 'provider_certificates'), '_notice_', '_notification_'), '_channel_', '_provider_') AS renamed
        FROM pg_constraint
        WHERE conrelid::regclass::text IN ('payment_facts', 'refunds', 'payment_attempts', 'payment_notifications',
            'provider_certificates', 'reconciliations', 'reconciliation_rows')
    LOOP
        IF old.renamed <> old.name THEN
            EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', old.of_table, old.name, old.renamed);
        END IF;
    END LOOP;
END $$;
