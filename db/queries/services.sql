-- What the platform says of itself: schema and running roles.

-- name: schema_version
SELECT number, flavour FROM schema_migrations ORDER BY number DESC LIMIT 1

-- name: heartbeats
SELECT role, instance, at, (detail ->> 'leading')::boolean AS leading FROM heartbeats ORDER BY role, instance LIMIT 200
