-- What care at home asks of the registry of devices.

-- name: bound_devices
SELECT d.id FROM bindings b JOIN devices d ON d.key = b.device_key
WHERE b.resident_id = %(resident)s AND d.id = ANY (%(devices)s)
  AND b.bound_from <= %(now)s AND (b.bound_to IS NULL OR b.bound_to > %(now)s)
