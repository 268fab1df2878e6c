# shellcheck shell=bash disable=SC2034
# The rows: one file a table in COPY's text format, which LOAD DATA reads too, kept between runs in
# $DATA; from it the source tables of all three engines.

# rows_file TABLE: its file, made if need be.
rows_file() {
  local file=$DATA/$1.copy
  if [[ ! -s $file ]]; then
    echo "making the rows of $1" >&2
    case $1 in
      orders | lineitem)
        "$PEERS/bin/tpchgen-cli" --quiet --overwrite -s "$SCALE" -T "$1" -o "$DATA" >&2
        sed 's/|$//; y/|/\t/' "$DATA/$1.tbl" >"$file.new"
        rm "$DATA/$1.tbl" ;;
      wide) pg -d "$A" -c "COPY ($(wide_rows)) TO STDOUT" >"$file.new" ;;
      small) pg -d "$A" -c "COPY (SELECT i, 'row ' || i, i + 0.25 FROM generate_series(1, 10) i) TO STDOUT" >"$file.new" ;;
    esac
    mv "$file.new" "$file"
  fi
  echo "$file"
}

# wide_rows: a query for the rows of the wide table. Nothing is random, so that runs are comparable;
# every seventh value or so is NULL, and the texts hold quotes, backslashes, line ends and emoji.
wide_rows() {
  local name kind rest value list='' k=0
  while read -r name kind rest; do
    k=$((k + 1))
    case $kind:$name in
      int:id) value=i ;;
      int:b*) value="i * 1000003 * $k" ;;
      int:s*) value="i * $k % 32768 - 100" ;;
      int:*) value="i * $k % 2000000011 - 1000" ;;
      decimal2:*) value="(i * 7919 * $k % 1000000000) / 100.0::numeric(12,2)" ;;
      dyadic:*) value="(i * $k % 100000007) / 64e0" ;;
      text:v*) value="substr(md5((i * $k)::text), 1, 4 + (i * $k % 28)::int)" ;;
      text:t1) value="repeat(md5(i::text) || ' ', 1 + (i % 8)::int)" ;;
      text:*) value="'it''s row ' || i || E' \\\\ \"quoted\",\\ta tab\\nand a line; 漢字 😀 ' || repeat(md5((i * $k)::text), (i % 4)::int)" ;;
      instant:*) value="timestamp '2001-01-01' + i * $k * interval '1.000003 s'" ;;
      date:*) value="date '1990-01-01' + (i * $k % 12000)::int" ;;
      bool:*) value="(i / $k % 2)::int" ;;
      bytes:*) value="decode(repeat(md5((i * $k)::text), 4), 'hex')" ;;
    esac
    [[ $name == id ]] || value="CASE WHEN (i + $k) % 7 > 0 THEN $value END"
    list+=", $value"
  done < <(columns wide)
  echo "SELECT ${list#, } FROM generate_series(1::bigint, $WIDE_ROWS) AS i"
}

# load_data_sql TABLE FILE NAME: MySQL's statement to load such a file.
load_data_sql() {
  local name kind rest list='' set=''
  while read -r name kind rest; do
    if [[ $kind == bytes ]]; then
      list+=", @$name" set+=", $name = UNHEX(SUBSTR(@$name, 3))"
    else
      list+=", $name"
    fi
  done < <(columns "$1")
  echo "LOAD DATA LOCAL INFILE '$2' INTO TABLE $3 CHARACTER SET utf8mb4 (${list#, })${set:+ SET ${set#, }}"
}

# load_sources TABLE: the source tables of all engines, and their checksum, which must be the same.
load_sources() {
  local file sums
  file=$(rows_file "$1")
  echo "loading $1" >&2
  my "$A" -e "$(create_sql "$1" mysql); $(load_data_sql "$1" "$file" "$1"); ANALYZE TABLE $1" >/dev/null
  pg -d "$A" -c "$(create_sql "$1" postgres)" -c "\\copy $1 FROM '$file'" -c "VACUUM ANALYZE $1"
  if [[ ! -s $DATA/$1.db ]]; then
    rm -f "$DATA/$1.db.new"
    sqlite3 "$DATA/$1.db.new" "$(create_sql "$1" sqlite)"
    "$PEERS/bin/python" bench/lib/sqlite.py load "$DATA/$1.db.new" "$1" "$file"
    mv "$DATA/$1.db.new" "$DATA/$1.db"
  fi
  sums=$(for engine in mysql postgres sqlite; do sum_of "$engine" from "$1"; done | sort -u)
  [[ $(wc -l <<<"$sums") == 1 ]] || die "the sources of $1 differ: $sums"
  SOURCE_SUM=$sums
  TABLE_ROWS=${sums%%$'\t'*}
}

drop_sources() {
  my "$A" -e "DROP TABLE IF EXISTS $1"
  pg -d "$A" -c "DROP TABLE IF EXISTS $1"
}

# sum_of ENGINE from|to|copied TABLE: rows and checksum; "copied" is the schema beside the source.
sum_of() {
  local db=$A name=$3
  case $2 in to) db=$B ;; copied) name=copied.$3 ;; esac
  case $1 in
    mysql) my "$db" -e "$(sum_sql "$3" mysql)" ;;
    postgres) pg -F $'\t' -d "$db" -c "$(sum_sql "$3" postgres "$name")" ;;
    sqlite) "$PEERS/bin/python" bench/lib/sqlite.py sum "$(sqlite_file "$2" "$3")" "$(sum_sql "$3" sqlite)" ;;
  esac
}

sqlite_file() { if [[ $1 == from ]]; then echo "$DATA/$2.db"; else echo "$WORK/to.db"; fi; }
