-- An erasure that one administrator granted waits for another one; whose wish counts after a death.

ALTER TABLE rights_requests DROP CONSTRAINT rights_requests_state_check;
ALTER TABLE rights_requests ADD CONSTRAINT rights_requests_state_check
    CHECK (state IN ('open', 'refused', 'granted', 'confirming', 'running', 'waiting', 'done'));
ALTER TABLE rights_requests
    ADD COLUMN confirmed_by uuid REFERENCES users (id),
    ADD COLUMN confirmed_at timestamptz,
    ADD CHECK (confirmed_by <> decided_by AND confirmed_by <> user_id);

-- What somebody arranged for after their death: noted with their legal standing, or in the agreement of their last stay.
-- The stricter wish counts, so that no later note opens what the person closed.
CREATE FUNCTION wish_after_death(person uuid) RETURNS text LANGUAGE sql STABLE AS $$
    WITH wishes AS (
        SELECT l.after_death AS wish FROM resident_legal l WHERE l.resident_id = person
        UNION ALL
        SELECT s.wish FROM (SELECT r.detail ->> 'after_death' AS wish FROM service_records r
                            WHERE r.resident_id = person AND r.service = 'institution' AND r.kind = 'stay'
                              AND r.detail ? 'agreement' ORDER BY r.created_at DESC, r.id DESC LIMIT 1) s)
    SELECT CASE WHEN bool_or(wish = 'nobody') THEN 'nobody' WHEN bool_or(wish = 'named') THEN 'named'
                ELSE 'relatives' END FROM wishes
$$;
