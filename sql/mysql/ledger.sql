-- goshift's ledger: runs, shards, participants, transitions, workers, pauses. All times are UTC by the database's clock.
-- Safe to repeat.
CREATE TABLE IF NOT EXISTS goshift_run (
  run_id char(36) NOT NULL PRIMARY KEY,
  task_id integer NOT NULL,
  mode varchar(20) NOT NULL,
  params mediumtext,
  priority integer NOT NULL DEFAULT 1,
  state varchar(20) NOT NULL,
  attempt integer NOT NULL DEFAULT 0,
  rescues integer NOT NULL DEFAULT 0,
  -- the owner's; every claim and every participant takes the next of the run
  epoch bigint NOT NULL DEFAULT 0,
  last_epoch bigint NOT NULL DEFAULT 0,
  worker varchar(150),
  lease_until datetime(6),
  due_at datetime(6) NOT NULL,
  submitted_at datetime(6) NOT NULL,
  published_at datetime(6),
  started_at datetime(6),
  finished_at datetime(6),
  rerun_of char(36),
  rerun_by char(36),
  dedup_key varchar(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin UNIQUE,
  submitted_by varchar(190),
  -- the W3C trace context that the run belongs to, if it has one
  traceparent varchar(64),
  -- at most one active and one pending run a task: NULLs don't collide in a unique key
  active_task integer UNIQUE,
  pending_task integer UNIQUE,
  cancel_requested integer NOT NULL DEFAULT 0,
  -- how many workers may share it: 1 until it has turned out to be large
  participants integer NOT NULL DEFAULT 1,
  -- what participants besides the owner do. 0: work, 1: leave once their shards are in, 2: leave now
  halt integer NOT NULL DEFAULT 0,
  -- 1: a worker was lost that held shards. Until they are in, or the task's next run has made
  -- sure of it, transactions of that worker may still be open in the target
  lost_holder integer NOT NULL DEFAULT 0,
  -- the connection whose limit of runs it waits for
  waits_for varchar(190),
  -- 0: not dead, 1: to be published to the dead queue, 2: published
  dead_letter integer NOT NULL DEFAULT 0,
  -- what the shards were cut for; another plan starts again
  plan_hash varchar(32),
  -- as of which moments the source was read: shard or snapshot. NULL until shards are cut
  consistency varchar(20),
  split_done integer NOT NULL DEFAULT 0,
  shards_total bigint NOT NULL DEFAULT 0,
  shards_done bigint NOT NULL DEFAULT 0,
  rows_done bigint NOT NULL DEFAULT 0,
  bytes_done bigint NOT NULL DEFAULT 0,
  -- what all attempts have written to the target, and deleted there
  rows_written bigint NOT NULL DEFAULT 0,
  rows_deleted bigint NOT NULL DEFAULT 0,
  rows_estimated bigint,
  reason mediumtext,
  remedy mediumtext,
  KEY goshift_run_due (state, due_at),
  KEY goshift_run_task (task_id, submitted_at),
  KEY goshift_run_waits (waits_for),
  KEY goshift_run_finished (finished_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS goshift_shard (
  run_id char(36) NOT NULL,
  shard_no bigint NOT NULL,
  key_range mediumtext NOT NULL,
  -- open, held or done; epoch says by whom
  state varchar(10) NOT NULL,
  epoch bigint,
  rows_done bigint,
  bytes_done bigint,
  finished_at datetime(6),
  PRIMARY KEY (run_id, shard_no),
  KEY goshift_shard_state (run_id, state, shard_no)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- Workers that share a run besides its owner.
CREATE TABLE IF NOT EXISTS goshift_participant (
  run_id char(36) NOT NULL,
  epoch bigint NOT NULL,
  worker varchar(150) NOT NULL,
  -- active, left or lost
  state varchar(10) NOT NULL,
  lease_until datetime(6),
  joined_at datetime(6) NOT NULL,
  left_at datetime(6),
  shards_done bigint NOT NULL DEFAULT 0,
  rows_done bigint NOT NULL DEFAULT 0,
  reason mediumtext,
  PRIMARY KEY (run_id, epoch)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS goshift_transition (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  run_id char(36) NOT NULL,
  task_id integer NOT NULL,
  from_state varchar(20),
  to_state varchar(20) NOT NULL,
  at datetime(6) NOT NULL,
  worker varchar(150),
  attempt integer NOT NULL,
  epoch bigint NOT NULL,
  reason mediumtext,
  KEY goshift_transition_run (run_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- What takes no new runs for now: the fleet, or a queue.
CREATE TABLE IF NOT EXISTS goshift_pause (
  scope varchar(40) NOT NULL PRIMARY KEY,
  paused_at datetime(6) NOT NULL,
  paused_by varchar(190),
  reason varchar(500)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- One row for each connection with a limit of runs: whoever claims a run there locks it.
CREATE TABLE IF NOT EXISTS goshift_gate (
  connection varchar(190) NOT NULL PRIMARY KEY,
  passed_at datetime(6)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- What runs of mode cursor read, and the watermark of their task once they have succeeded.
CREATE TABLE IF NOT EXISTS goshift_cursor (
  run_id char(36) NOT NULL PRIMARY KEY,
  task_id bigint NOT NULL,
  scope varchar(32) NOT NULL,
  bounds mediumtext NOT NULL,
  mark mediumtext,
  kept_at datetime(6) NOT NULL,
  KEY goshift_cursor_task (task_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- Rows that the target has refused and the run has left out (max_errors).
CREATE TABLE IF NOT EXISTS goshift_rejected (
  run_id char(36) NOT NULL,
  shard_no bigint NOT NULL,
  row_no bigint NOT NULL,
  task_id bigint NOT NULL,
  key_columns mediumtext NOT NULL,
  -- JSON
  row_key mediumtext NOT NULL,
  message mediumtext NOT NULL,
  rejected_at datetime(6) NOT NULL,
  -- the run that has tried it again
  replayed_by char(36),
  PRIMARY KEY (run_id, shard_no, row_no),
  KEY goshift_rejected_task (task_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- When tasks are submitted by themselves.
CREATE TABLE IF NOT EXISTS goshift_schedule (
  task_id bigint NOT NULL PRIMARY KEY,
  -- minute, hour, day of the month, month, day of the week
  cron varchar(120) NOT NULL,
  -- IANA name
  time_zone varchar(64) NOT NULL,
  -- of its runs; NULL for the task's own
  mode varchar(20),
  -- ticks that came while nobody was there: skip, one or all
  missed varchar(10) NOT NULL,
  enabled integer NOT NULL,
  next_at datetime(6),
  last_at datetime(6),
  last_run_id char(36),
  last_error mediumtext,
  KEY goshift_schedule_next (next_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- Tasks whose last run has failed, where notices are configured.
CREATE TABLE IF NOT EXISTS goshift_incident (
  task_id bigint NOT NULL PRIMARY KEY,
  noticed_at datetime(6) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- What people are told, and whom it has reached.
CREATE TABLE IF NOT EXISTS goshift_notice (
  run_id char(36) NOT NULL,
  -- failed, recovered, late or long
  kind varchar(20) NOT NULL,
  task_id bigint NOT NULL,
  -- open, sent or given_up
  state varchar(10) NOT NULL,
  at datetime(6) NOT NULL,
  -- when the next try may begin; while one is on, when another may be sure that it has ended
  due_at datetime(6) NOT NULL,
  tries integer NOT NULL DEFAULT 0,
  -- JSON: the channels that have it
  sent_to mediumtext NOT NULL,
  PRIMARY KEY (run_id, kind),
  KEY goshift_notice_due (state, due_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS goshift_worker (
  worker varchar(150) NOT NULL PRIMARY KEY,
  host varchar(190) NOT NULL,
  pid bigint NOT NULL,
  version varchar(40) NOT NULL,
  state varchar(20) NOT NULL,
  concurrency integer NOT NULL,
  running integer NOT NULL DEFAULT 0,
  -- 1: it is asked to take nothing new and to end
  drain_requested integer NOT NULL DEFAULT 0,
  started_at datetime(6) NOT NULL,
  heartbeat_at datetime(6) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
