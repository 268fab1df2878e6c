# shellcheck shell=bash
# The ways to copy a table. A case is SOURCE-TARGET; a way is a function way_NAME CASE TABLE, which
# is timed from start to end and leaves the table complete in B.

# shellcheck disable=SC2034
ALL_CASES='mysql-mysql postgres-postgres mysql-postgres postgres-mysql sqlite-postgres sqlite-mysql mysql-sqlite'

# list_ways: case, way, what the target is before (none, empty: with its key; full: as the way before
# left it), role, and its name in the report.
list_ways() {
  cat <<LIST
mysql-mysql goshift empty ours goshift
mysql-mysql again full ours goshift again, onto the full target
mysql-mysql goshift_apart empty ours goshift, as between two servers
mysql-mysql again_apart full ours goshift again, as between two servers
mysql-mysql insert_select empty ceiling \`INSERT … SELECT\` in the server
mysql-mysql mydumper none peer mydumper, then myloader, 4 threads each
mysql-mysql mysqldump none peer mysqldump \\| mysql
mysql-mysql sling none peer sling
postgres-postgres goshift_new none ours goshift, which creates the target
postgres-postgres goshift empty ours goshift, target with its key
postgres-postgres again full ours goshift again, onto the full target
postgres-postgres pg_dump none peer pg_dump \\| psql
postgres-postgres copy empty ceiling binary COPY \\| COPY, one stream
postgres-postgres insert_select empty ceiling \`INSERT … SELECT\` in one database
postgres-postgres sling none peer sling
mysql-postgres goshift none ours goshift, which creates the target
mysql-postgres pgloader none peer pgloader
mysql-postgres sling none peer sling
postgres-mysql goshift empty ours goshift
postgres-mysql sling none peer sling
sqlite-postgres goshift empty ours goshift
sqlite-postgres ready_file empty ceiling COPY of a ready file, $STREAMS streams
sqlite-mysql goshift empty ours goshift
sqlite-mysql ready_file empty ceiling LOAD DATA of a ready file, $STREAMS streams
mysql-sqlite goshift none ours goshift, which creates the target
mysql-sqlite sling none peer sling
LIST
}

# needs WAY...: the tools that these ways need are there.
needs() {
  local way tool
  for way; do
    case $way in
      mydumper) set -- mydumper myloader ;;
      mysqldump | pg_dump | pgloader) set -- "$way" ;;
      sling) set -- "$PEERS/bin/sling" ;;
      *) set -- ;;
    esac
    for tool; do
      command -v "$tool" >/dev/null || die "$tool is missing: run bench/peers, which installs what is compared"
    done
  done
}

# limit COMMAND…: a peer that hangs is a failure, not the end of the bench.
limit() { timeout -k 10 "$LIMIT" "$@" </dev/null; }

# goshift's tasks are in MariaDB, those from PostgreSQL to PostgreSQL in PostgreSQL. "apart" is a
# configuration in which no rows are copied inside MariaDB: they go through goshift, as they do between
# two servers.
way_goshift() {
  local meta=${3:-mysql}
  [[ $1 != postgres-postgres ]] || meta=postgres
  /usr/bin/time -q -f '%M %U %S' -o "$WORK/usage" "$GOSHIFT" -c "$WORK" -e "$meta" -id "$(task_of "$1")"
}
way_goshift_new() { way_goshift "$@"; }
way_again() { way_goshift "$@"; }
way_goshift_apart() { way_goshift "$@" apart; }
way_again_apart() { way_goshift "$@" apart; }

way_insert_select() {
  case $1 in
    mysql-*) my -e "INSERT INTO $B.$2 SELECT * FROM $A.$2" ;;
    postgres-*) pg -d "$A" -c "INSERT INTO copied.$2 SELECT * FROM $2" ;;
  esac
}

# Without --rows one thread would dump the table, without --no-locks it would stop all writes to the
# server.
way_mydumper() {
  rm -rf "$WORK/dump"
  limit mydumper --defaults-file="$WORK/client.cnf" -B "$A" -T "$2" -t 4 --rows 100000 --no-locks -o "$WORK/dump"
  limit myloader --defaults-file="$WORK/client.cnf" -s "$A" -B "$B" -t 4 -d "$WORK/dump"
}

way_mysqldump() {
  mysqldump "${MY[@]}" --default-character-set=utf8mb4 --single-transaction --quick "$A" "$2" | my "$B"
}

way_pg_dump() { pg_dump -t "$2" "$A" | pg -d "$B" >/dev/null; }

way_copy() {
  pg -d "$A" -c "COPY $2 TO STDOUT (FORMAT binary)" | pg -d "$B" -c "COPY $2 FROM STDIN (FORMAT binary)"
}

# The files are cut before the clock starts, by cut_files.
way_ready_file() {
  local part pids=()
  for part in "$WORK/parts/$2".*; do
    case $1 in
      *-mysql) my "$B" -e "$(load_data_sql "$2" "$part" "$2")" & pids+=($!) ;;
      *-postgres) pg -d "$B" -c "\\copy $2 FROM '$part'" & pids+=($!) ;;
    esac
  done
  for part in "${pids[@]}"; do wait "$part"; done
}

cut_files() { # cut_files TABLE
  mkdir -p "$WORK/parts"
  [[ -e $WORK/parts/$1.00 ]] || split -d -n "l/$STREAMS" "$(rows_file "$1")" "$WORK/parts/$1."
}

# By default it keeps 100,000 rows, more than its heap takes of wide ones.
way_pgloader() {
  local prefetch=100000
  [[ $2 != wide ]] || prefetch=5000
  cat >"$WORK/pgloader.load" <<END
LOAD DATABASE FROM mysql://$MYSQL_USER_:$MYSQL_PWD@$MYSQL_HOST_:$MYSQL_PORT_/$A
  INTO postgresql://$PGUSER:$PGPASSWORD@$PGHOST:$PGPORT/$B
  WITH create tables, create indexes, reset no sequences, prefetch rows = $prefetch
  INCLUDING ONLY TABLE NAMES MATCHING '$2'
  ALTER SCHEMA '$A' RENAME TO 'public';
END
  limit pgloader --no-ssl-cert-verification --root-dir "$WORK/pgloader" "$WORK/pgloader.load"
}

# Without SQLITE_PATH it looks for a sqlite3 to download.
way_sling() {
  local from to stream=$2 object=$2 mysql postgres
  mysql=mysql://$MYSQL_USER_:$MYSQL_PWD@$MYSQL_HOST_:$MYSQL_PORT_
  postgres=postgresql://$PGUSER:$PGPASSWORD@$PGHOST:$PGPORT
  case $1 in
    mysql-*) from=$mysql/$A stream=$A.$2 ;;
    postgres-*) from="$postgres/$A?sslmode=disable" stream=public.$2 ;;
  esac
  case $1 in
    *-mysql) to=$mysql/$B object=$B.$2 ;;
    *-postgres) to="$postgres/$B?sslmode=disable" object=public.$2 ;;
    *-sqlite) to=sqlite://$(sqlite_file to "$2") object=main.$2 ;;
  esac
  mkdir -p "$WORK/sling/temp"
  SLING_HOME_DIR=$WORK/sling SLING_TEMP_DIR=$WORK/sling/temp SLING_DISABLE_TELEMETRY=true \
    SQLITE_PATH=$(command -v sqlite3) BENCH_FROM=$from BENCH_TO=$to \
    limit "$PEERS/bin/sling" run --src-conn BENCH_FROM --src-stream "$stream" \
    --tgt-conn BENCH_TO --tgt-object "$object" --mode full-refresh
}

# prepare CASE WAY STATE TABLE: the target as the way expects it.
prepare() {
  local engine=${1#*-} db=$B name=$4
  [[ $3 != full ]] || return 0
  [[ $1/$2 != postgres-*/insert_select ]] || db=$A name=copied.$4
  case $engine in
    mysql) my "$B" -e "DROP TABLE IF EXISTS $4" ;;
    postgres)
      pg -d "$A" -c "DROP TABLE IF EXISTS copied.$4" 2>/dev/null
      pg -d "$B" -c "DROP TABLE IF EXISTS $4" -c CHECKPOINT 2>/dev/null ;;
    sqlite) rm -f "$WORK"/to.db* ;;
  esac
  [[ $2 != ready_file ]] || cut_files "$4"
  [[ $3 != none ]] || return 0
  case $engine in
    mysql) my "$B" -e "$(create_sql "$4" mysql)" ;;
    postgres) pg -d "$db" -c "$(create_sql "$4" postgres "$name")" ;;
  esac
}
