# shellcheck shell=bash
# Times the ways, round by round, and writes a line for each to $SAMPLES: table, case, way, round,
# seconds, peak memory of goshift in KiB, its CPU seconds, those of the servers, what became of it.

# server_pids: MariaDB's or MySQL's process, and PostgreSQL's first; nothing of a server elsewhere.
server_pids() {
  local pid
  pid=$(cat "$(my -e 'SELECT @@pid_file')" 2>/dev/null || true)
  [[ $pid && $(cat "/proc/$pid/comm" 2>/dev/null) == m* ]] || pid=
  MYSQL_PID=$pid
  pid=$(pg -d "$A" -c "SELECT split_part(pg_read_file('postmaster.pid'), E'\n', 1)" 2>/dev/null || true)
  [[ $pid && $(cat "/proc/$pid/comm" 2>/dev/null) == postgres ]] || pid=
  POSTGRES_PID=$pid
}

# server_cpu: clock ticks that both servers have used, PostgreSQL's ended sessions included.
server_cpu() {
  local files=() children child
  [[ -z $MYSQL_PID ]] || files+=("/proc/$MYSQL_PID/stat")
  if [[ $POSTGRES_PID ]]; then
    { read -ra children <"/proc/$POSTGRES_PID/task/$POSTGRES_PID/children"; } 2>/dev/null || true
    for child in "${children[@]}"; do files+=("/proc/$child/stat"); done
    files+=("/proc/$POSTGRES_PID/stat")    # last: it has the time of a session that ends meanwhile
  fi
  # after the name, which may hold blanks, the 12th to 15th fields: utime, stime, and the children's
  { cat "${files[@]}" /dev/null 2>/dev/null || true; } | sed 's/.*) //' |
    awk '{ n += $12 + $13 + $14 + $15 } END { print n + 0 }'
}

# settle: waits until the servers have put away what the last way left, two minutes at most: a purge or
# an autovacuum of millions of rows would be charged to the next way.
settle() {
  local before second
  for ((second = 0; second < 120; second++)); do
    before=$(server_cpu)
    sleep 1
    (($(server_cpu) - before >= 10)) || return 0    # a tenth of a core
  done
}

# sample CASE WAY STATE ROLE TABLE ROUND
sample() {
  local pair=$1 way=$2 role=$4 table=$5 where=to start end before after seconds verdict=ok peak=- own=- all=- pid
  prepare "$pair" "$way" "$3" "$table"
  settle
  rm -f "$WORK/usage"
  before=$(server_cpu)
  start=$EPOCHREALTIME
  # In a shell of its own: `set -e` is off in a function whose outcome is looked at.
  (set -euo pipefail; "way_$way" "$pair" "$table") >"$WORK/log" 2>&1 &
  pid=$!
  wait $pid && verdict=ok || verdict="failed ($?)"
  end=$EPOCHREALTIME
  after=$(server_cpu)
  seconds=$(awk -v a="$start" -v b="$end" 'BEGIN { printf "%.3f", b - a }')
  all=$(awk -v n=$((after - before)) -v hz="$(getconf CLK_TCK)" 'BEGIN { printf "%.2f", n / hz }')
  if [[ -s $WORK/usage ]]; then read -r peak own < <(awk '{ print $1, $2 + $3 }' "$WORK/usage"); fi
  [[ $pair/$way != postgres-*/insert_select ]] || where=copied
  if [[ $verdict == ok ]]; then
    [[ $(sum_of "${pair#*-}" "$where" "$table" 2>>"$WORK/log") == "$SOURCE_SUM" ]] || verdict=differs
  fi
  echo "$table $pair $way #$6: $seconds s, $verdict" >&2
  if [[ $verdict != ok ]]; then
    cp "$WORK/log" "$KEPT/$table.$pair.$way.log"
    tail -n 5 "$WORK/log" >&2
    echo "its output is in $KEPT/$table.$pair.$way.log" >&2
    [[ $role == peer ]] || BAD=$((BAD + 1))
  fi
  printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$table" "$pair" "$way" "$6" "$seconds" "$peak" "$own" \
    "$all" "$verdict" >>"$SAMPLES"
  # What fails isn't tried again, and a peer that takes minutes runs once.
  if [[ $verdict == failed* ]] || { [[ $role == peer ]] && ((${seconds%.*} >= SLOW)); }; then
    DONE+=" $pair/$way "
  fi
}

