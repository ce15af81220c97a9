-- Products and their stock.

-- name: list
SELECT id, provider_id, code, name, category, unit, price, diets, stock, active, version, created_at FROM products
WHERE (%(after)s::timestamptz IS NULL OR (created_at, id) > (%(after)s, %(after_id)s::uuid))
  AND (%(category)s::text IS NULL OR category = %(category)s)
  AND (%(active)s::boolean IS NULL OR active = %(active)s)
ORDER BY created_at, id LIMIT %(limit)s

-- name: get
SELECT id, provider_id, code, name, category, unit, price, diets, stock, active, version, created_at
FROM products WHERE id = %(id)s

-- name: lock
SELECT code, version FROM products WHERE id = %(id)s FOR UPDATE

-- name: insert
INSERT INTO products (id, institution_id, provider_id, code, name, category, unit, price, diets, created_at, updated_at)
VALUES (%(id)s, %(tenant)s, %(provider_id)s, %(code)s, %(name)s, %(category)s, %(unit)s, %(price)s, %(diets)s, %(now)s,
        %(now)s)
ON CONFLICT (institution_id, code) DO NOTHING

-- name: update
UPDATE products SET name = %(name)s, category = %(category)s, unit = %(unit)s, price = %(price)s, diets = %(diets)s,
    provider_id = %(provider_id)s, active = %(active)s, version = version + 1, updated_at = %(now)s
WHERE id = %(id)s

-- name: take
-- Takes the quantity if it is there: the row lock makes two buyers of the last piece come one after the other.
UPDATE products SET stock = stock - %(quantity)s, version = version + 1
WHERE id = %(id)s AND active AND stock >= %(quantity)s
RETURNING id, provider_id, code, name, unit, price, diets

-- name: put
UPDATE products SET stock = stock + %(quantity)s, version = version + 1 WHERE id = %(id)s AND stock + %(quantity)s >= 0
RETURNING stock

-- name: add_move
INSERT INTO stock_moves (institution_id, product_id, at, quantity, cause, record_id, user_id)
VALUES (%(tenant)s, %(product)s, %(now)s, %(quantity)s, %(cause)s, %(record)s, %(user)s)

-- name: moves
SELECT id, at, quantity, cause, record_id FROM stock_moves
WHERE product_id = %(product)s AND id < %(before)s ORDER BY id DESC LIMIT %(limit)s
