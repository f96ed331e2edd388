// Fastify and postgres.js, as their documentation has it: @fastify/jwt with its cache, response schemas, so that answers
// are written by fast-json-stringify, prepared statements (postgres.js's default), keyset pages, a bounded count.
import fastifyJwt from '@fastify/jwt'
import Fastify from 'fastify'
import postgres from 'postgres'

// Dates keep their microseconds as text, because JavaScript's have milliseconds. 1114, 1184: timestamps; 20: bigint.
const instant = (text) => {
  const [day, time] = text.slice(0, -3).split(' ')
  return time.includes('.') ? `${day}T${time.padEnd(15, '0')}Z` : `${day}T${time}Z`
}
const text = (type, from, parse) => ({ to: type, from, serialize: String, parse })
const sql = postgres({ // where it is, libpq's variables say
  max: 10,
  connection: { TimeZone: 'UTC' },
  types: { instant: text(1184, [1114, 1184], instant), bigint: text(20, [20], Number) }
})

const app = Fastify()
app.register(fastifyJwt, { secret: process.env.SECRET_KEY, verify: { cache: true, allowedAud: 'lodestar' } })
const signedIn = (request) => request.jwtVerify()

const string = { type: 'string' }
const nullable = { type: ['string', 'null'] }
const integer = { type: 'integer' }
const boolean = { type: 'boolean' }
const strings = { type: 'array', items: string }
const object = (properties) => ({ type: 'object', properties })
const metadata = { type: 'object', additionalProperties: string }
const none = { type: 'null', default: null } // shown to those who may change it only
const page = (item) => object({
  items: { type: 'array', items: item },
  total: { type: ['integer', 'null'] },
  total_capped: boolean,
  page: { type: ['integer', 'null'] },
  page_size: integer,
  pages: { type: ['integer', 'null'] },
  next_cursor: nullable
})
const times = { created_at: string, updated_at: string, version: integer }
const user = object({
  id: string, email: string, username: nullable, name: nullable, locale: string, is_active: boolean,
  is_verified: boolean, is_superuser: boolean, is_service: boolean, roles: strings, metadata, ...times
})
const summary = {
  id: string, author_id: string, title: string, slug: string, excerpt: string, tags: strings, is_published: boolean,
  published_at: nullable, ...times
}
const post = object({ ...summary, content: string, metadata: none })
const product = object({
  id: string, sku: string, name: string, description: nullable, price: object({ amount: string, currency: string }),
  stock: integer, is_active: boolean, tags: strings, metadata: none, ...times
})
const answers = (schema) => ({ response: { 200: schema } })
const paging = (item) => ({
  querystring: object({
    page: { type: 'integer', minimum: 1, default: 1 },
    page_size: { type: 'integer', minimum: 1, maximum: 100, default: 20 },
    include_total: { type: 'boolean', default: true },
    cursor: string
  }),
  ...answers(page(item))
})

const users = sql`
  SELECT id, email, username, name, locale, is_active, is_verified, is_superuser, is_service,
    ARRAY(SELECT roles.name FROM roles JOIN user_roles ON role_id = roles.id WHERE user_id = users.id) AS roles,
    metadata, created_at, updated_at, version
  FROM users WHERE deleted_at IS NULL`
const posts = sql`
  SELECT id, author_id, title, slug, excerpt, tags, published_at IS NOT NULL AS is_published, published_at, created_at,
    updated_at, version, public_from
  FROM posts WHERE public_from <= now()`
const products = sql`
  SELECT id, sku, name, description, price_units, currency, stock, is_active,
    ARRAY(SELECT tag FROM product_tags WHERE product_id = products.id ORDER BY tag) AS tags,
    created_at, updated_at, version
  FROM products WHERE is_active`

async function list (query, rows, key, from) {
  const { page, page_size: size, include_total: counted, cursor } = query
  const [at, id] = cursor ? JSON.parse(Buffer.from(cursor, 'base64url')) : []
  const after = cursor ? sql`AND (${sql(key)}, id) < (${at}, ${id})` : sql`OFFSET ${(page - 1) * size}`
  const order = sql`ORDER BY ${sql(key)} DESC, id DESC LIMIT ${size + 1}`
  const found = await (cursor ? sql`${rows} ${after} ${order}` : sql`${rows} ${order} ${after}`)
  const items = found.slice(0, size)
  const last = found.length > size ? items[size - 1] : null
  let total = null
  if (counted && !cursor) [{ total }] = await sql`SELECT count(*) AS total FROM (SELECT 1 ${from} LIMIT 10001) AS counted`
  const capped = total > 10000
  if (capped) total = 10000
  return {
    items,
    total,
    total_capped: capped,
    page: cursor ? null : page,
    page_size: size,
    pages: total === null ? null : Math.ceil(total / size),
    next_cursor: last && Buffer.from(JSON.stringify([last[key], last.id])).toString('base64url')
  }
}

const one = async (reply, rows) => (await rows)[0] ?? reply.code(404).send({ message: 'Not found' })

app.get('/health', { schema: answers(object({ status: string })) }, async () => ({ status: 'ok' }))
app.get('/api/v1/users/me', { onRequest: signedIn, schema: answers(user) }, (request, reply) =>
  one(reply, sql`${users} AND id = ${request.user.sub}`))
app.get('/api/v1/users/:id', { onRequest: signedIn, schema: answers(user) }, (request, reply) =>
  one(reply, sql`${users} AND id = ${request.params.id}`))
app.get('/api/v1/users', { onRequest: signedIn, schema: paging(user) }, (request) =>
  list(request.query, users, 'created_at', sql`FROM users WHERE deleted_at IS NULL`))
app.get('/api/v1/posts', { schema: paging(object(summary)) }, (request) =>
  list(request.query, posts, 'public_from', sql`FROM posts WHERE public_from <= now()`))
app.get('/api/v1/posts/:slug', { schema: answers(post) }, async (request, reply) => {
  const [found] = await sql`
    SELECT id, author_id, title, slug, excerpt, tags, published_at IS NOT NULL AS is_published, published_at,
      created_at, updated_at, version, content
    FROM posts WHERE slug = ${request.params.slug} AND public_from <= now()`
  if (!found) return reply.code(404).send({ message: 'Not found' })
  const tag = `"${found.version}"`
  reply.header('etag', tag)
  return request.headers['if-none-match'] === tag ? reply.code(304).send() : found
})
app.get('/api/v1/products', { schema: paging(product) }, async (request) => {
  const found = await list(request.query, products, 'created_at', sql`FROM products WHERE is_active`)
  for (const each of found.items) each.price = { amount: (each.price_units / 100).toFixed(2), currency: each.currency }
  return found
})

await app.listen({ host: '127.0.0.1', port: Number(process.argv[2]) })
