-- GET /subscription
\set user random(1, 50000)
SELECT u.email, s.plan, s.status, s.seats, s.renews_at FROM subscriptions s JOIN users u ON u.id = s.user_id WHERE s.user_id = :user;
