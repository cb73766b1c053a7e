ALTER TABLE refunds ADD COLUMN case_id bigint;
COMMENT ON COLUMN refunds.case_id IS 'the after-sale case that follows this refund: it opened the refund, or the one that this one replaces';
WITH RECURSIVE chain AS (
    SELECT refund_no, substr(cause, 6)::bigint AS case_id FROM refunds WHERE cause LIKE 'case:%'
    UNION ALL
    SELECT r.refund_no, c.case_id FROM refunds r JOIN chain c ON r.replaces = c.refund_no
)
UPDATE refunds r SET case_id = c.case_id FROM chain c WHERE c.refund_no = r.refund_no;
