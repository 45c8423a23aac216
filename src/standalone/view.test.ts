/** What a host of a group says of others: who owns an address, whatever was planned. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { ServiceRow } from '../plan/report.ts'
import { rowsAsOwned } from './view.ts'

const row: ServiceRow = {
  namespace: 'default', name: 'web', verdict: 'kept', reason: '', message: '', pool: 'lan',
  addresses: ['192.0.2.240', '2001:db8::240'],
  announcements: [
    { address: '192.0.2.240', node: 'a', interfaces: ['eth0'] },
    { address: '2001:db8::240', node: 'a', interfaces: ['eth1'] },
  ],
  silent: [],
}

const cases: readonly {
  it: string; owners: Readonly<Record<string, string>>; want: ServiceRow['announcements']
}[] = [
  { it: 'whom the plan has owns them', owners: { '192.0.2.240': 'a', '2001:db8::240': 'a' },
    want: row.announcements },
  { it: 'a host that is not heard, and so not planned, owns one',
    owners: { '192.0.2.240': 'b', '2001:db8::240': 'a' },
    want: [
      { address: '192.0.2.240', node: 'b', interfaces: [] },
      { address: '2001:db8::240', node: 'a', interfaces: ['eth1'] },
    ] },
  { it: 'nobody is known to own one', owners: { '2001:db8::240': 'a' },
    want: [{ address: '2001:db8::240', node: 'a', interfaces: ['eth1'] }] },
]
for (const { it, owners, want } of cases) {
  test(`rows: ${it}`, () => {
    const [seen] = rowsAsOwned([row], new Map(Object.entries(owners)))
    assert.equal(seen, { ...row, announcements: want })
  })
}

test.run()
