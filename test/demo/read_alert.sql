-- POST /alerts/:id/read
\set alert random(1, 150000)
UPDATE alerts SET read_at = now() WHERE id = :alert;
