# shellcheck shell=bash
# The tables that are copied, and how one row of them becomes the same text in every engine.
#
# columns TABLE prints a line a column: name, kind, type in MySQL, in PostgreSQL, in SQLite; "=" is
# the type before it. Kinds: int, decimal2, dyadic (doubles that are whole when multiplied by 1024,
# so that all engines print them alike), text, char (blanks at its end don't count), date, instant (microseconds), bool, bytes.

columns() { "columns_$1" | sed 's/  */ /g'; }

columns_orders() {
  cat <<'LIST'
o_orderkey int int = =
o_custkey int int = =
o_orderstatus char char(1) = =
o_totalprice decimal2 decimal(15,2) = =
o_orderdate date date = =
o_orderpriority char char(15) = =
o_clerk char char(15) = =
o_shippriority int int = =
o_comment text varchar(79) = =
LIST
}

columns_lineitem() {
  cat <<'LIST'
l_orderkey int int = =
l_partkey int int = =
l_suppkey int int = =
l_linenumber int int = =
l_quantity decimal2 decimal(15,2) = =
l_extendedprice decimal2 decimal(15,2) = =
l_discount decimal2 decimal(15,2) = =
l_tax decimal2 decimal(15,2) = =
l_returnflag char char(1) = =
l_linestatus char char(1) = =
l_shipdate date date = =
l_commitdate date date = =
l_receiptdate date date = =
l_shipinstruct char char(25) = =
l_shipmode char char(10) = =
l_comment text varchar(44) = =
LIST
}

# 60 columns, about 1.2 KB a row.
columns_wide() {
  local i
  echo 'id int bigint = ='
  for i in 1 2 3 4 5 6 7 8; do echo "n$i int int = ="; done
  for i in 1 2 3 4; do echo "b$i int bigint = ="; done
  for i in 1 2 3 4; do echo "s$i int smallint = ="; done
  for i in 1 2 3 4 5 6 7 8; do echo "d$i decimal2 decimal(12,2) = ="; done
  for i in 1 2 3 4 5 6; do echo "f$i dyadic double double_precision ="; done
  for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo "v$i text varchar(60) = ="; done
  for i in 1 2 3 4; do echo "c$i instant datetime(6) timestamp(6) datetime"; done
  for i in 1 2 3 4; do echo "e$i date date = ="; done
  for i in 1 2 3; do echo "o$i bool tinyint(1) boolean ="; done
  for i in 1 2 3 4; do echo "t$i text text = ="; done
  for i in 1 2; do echo "x$i bytes blob bytea blob"; done
}

columns_small() {
  cat <<'LIST'
id int int = =
name text varchar(40) = =
amount decimal2 decimal(12,2) = =
LIST
}

key_of() {
  case $1 in
    orders) echo o_orderkey ;;
    lineitem) echo l_orderkey, l_linenumber ;;
    *) echo id ;;
  esac
}

# create_sql TABLE ENGINE [NAME]: CREATE TABLE, with its key.
create_sql() {
  local name kind my pg sq type list=''
  while read -r name kind my pg sq; do
    [[ $pg != = ]] || pg=$my
    [[ $sq != = ]] || sq=$pg
    case $2 in mysql) type=$my ;; postgres) type=$pg ;; sqlite) type=$sq ;; esac
    [[ $1 == wide && $name != id ]] || type+=' NOT NULL'
    list+="$name ${type//_/ }, "
  done < <(columns "$1")
  echo "CREATE TABLE ${3:-$1} (${list}PRIMARY KEY ($(key_of "$1")))"
}

# text_of ENGINE KIND COLUMN: SQL for its text, the same in all engines.
text_of() {
  case $1/$2 in
    mysql/int | mysql/text | mysql/date) echo "$3" ;;
    mysql/char | sqlite/char) echo "RTRIM($3)" ;;
    mysql/bool) echo "$3 + 0" ;;
    mysql/decimal2) echo "CAST($3 AS DECIMAL(30,2))" ;;
    mysql/dyadic) echo "CAST($3 * 1024 AS SIGNED)" ;;
    mysql/instant) echo "DATE_FORMAT($3, '%Y-%m-%d %H:%i:%s.%f')" ;;
    mysql/bytes) echo "HEX($3)" ;;
    postgres/int | postgres/text) echo "$3::text" ;;
    postgres/char) echo "rtrim($3::text)" ;;
    postgres/date) echo "$3::date::text" ;;
    postgres/bool) echo "$3::int::text" ;;
    postgres/decimal2) echo "$3::numeric(30,2)::text" ;;
    postgres/dyadic) echo "($3 * 1024)::bigint::text" ;;
    postgres/instant) echo "to_char($3, 'YYYY-MM-DD HH24:MI:SS.US')" ;;
    postgres/bytes) echo "upper(encode($3, 'hex'))" ;;
    sqlite/int | sqlite/text | sqlite/date | sqlite/bool) echo "CAST($3 AS TEXT)" ;;
    sqlite/decimal2) echo "printf('%.2f', $3)" ;;
    sqlite/dyadic) echo "CAST(CAST($3 * 1024 AS INTEGER) AS TEXT)" ;;
    sqlite/instant) echo "micros($3)" ;;
    sqlite/bytes) echo "hex($3)" ;;
  esac
}

# sum_sql TABLE ENGINE [NAME]: a query for the number of rows and a checksum over all columns: the
# sum of the first 60 bits of every row's MD5.
sum_sql() {
  local name kind rest text list=''
  while read -r name kind rest; do
    text=$(text_of "$2" "$kind" "$name")
    # printf of SQLite makes 0.00 of NULL
    [[ $2 != sqlite ]] || text="iif($name IS NULL, '~', $text)"
    list+=", COALESCE($text, '~')"
  done < <(columns "$1")
  case $2 in
    mysql) echo "SELECT COUNT(*), SUM(CAST(CONV(LEFT(MD5(CONCAT_WS('|'$list)), 15), 16, 10) AS UNSIGNED)) FROM ${3:-$1}" ;;
    postgres) echo "SELECT count(*), sum(('x' || left(md5(concat_ws('|'$list)), 15))::bit(60)::bigint) FROM ${3:-$1}" ;;
    sqlite) echo "SELECT count(*), sum60(${list#, }) FROM ${3:-$1}" ;;
  esac
}
