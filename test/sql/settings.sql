--
-- The settings: what they are, and who may change them
--
SELECT name, unit, context, vartype, boot_val, min_val, max_val, enumvals
FROM pg_settings
WHERE name LIKE 'pool\_perf.%'
ORDER BY name COLLATE "C";
SELECT name, short_desc, extra_desc IS NOT NULL AS says_when_to_change_it
FROM pg_settings
WHERE name LIKE 'pool\_perf.%'
ORDER BY name COLLATE "C";
SHOW pool_perf.text_memory;
SHOW pool_perf.max_text_length;
SHOW pool_perf.save_interval;

-- a name that is none of them
SET pool_perf.no_such_setting = 1;
SHOW pool_perf.no_such_setting;
ALTER DATABASE postgres SET pool_perf.no_such_setting = 1;

-- what a session may not set, whoever it belongs to
SET pool_perf.enabled = off;
SET pool_perf.max_text_length = 100;
SET pool_perf.save_interval = 60;
SET pool_perf.max_queries = 1000;
SET pool_perf.text_memory = '1MB';

-- what a superuser may set, and to what
SET pool_perf.track = 'all';
SHOW pool_perf.track;
SET pool_perf.track = 'NONE';
SHOW pool_perf.track;
SET pool_perf.track = 'most';
SET pool_perf.track_utility = off;
SHOW pool_perf.track_utility;
SET pool_perf.track_utility = 'perhaps';
RESET pool_perf.track;
RESET pool_perf.track_utility;

-- ranges; the words differ between versions
\set VERBOSITY sqlstate
ALTER SYSTEM SET pool_perf.max_queries = 99;
ALTER SYSTEM SET pool_perf.max_queries = 1000001;
ALTER SYSTEM SET pool_perf.text_memory = '255kB';
ALTER SYSTEM SET pool_perf.text_memory = '17GB';
ALTER SYSTEM SET pool_perf.max_text_length = 63;
ALTER SYSTEM SET pool_perf.max_text_length = '1025kB';
ALTER SYSTEM SET pool_perf.save_interval = -2;
ALTER SYSTEM SET pool_perf.save_interval = '25h';
ALTER SYSTEM SET pool_perf.enabled = 'sometimes';
\set VERBOSITY default

-- an ordinary user sees them and sets none
CREATE ROLE regress_pp_settings;
SET ROLE regress_pp_settings;
SELECT count(*) FROM pg_settings WHERE name LIKE 'pool\_perf.%';
SET pool_perf.track = 'none';
SET pool_perf.track_utility = off;
SELECT set_config('pool_perf.track', 'none', true);
ALTER ROLE regress_pp_settings SET pool_perf.track = 'none';
CREATE FUNCTION pg_temp.untracked() RETURNS int LANGUAGE sql SET pool_perf.track = 'none' AS 'SELECT 1';
SHOW pool_perf.track;
RESET ROLE;
-- unless it was granted, as for any such setting
GRANT SET ON PARAMETER pool_perf.track TO regress_pp_settings;
SET ROLE regress_pp_settings;
SET pool_perf.track = 'all';
SHOW pool_perf.track;
RESET pool_perf.track;
RESET ROLE;
REVOKE SET ON PARAMETER pool_perf.track FROM regress_pp_settings;
DROP ROLE regress_pp_settings;

-- what they do to a session
SELECT 1 AS settings_a, 1 AS b;
SET pool_perf.track = 'none';
SELECT 1 AS settings_a, 2 AS b;
SET pool_perf.track = 'top';
SET pool_perf.track_utility = off;
SELECT 1 AS settings_a, 3 AS b;
UNLISTEN settings_channel;
SET pool_perf.track_utility = on;
UNLISTEN settings_channel;
-- settings of a function hold while it runs
CREATE FUNCTION settings_nested() RETURNS int LANGUAGE plpgsql SET pool_perf.track = 'all' AS
  $$BEGIN PERFORM 1 AS settings_nested, 2; RETURN 3; END$$;
SELECT settings_nested() AS settings_a;
DROP FUNCTION settings_nested();
SELECT toplevel, query, calls FROM pool_perf.queries
WHERE query ~ '^(SELECT .* AS settings_|UNLISTEN settings_)' AND usename = current_user AND datname = current_database()
ORDER BY query COLLATE "C";
