#!/bin/sh
# Reads a backup into a server that does not have the database yet.
#   restore.sh DIRECTORY
# The server is that of PGHOST, PGPORT, PGUSER (a superuser), PGPASSWORD; the database PGDATABASE, or anhu, is made.
# Afterwards: anhu migrate, then deploy/logins.py.
set -eu
directory=$1
database=${PGDATABASE:-anhu}
run() { psql -X -q -v ON_ERROR_STOP=1 -d "$1" -c "$2" >/dev/null; }

(cd "$directory" && sha256sum --quiet -c SHA256SUMS 2>/dev/null || sha256sum -c SHA256SUMS)
psql -X -q -v ON_ERROR_STOP=1 -d postgres -f "$directory/roles.sql"
createdb --maintenance-db=postgres "$database"

version=$(tr -d '[:space:]' <"$directory/timescaledb")
if [ -n "$version" ]; then
    run "$database" "CREATE EXTENSION timescaledb VERSION '$version'"
    run "$database" "SELECT timescaledb_pre_restore()"
fi
pg_restore --exit-on-error --dbname="$database" "$directory/anhu.dump"
if [ -n "$version" ]; then
    run "$database" "SELECT timescaledb_post_restore()"
fi
run "$database" "ANALYZE"
echo "$database restored"
