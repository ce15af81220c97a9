-- Naming the tenant of a transaction.

-- name: enter
-- Local to the transaction: a connection that goes back to the pool has forgotten it.
SELECT set_config('anhu.tenant', %(tenant)s, true)
