ALTER TABLE refunds ADD COLUMN provider_no text;
COMMENT ON COLUMN refunds.unexpected IS 'it succeeded after its provider had reported that it failed, or without a request of ours';
COMMENT ON COLUMN refunds.provider_no IS 'the provider''s number of a refund that it made by itself; null for those that we requested';
CREATE UNIQUE INDEX refunds_foreign ON refunds (provider, provider_no, trade_no, order_id) WHERE provider_no IS NOT NULL;
