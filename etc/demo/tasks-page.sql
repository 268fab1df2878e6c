-- For `make page`: slow enough to be watched, a task that fails, and one that is submitted each minute.
INSERT INTO task_def_sync_manager
  (id, from_app, from_db_type, from_db, from_table, to_app, to_db_type, to_db, to_table,
   params, online_status, task_desc, task_status, owner)
VALUES
  (4, 'demo', 'sqlite', 'shop', 'orders', 'demo', 'sqlite', 'warehouse', 'orders_slowly',
   '{"pk": {"src": "order_no", "dest": "order_no"}, "worker_num": 4, "read_batch": 1000, "max_rows_per_second": 3000}',
   1, 'held to 3,000 rows a second, to be watched', '', 'demo'),
  (5, 'demo', 'sqlite', 'shop', 'returns', 'demo', 'sqlite', 'warehouse', 'returns',
   '', 1, 'its source table is missing: it fails, and waits for a person', '', 'demo');
