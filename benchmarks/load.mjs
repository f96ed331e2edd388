// Runs autocannon once: a JSON plan on standard input, a JSON result on standard output. Its own histogram has whole
// milliseconds, so the percentiles are of all response times.
import { text } from 'node:stream/consumers'
import { createRequire } from 'node:module'

const autocannon = createRequire(new URL('peers/', import.meta.url))('autocannon')
const { port, connections, seconds, plans } = JSON.parse(await text(process.stdin))

let number = 0
const times = []
const run = autocannon({
  url: `http://127.0.0.1:${port}`,
  connections,
  duration: seconds,
  sampleInt: 100,
  idReplacement: true, // of [<id>] in bodies
  timeout: 60,
  setupClient: (client) => {
    const { headers, requests } = plans[number++ % plans.length]
    client.setRequests(requests.map((request) => ({ ...request, headers })))
  }
})
run.on('response', (_client, _status, _bytes, milliseconds) => times.push(milliseconds))
const { duration, errors, statusCodeStats } = await run

times.sort((a, b) => a - b)
const quantile = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0
const statuses = Object.fromEntries(Object.entries(statusCodeStats).map(([status, { count }]) => [status, count]))
console.log(JSON.stringify({
  requests: times.length, seconds: duration, errors, statuses, p50_ms: quantile(0.5), p99_ms: quantile(0.99)
}))
