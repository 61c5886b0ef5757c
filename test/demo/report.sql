-- What the product managers look at all day
\set days random(150, 300)
SELECT source, count(*), count(DISTINCT user_id) AS users FROM exposures WHERE found_at > now() - :days * interval '1 day' GROUP BY source ORDER BY users DESC LIMIT 10;
\sleep 3 s
