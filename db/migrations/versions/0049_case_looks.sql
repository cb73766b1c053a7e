ALTER TABLE address_accesses DROP CONSTRAINT address_accesses_what_check;
ALTER TABLE address_accesses ADD CONSTRAINT address_accesses_what_check CHECK (what IN ('address', 'case', 'export', 'letter'));
