# shellcheck shell=bash
# Connections, the databases of the bench, goshift's configuration and tasks.

die() { echo "bench/${0##*/}: $*" >&2; exit 1; }

connect() {
  local line
  scripts/services up >&2
  while IFS= read -r line; do export "${line%%=*}=${line#*=}"; done < <(scripts/services env)
  MYSQL_HOST_=$LOCAL_DW_MYSQL_Z_ETL_HOST MYSQL_PORT_=$LOCAL_DW_MYSQL_Z_ETL_PORT MYSQL_USER_=$LOCAL_DW_MYSQL_Z_ETL_USER
  export MYSQL_PWD=$LOCAL_DW_MYSQL_Z_ETL_PASSWORD PGPASSWORD=$LOCAL_DW_POSTGRES_Z_ETL_PASSWORD
  export PGHOST=$LOCAL_DW_POSTGRES_Z_ETL_HOST PGPORT=$LOCAL_DW_POSTGRES_Z_ETL_PORT PGUSER=$LOCAL_DW_POSTGRES_Z_ETL_USER
  export PGTZ=UTC
  MY=(--loose-skip-ssl-verify-server-cert --protocol=tcp -h "$MYSQL_HOST_" -P "$MYSQL_PORT_" -u "$MYSQL_USER_")
}

my() { mysql "${MY[@]}" --default-character-set=utf8mb4 --local-infile=1 -BN "$@"; }
pg() { psql -X -q -At -v ON_ERROR_STOP=1 "$@"; }

# A is the database to copy from, B the one to copy to. pg_insert_select can't leave its database:
# it copies into the schema "copied" of A.
make_databases() {
  drop_databases
  my -e "CREATE DATABASE $A CHARACTER SET utf8mb4; CREATE DATABASE $B CHARACTER SET utf8mb4"
  pg -d postgres -c "CREATE DATABASE $A" -c "CREATE DATABASE $B"
  pg -d "$A" -c 'CREATE SCHEMA copied'
}

drop_databases() {
  my -e "DROP DATABASE IF EXISTS $A; DROP DATABASE IF EXISTS $B" || true
  pg -d postgres -c "DROP DATABASE IF EXISTS $A WITH (FORCE)" -c "DROP DATABASE IF EXISTS $B WITH (FORCE)" 2>/dev/null || true
}

# task_of CASE: the number of its task, its place in the list.
task_of() { tr ' ' '\n' <<<"$ALL_CASES" | grep -nx "$1" | cut -d: -f1; }

# configure TABLE: $WORK/mysql.json and $WORK/postgres.json, named after where the task table is,
# a task for each case, and $WORK/apart.json, which keeps MariaDB from copying by itself.
configure() {
  local meta pair rows=''
  for pair in $ALL_CASES; do
    rows+=", ($(task_of "$pair"), 'x', '${pair%-*}', 'db', '$1', 'x', '${pair#*-}', 'db', '$1', '$PARAMS', 1, '2024-01-01', '2024-01-01')"
  done
  for meta in mysql postgres; do
    printf '{"task_meta": {"type": "%s", %s}, "from": {%s}, "to": {%s}, "queue": {"type": "embedded"}}\n' \
      $meta "$(server $meta "$A")" "$(side "$A" from "$1")" "$(side "$B" to "$1")" >"$WORK/$meta.json"
    "$GOSHIFT" -c "$WORK" -e $meta -cmd init-db >/dev/null
    echo "DELETE FROM task_def_sync_manager; INSERT INTO task_def_sync_manager (id, from_app, from_db_type, from_db,
      from_table, to_app, to_db_type, to_db, to_table, params, online_status, create_time, update_time)
      VALUES ${rows#, }" >"$WORK/tasks.sql"
    if [[ $meta == mysql ]]; then my "$A" <"$WORK/tasks.sql"; else pg -d "$A" <"$WORK/tasks.sql"; fi
  done
  sed 's/"mysql": {"x_db": {/&"server_side": false, /g' "$WORK/mysql.json" >"$WORK/apart.json"
}

server() { # server ENGINE DATABASE
  local name=LOCAL_DW_${1^^}_Z_ETL
  printf '"host": "%s_HOST", "port": "%s_PORT", "user": "%s_USER", "password": "%s_PASSWORD", "db": "%s"' \
    "$name" "$name" "$name" "$name" "$2"
}

side() { # side DATABASE from|to TABLE
  printf '"mysql": {"x_db": {%s}}, "postgres": {"x_db": {%s}}, "sqlite": {"x_db": {"path": "%s"}}' \
    "$(server mysql "$1")" "$(server postgres "$1")" "$(sqlite_file "$2" "$3")"
}
