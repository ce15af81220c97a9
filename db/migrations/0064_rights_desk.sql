-- What was asked in a house, newest first: answers have a term, and an erasure waits for a second administrator.
CREATE INDEX rights_requests_desk ON rights_requests (institution_id, received_at DESC, id DESC);
