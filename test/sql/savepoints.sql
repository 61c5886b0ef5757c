-- Savepoints have one row each for SAVEPOINT, RELEASE and ROLLBACK TO, whatever
-- their names: some frameworks make up a new one each time.
SELECT FROM pool_perf.reset(dbid => (SELECT oid FROM pg_database WHERE datname = current_database()));
BEGIN;
SAVEPOINT made_up_1;
SAVEPOINT made_up_2;
ROLLBACK TO made_up_2;
ROLLBACK TO made_up_1;
RELEASE made_up_1;
SAVEPOINT made_up_3;
RELEASE made_up_3;
COMMIT;
SELECT regexp_replace(query, '\d', 'N') AS query, calls, failed_calls, toplevel
FROM pool_perf.queries
WHERE datname = current_database() AND query ~ 'made_up_\d$'
ORDER BY query COLLATE "C";
