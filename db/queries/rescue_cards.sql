-- What helpers from outside need to know.

-- name: card
-- The record and the card in one; NULLs where no card was written yet.
SELECT r.id, r.name, r.sex, r.birth_date, place_text(r.building, r.floor, r.room, '') AS place, r.address,
       r.access_notes AS access, r.phone, r.conditions, r.medication, r.version AS record_version,
       c.allergies, c.mobility, c.communication, c.hospital, c.notes, c.consented_by, c.consented_at,
       coalesce(c.version, 0) AS version, c.updated_at, u.name AS updated_by
FROM residents r LEFT JOIN rescue_cards c ON c.resident_id = r.id LEFT JOIN users u ON u.id = c.updated_by
WHERE r.id = %(resident)s

-- name: contacts
SELECT position, name, relation, phone FROM contacts WHERE resident_id = %(resident)s ORDER BY position

-- name: put_card
INSERT INTO rescue_cards (resident_id, institution_id, allergies, mobility, communication, hospital, notes,
                          consented_by, consented_at, updated_at, updated_by)
VALUES (%(resident)s, %(tenant)s, %(allergies)s, %(mobility)s, %(communication)s, %(hospital)s, %(notes)s,
        %(consented_by)s, %(consented_at)s, %(now)s, %(author)s)
ON CONFLICT (resident_id) DO UPDATE SET allergies = excluded.allergies, mobility = excluded.mobility,
    communication = excluded.communication, hospital = excluded.hospital, notes = excluded.notes,
    consented_by = excluded.consented_by,
    consented_at = CASE WHEN excluded.consented_by = rescue_cards.consented_by THEN rescue_cards.consented_at
                        ELSE excluded.consented_at END,
    version = rescue_cards.version + 1, updated_at = excluded.updated_at, updated_by = excluded.updated_by

-- name: put_record
-- Address, access, conditions and medication are the record's own: there is one truth.
UPDATE residents SET address = %(address)s, access_notes = %(access)s, conditions = %(conditions)s,
    medication = %(medication)s, version = version + 1, updated_at = %(now)s
WHERE id = %(resident)s