# rounds TABLE: every way once a round, so that what drifts hits all alike; every other round
# backwards, so that no way has always the same one before it. Ways onto a full target follow theirs.
rounds() {
  local round line pair way state role i step
  local -a lines=() onto=()
  while read -r pair way state role _; do
    chosen "$pair" "$way" || continue
    if [[ $state == full ]]; then onto[${#lines[@]} - 1]="$pair $way $state $role"
    else lines+=("$pair $way $state $role"); fi
  done < <(list_ways)
  DONE=' '
  for ((round = 1; round <= REPEAT; round++)); do
    i=0 step=1
    ((round % 2)) || i=$((${#lines[@]} - 1)) step=-1
    for (( ; i >= 0 && i < ${#lines[@]}; i += step)); do
      for line in "${lines[i]}" "${onto[i]:-}"; do
        read -r pair way state role <<<"$line"
        [[ $pair && $DONE != *" $pair/$way "* ]] || continue
        [[ $state != full || $DONE != *" $pair/${way/again/goshift} "* ]] || continue
        sample "$pair" "$way" "$state" "$role" "$1" $round
      done
    done
  done
}

# small: whole processes, onto an empty target with its key.
small() {
  local pair engine task round start end
  for pair in mysql-mysql postgres-postgres; do
    chosen "$pair" goshift || continue
    engine=${pair#*-} task=$(task_of "$pair")
    prepare "$pair" small empty small
    for ((round = 0; round <= SMALL_REPEAT; round++)); do
      if [[ $engine == mysql ]]; then my "$B" -e 'DELETE FROM small'; else pg -d "$B" -c 'DELETE FROM small'; fi
      start=$EPOCHREALTIME
      "$GOSHIFT" -c "$WORK" -e "$engine" -id "$task" >"$WORK/log" 2>&1 ||
        { cat "$WORK/log" >&2; die "$pair, small: failed"; }
      end=$EPOCHREALTIME
      ((round == 0)) || printf 'small\t%s\tgoshift\t%s\t%s\t-\t-\t-\tok\n' "$pair" $round \
        "$(awk -v a="$start" -v b="$end" 'BEGIN { printf "%.4f", b - a }')" >>"$SAMPLES"
    done
    [[ $(sum_of "$engine" to small) == "$SOURCE_SUM" ]] || die "$pair, small: the target differs"
  done
}

# forget_samples TABLE: what is about to be measured again.
forget_samples() {
  local table pair way rest
  touch "$SAMPLES" "$KEPT/conditions.tsv"
  while IFS=$'\t' read -r table pair way rest; do
    [[ $table == "$1" ]] && chosen "$pair" "$way" || printf '%s\t%s\t%s\t%s\n' "$table" "$pair" "$way" "$rest"
  done <"$SAMPLES" >"$SAMPLES.new"
  mv "$SAMPLES.new" "$SAMPLES"
}

# note_conditions TABLE: under what it was measured, for the report.
note_conditions() {
  local sling
  sling=$("$PEERS/bin/sling" --version 2>/dev/null | sed 's/.* //' || true)
  grep -v "^$1"$'\t' "$KEPT/conditions.tsv" >"$KEPT/conditions.new" || true
  printf "$1\t%s\t%s\n" rows "$TABLE_ROWS" bytes "$(stat -c %s "$DATA/$1.copy")" date "$(date +'%F %H:%M')" \
    earlier "$(grep -c "^$1"$'\t' "$SAMPLES" || true)" \
    load "$(cut -d' ' -f1-3 /proc/loadavg)" cores "$(nproc)" \
    memory "$(awk '/MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo)" scale "$SCALE" params "$PARAMS" \
    goshift "$("$GOSHIFT" --version | sed 's/^goshift //')" mysql "$(my -e 'SELECT VERSION()')" \
    postgres "$(pg -d postgres -c 'SHOW server_version')" sqlite "$(sqlite3 --version | cut -d' ' -f1)" \
    mydumper "$(package_version mydumper)" pgloader "$(package_version pgloader)" sling "$sling" \
    buffers "$(my -e "SELECT @@innodb_buffer_pool_size DIV 1048576")/$(pg -d postgres -c "SELECT setting::bigint / 128
      FROM pg_settings WHERE name = 'shared_buffers'")" \
    >>"$KEPT/conditions.new"
  mv "$KEPT/conditions.new" "$KEPT/conditions.tsv"
}

package_version() { dpkg-query -W -f '${Version}' "$1" 2>/dev/null || echo '?'; }
