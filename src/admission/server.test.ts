/** Who asks the webhook's port, and costs it little: slow bodies, long ones, and what is no review. */
import { Agent, request } from 'node:https'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { makeCertificate } from './certificate.ts'
import { openReviewServer, type ReviewServer } from './server.ts'

const host = 'hook.metallb-system.svc'
const pair = makeCertificate({ host, notBefore: new Date(0), notAfter: new Date('2100-01-01T00:00:00Z') })

interface Question {
  readonly method?: string
  /** Parts of the body; without an end, the rest never comes. */
  readonly parts: readonly string[]
  readonly isEndless?: boolean
}

interface Answer {
  /** 0 = the connection was closed without an answer. */
  readonly status: number
  readonly text: string
}

/** Asks on a connection of its own, as an API server that trusts this certificate. */
function ask({ port }: ReviewServer, { method = 'POST', parts, isEndless }: Question): Promise<Answer> {
  return new Promise((resolve) => {
    const agent = new Agent({ keepAlive: false })
    const sent = request({
      host: '127.0.0.1', port, method, agent, servername: host, ca: pair.certificate,
      headers: { 'transfer-encoding': 'chunked' },
    }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => void (text += chunk.toString()))
      response.on('end', () => {
        sent.destroy()
        resolve({ status: response.statusCode ?? 0, text })
      })
    })
    sent.on('error', () => resolve({ status: 0, text: '' }))
    for (const part of parts) sent.write(part)
    if (isEndless !== true) sent.end()
  })
}

function open(bodyMs?: number): Promise<ReviewServer> {
  const answer = async (review: unknown): Promise<unknown> => review === 'busy' ? 503 : { seen: review }
  return openReviewServer({ port: 0, pair, answer, ...(bodyMs === undefined ? {} : { bodyMs }) })
}

const rows: readonly { readonly it: string; readonly question: Question; readonly want: Answer }[] = [
  { it: 'a review is answered', question: { parts: ['{"a"', ':1}'] },
    want: { status: 200, text: '{"seen":{"a":1}}' } },
  { it: 'a status without an answer', question: { parts: ['"busy"'] }, want: { status: 503, text: '' } },
  { it: 'what is not JSON', question: { parts: ['{'] }, want: { status: 400, text: '' } },
  { it: 'another method', question: { method: 'PUT', parts: ['1'] }, want: { status: 405, text: '' } },
]
for (const { it, question, want } of rows) {
  test(it, async () => {
    await using server = await open()
    assert.equal(await ask(server, question), want)
  })
}

test('a body that does not come to its end is given up, and others are answered', async () => {
  await using server = await open(100)
  // As many as are served at a time: the port would be taken by them.
  const slow = Array.from({ length: 16 }, () => ask(server, { parts: ['{"a":'], isEndless: true }))
  assert.equal(new Set((await Promise.all(slow)).map(({ status }) => status)), new Set([408]))
  assert.is((await ask(server, { parts: ['1'] })).status, 200)
})

test('a body that is too long is not read to its end', async () => {
  await using server = await open()
  const parts = Array.from({ length: 9 }, () => ' '.repeat(1024 * 1024))
  // The answer may be lost where the connection is closed before all was sent.
  assert.ok([413, 0].includes((await ask(server, { parts, isEndless: true })).status))
  assert.is((await ask(server, { parts: ['1'] })).status, 200)
})

test('a port that is taken is told, with the flag that chooses another', async () => {
  await using server = await open()
  const why = await openReviewServer({ port: server.port, pair, answer: async () => 200 })
    .then(() => '', (error: unknown) => String(error))
  assert.match(why, /Cannot listen on port \d+: .*EADDRINUSE.* \(choose one with --webhook-port\)/)
})

test.run()
