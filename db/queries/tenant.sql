-- Naming the tenant of a transaction.

-- name: enter
-- Local to the transaction: a connection that goes back to the pool has forgotten it.
-- `actor` is the account that acts, for the history of what it changes.
SELECT set_config('anhu.tenant', %(tenant)s, true), set_config('anhu.actor', %(actor)s, true)

-- name: open_rights_desk
-- Until the transaction ends: what is restricted is seen by those who answer for it.
SELECT set_config('anhu.rights', 'open', true)
