-- GET /exposures?page=...
\set user random(1, 50000)
\set offset 20 * random(0, 3)
SELECT id, source, severity, found_at FROM exposures WHERE user_id = :user ORDER BY found_at DESC LIMIT 20 OFFSET :offset;
