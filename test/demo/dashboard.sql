-- GET /dashboard, in a transaction so that its parts agree
\set user random(1, 50000)
BEGIN;
SELECT severity, count(*) AS exposures, max(found_at) AS newest FROM exposures WHERE user_id = :user GROUP BY severity;
SELECT plan, status FROM subscriptions WHERE user_id = :user;
COMMIT;
