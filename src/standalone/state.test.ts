/** The state folder: round trips, broken files, and what survives an interrupted write. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { address } from '../config/builders.ts'
import { formatAddress } from '../net/address.ts'
import { type Ledger, readState, sameLedger, writeLastGood, writeLedger } from './state.ts'

const ledger: Ledger = new Map([
  ['default/web', [address('192.0.2.1'), address('2001:db8::1')]],
  ['default/db', [address('192.0.2.2')]],
])
const shown = (given: Ledger): string[] =>
  [...given].map(([key, list]) => `${key} ${list.map(formatAddress).join()}`).toSorted()

const test = suite<{ folder: string }>('state', { folder: '' })
test.before.each(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), 'arpeggio-state-'))
})
test.after.each(async ({ folder }) => rm(folder, { recursive: true }))

test('a missing folder is made and empty', async ({ folder }) => {
  const state = await readState(join(folder, 'a/b'))
  assert.equal([state.ledger.size, state.lastGood, state.findings], [0, undefined, []])
})

test('a ledger comes back as it was written', async ({ folder }) => {
  await writeLedger(folder, ledger)
  const state = await readState(folder)
  assert.equal(shown(state.ledger), shown(ledger))
  assert.ok(sameLedger(state.ledger, ledger))
})

test('a ledger that differs in one address is not the same', () => {
  const other = new Map(ledger).set('default/db', [address('192.0.2.3')])
  assert.not(sameLedger(ledger, other))
  assert.not(sameLedger(ledger, new Map([...ledger].slice(0, 1))))
})

test('the last good input comes back to the byte', async ({ folder }) => {
  const bytes = new TextEncoder().encode('a: "ü"\n---\n')
  await writeLastGood(folder, [{ file: 'x.yaml', bytes }])
  const { lastGood } = await readState(folder)
  assert.equal(lastGood?.map(({ file }) => file), ['x.yaml'])
  assert.is(Buffer.compare(lastGood?.[0]?.bytes ?? new Uint8Array(), bytes), 0)
})

for (const text of ['', '{', '{"version":2,"services":{}}', '[]', '{"version":1,"services":{"a":["x"]}}']) {
  test(`a file with ${JSON.stringify(text)} is a finding, not a crash`, async ({ folder }) => {
    await writeFile(join(folder, 'ledger.json'), text)
    const state = await readState(folder)
    assert.is(state.ledger.size, 0)
    assert.match(state.findings[0] ?? '', /ledger\.json": it is not a state file of version 1/)
    assert.is(await readFile(join(folder, 'ledger.json'), 'utf8'), text)
  })
}

test('a half-written temporary file is no harm, and only the owner can read', async ({ folder }) => {
  await writeLedger(folder, ledger)
  await writeFile(join(folder, '.ledger.json.1'), '{"version":1,"serv')
  assert.equal(shown((await readState(folder)).ledger), shown(ledger))
  assert.is((await stat(join(folder, 'ledger.json'))).mode & 0o777, 0o600)
  await writeLedger(folder, new Map())
  assert.equal((await readdir(folder)).toSorted(), ['.ledger.json.1', 'ledger.json'])
})

test.run()
