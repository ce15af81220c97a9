-- Aids on loan.

-- name: serial_taken
SELECT 1 AS taken FROM service_records
WHERE service = 'rehabilitation' AND kind = 'aid' AND detail ->> 'serial' = %(serial)s AND NOT final
