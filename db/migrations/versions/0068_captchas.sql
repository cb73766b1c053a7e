CREATE TABLE captcha_challenges (
    order_id    bigint      PRIMARY KEY,
    required_at timestamptz NOT NULL,
    until       timestamptz NOT NULL,
    answers     integer     NOT NULL CHECK (answers >= 0),
    answered_at timestamptz,
    CONSTRAINT captcha_challenges_time CHECK (required_at < until)
);
CREATE INDEX captcha_challenges_open ON captcha_challenges (until) WHERE answered_at IS NULL;
COMMENT ON TABLE captcha_challenges IS 'captchas that the risk check wants before it judges an order; a row ends with the verdict, or with the order';
COMMENT ON COLUMN captcha_challenges.answers IS 'how many answers the buyer has given; answered_at is when the last came, null while one is awaited';
