-- GET /alerts: the endpoint without its index
\set user random(1, 50000)
SELECT id, message, created_at FROM alerts WHERE user_id = :user AND read_at IS NULL ORDER BY created_at DESC LIMIT 20;
