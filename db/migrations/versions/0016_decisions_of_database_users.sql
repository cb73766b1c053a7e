ALTER TABLE dead_letter_actions ADD COLUMN note text;
UPDATE dead_letter_actions SET note = actor, actor = 'not recorded';
ALTER TABLE dead_letter_actions ALTER COLUMN actor SET DEFAULT session_user;

ALTER TABLE repairs ADD COLUMN note text;
UPDATE repairs SET note = actor, actor = 'not recorded';
ALTER TABLE repairs ALTER COLUMN actor SET DEFAULT session_user;
