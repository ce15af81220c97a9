-- Those who work here: trainings, filings, numbers.

-- name: lock_worker
SELECT version FROM workers WHERE id = %(id)s FOR UPDATE

-- name: change_worker
UPDATE workers SET name = %(name)s, phone = %(phone)s, user_id = %(user_id)s, duties = %(duties)s, post = %(post)s,
    hired_on = %(hired_on)s, version = version + 1, updated_at = %(now)s
WHERE id = %(id)s

-- name: numbers
SELECT w.post, count(*) AS people,
       count(*) FILTER (WHERE EXISTS (SELECT FROM worker_certificates c WHERE c.worker_id = w.id
           AND c.category <> 'health' AND c.valid_from <= %(today)s
           AND (c.valid_until IS NULL OR c.valid_until >= %(today)s))) AS certified,
       count(*) FILTER (WHERE EXISTS (SELECT FROM staff_filings f WHERE f.worker_id = w.id
           AND f.year = extract(year FROM %(today)s::date))) AS filed,
       count(*) FILTER (WHERE EXISTS (SELECT FROM staff_training_people p JOIN staff_trainings t ON t.id = p.training_id
           WHERE p.worker_id = w.id AND extract(year FROM t.held_on) = extract(year FROM %(today)s::date))) AS trained
FROM workers w WHERE w.active AND w.provider_id IS NULL GROUP BY w.post ORDER BY w.post

-- name: trainings
SELECT t.id, t.title, t.topic, t.trainer, t.held_on, t.hours, t.created_at,
       (SELECT count(*) FROM staff_training_people p WHERE p.training_id = t.id) AS people,
       (SELECT count(*) FROM staff_training_people p WHERE p.training_id = t.id AND p.passed) AS passed
FROM staff_trainings t
WHERE (%(id)s::uuid IS NULL OR t.id = %(id)s)
  AND (%(year)s::integer IS NULL OR extract(year FROM t.held_on) = %(year)s)
  AND (%(before)s::date IS NULL OR (t.held_on, t.id) < (%(before)s, %(before_id)s::uuid))
ORDER BY t.held_on DESC, t.id DESC LIMIT %(limit)s

-- name: known_workers
SELECT count(*) AS n FROM workers WHERE id = ANY (%(workers)s)

-- name: add_training
INSERT INTO staff_trainings (id, institution_id, title, topic, trainer, held_on, hours, created_at)
VALUES (%(id)s, %(tenant)s, %(title)s, %(topic)s, %(trainer)s, %(held_on)s, %(hours)s, %(now)s)
ON CONFLICT (id) DO NOTHING

-- name: add_person
INSERT INTO staff_training_people (institution_id, training_id, worker_id, passed, added_at)
VALUES (%(tenant)s, %(training)s, %(worker)s, %(passed)s, %(now)s)

-- name: trainings_of
SELECT t.id AS training_id, t.title, t.topic, t.held_on, t.hours, p.passed
FROM staff_training_people p JOIN staff_trainings t ON t.id = p.training_id
WHERE p.worker_id = %(worker)s ORDER BY t.held_on DESC, t.id DESC LIMIT 500

-- name: file
INSERT INTO staff_filings (institution_id, worker_id, year, filed_on, number)
VALUES (%(tenant)s, %(worker)s, %(year)s, %(filed_on)s, %(number)s)
ON CONFLICT (worker_id, year) DO UPDATE SET filed_on = excluded.filed_on, number = excluded.number
