-- goshift's ledger: runs, shards, participants, transitions, workers, pauses. All times are UTC by the database's clock.
-- Safe to repeat.
CREATE TABLE IF NOT EXISTS goshift_run (
  run_id varchar(36) NOT NULL PRIMARY KEY,
  task_id integer NOT NULL,
  mode varchar(20) NOT NULL,
  params text,
  priority integer NOT NULL DEFAULT 1,
  state varchar(20) NOT NULL,
  attempt integer NOT NULL DEFAULT 0,
  rescues integer NOT NULL DEFAULT 0,
  -- the owner's; every claim and every participant takes the next of the run
  epoch bigint NOT NULL DEFAULT 0,
  last_epoch bigint NOT NULL DEFAULT 0,
  worker varchar(150),
  lease_until timestamptz,
  due_at timestamptz NOT NULL,
  submitted_at timestamptz NOT NULL,
  published_at timestamptz,
  started_at timestamptz,
  finished_at timestamptz,
  rerun_of varchar(36),
  rerun_by varchar(36),
  dedup_key varchar(190) UNIQUE,
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
  reason text,
  remedy text
);
CREATE INDEX IF NOT EXISTS goshift_run_due ON goshift_run (state, due_at);
CREATE INDEX IF NOT EXISTS goshift_run_task ON goshift_run (task_id, submitted_at);
CREATE INDEX IF NOT EXISTS goshift_run_waits ON goshift_run (waits_for);
CREATE INDEX IF NOT EXISTS goshift_run_finished ON goshift_run (finished_at);

CREATE TABLE IF NOT EXISTS goshift_shard (
  run_id varchar(36) NOT NULL,
  shard_no bigint NOT NULL,
  key_range text NOT NULL,
  -- open, held or done; epoch says by whom
  state varchar(10) NOT NULL,
  epoch bigint,
  rows_done bigint,
  bytes_done bigint,
  finished_at timestamptz,
  PRIMARY KEY (run_id, shard_no)
);
CREATE INDEX IF NOT EXISTS goshift_shard_state ON goshift_shard (run_id, state, shard_no);

-- Workers that share a run besides its owner.
CREATE TABLE IF NOT EXISTS goshift_participant (
  run_id varchar(36) NOT NULL,
  epoch bigint NOT NULL,
  worker varchar(150) NOT NULL,
  -- active, left or lost
  state varchar(10) NOT NULL,
  lease_until timestamptz,
  joined_at timestamptz NOT NULL,
  left_at timestamptz,
  shards_done bigint NOT NULL DEFAULT 0,
  rows_done bigint NOT NULL DEFAULT 0,
  reason text,
  PRIMARY KEY (run_id, epoch)
);

CREATE TABLE IF NOT EXISTS goshift_transition (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id varchar(36) NOT NULL,
  task_id integer NOT NULL,
  from_state varchar(20),
  to_state varchar(20) NOT NULL,
  at timestamptz NOT NULL,
  worker varchar(150),
  attempt integer NOT NULL,
  epoch bigint NOT NULL,
  reason text
);
CREATE INDEX IF NOT EXISTS goshift_transition_run ON goshift_transition (run_id);

-- What takes no new runs for now: the fleet, or a queue.
CREATE TABLE IF NOT EXISTS goshift_pause (
  scope varchar(40) NOT NULL PRIMARY KEY,
  paused_at timestamptz NOT NULL,
  paused_by varchar(190),
  reason varchar(500)
);

-- One row for each connection with a limit of runs: whoever claims a run there locks it.
CREATE TABLE IF NOT EXISTS goshift_gate (
  connection varchar(190) NOT NULL PRIMARY KEY,
  passed_at timestamptz
);

-- What runs of mode cursor read, and the watermark of their task once they have succeeded.
CREATE TABLE IF NOT EXISTS goshift_cursor (
  run_id varchar(36) NOT NULL PRIMARY KEY,
  task_id bigint NOT NULL,
  scope varchar(32) NOT NULL,
  bounds text NOT NULL,
  mark text,
  kept_at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS goshift_cursor_task ON goshift_cursor (task_id);

-- Rows that the target has refused and the run has left out (max_errors).
CREATE TABLE IF NOT EXISTS goshift_rejected (
  run_id varchar(36) NOT NULL,
  shard_no bigint NOT NULL,
  row_no bigint NOT NULL,
  task_id bigint NOT NULL,
  key_columns text NOT NULL,
  -- JSON
  row_key text NOT NULL,
  message text NOT NULL,
  rejected_at timestamptz NOT NULL,
  -- the run that has tried it again
  replayed_by varchar(36),
  PRIMARY KEY (run_id, shard_no, row_no)
);
CREATE INDEX IF NOT EXISTS goshift_rejected_task ON goshift_rejected (task_id);

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
  next_at timestamptz,
  last_at timestamptz,
  last_run_id varchar(36),
  last_error text
);
CREATE INDEX IF NOT EXISTS goshift_schedule_next ON goshift_schedule (next_at);

-- Tasks whose last run has failed, where notices are configured.
CREATE TABLE IF NOT EXISTS goshift_incident (
  task_id bigint NOT NULL PRIMARY KEY,
  noticed_at timestamptz NOT NULL
);

-- What people are told, and whom it has reached.
CREATE TABLE IF NOT EXISTS goshift_notice (
  run_id varchar(36) NOT NULL,
  -- failed, recovered, late or long
  kind varchar(20) NOT NULL,
  task_id bigint NOT NULL,
  -- open, sent or given_up
  state varchar(10) NOT NULL,
  at timestamptz NOT NULL,
  -- when the next try may begin; while one is on, when another may be sure that it has ended
  due_at timestamptz NOT NULL,
  tries integer NOT NULL DEFAULT 0,
  -- JSON: the channels that have it
  sent_to text NOT NULL,
  PRIMARY KEY (run_id, kind)
);
CREATE INDEX IF NOT EXISTS goshift_notice_due ON goshift_notice (state, due_at);

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
  started_at timestamptz NOT NULL,
  heartbeat_at timestamptz NOT NULL
);
