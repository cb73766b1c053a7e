-- What became of evidence that we give to a provider. What is there was given on the provider's own page.
SET LOCAL lock_timeout = '5s';
ALTER TABLE dispute_evidence
    ADD COLUMN state       text NOT NULL DEFAULT 'recorded' CHECK (state IN ('recorded', 'sending', 'accepted', 'refused')),
    ADD COLUMN reason_code text;
COMMENT ON COLUMN dispute_evidence.state IS 'recorded: an operator gave it on the provider''s page; sending: we give it, and no answer is known';
