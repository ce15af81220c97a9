#!/bin/sh
# Writes one backup of the database into an empty or new directory: roles, schema and rows.
#   backup.sh DIRECTORY
# The server is that of PGHOST, PGPORT, PGUSER, PGPASSWORD; the database PGDATABASE, or anhu. SNAPSHOT names an exported
# snapshot, for whoever compares afterwards. Nobody is stopped meanwhile.
set -eu
umask 077
directory=$1
database=${PGDATABASE:-anhu}
mkdir -p "$directory"
if [ -n "$(ls -A "$directory")" ]; then
    echo "$directory is not empty" >&2
    exit 1
fi

# Roles belong to the server and are in no dump. Without passwords: deploy/logins.py sets them from the secrets. Made so
# that it can be read into a server that has some of them.
pg_dumpall --roles-only --no-role-passwords --database="$database" >"$directory/roles.all"
grep -E 'anhu_' "$directory/roles.all" |
    sed -E "s/^CREATE ROLE ([a-z_]+);\$/SELECT 'CREATE ROLE \\1' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '\\1') \\\\gexec/" \
        >"$directory/roles.sql"
rm "$directory/roles.all"

# The extension must have the same version where it is restored.
psql -X -A -t -v ON_ERROR_STOP=1 -d "$database" \
    -c "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'" >"$directory/timescaledb"

# TimescaleDB warns of circular keys in its own catalogue; its restore procedure takes care of them.
pg_dump --format=custom ${SNAPSHOT:+--snapshot="$SNAPSHOT"} --file="$directory/anhu.dump.part" -d "$database" \
    2>"$directory/warnings"
mv "$directory/anhu.dump.part" "$directory/anhu.dump"
(cd "$directory" && sha256sum anhu.dump roles.sql timescaledb >SHA256SUMS)
echo "$directory: $(wc -c <"$directory/anhu.dump") bytes"
