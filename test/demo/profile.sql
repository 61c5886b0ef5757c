-- GET /profile
\set user random(1, 50000)
SELECT id, email, name, created_at FROM users WHERE id = :user;
UPDATE users SET seen_at = now() WHERE id = :user;
