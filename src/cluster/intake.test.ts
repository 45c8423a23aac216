/** What is told of the configuration: each mistake once, and that it is good again. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Fields } from '../config/fields.ts'
import { createLog } from '../log.ts'
import { createMetrics } from '../metrics.ts'
import { createIntake } from './intake.ts'

const pool = (addresses: string): Fields => ({
  apiVersion: 'metallb.io/v1beta1', kind: 'IPAddressPool',
  metadata: { name: 'lan', namespace: 'metallb-system' }, spec: { addresses: [addresses] },
})
const open: Fields = {
  apiVersion: 'metallb.io/v1beta1', kind: 'L2Advertisement',
  metadata: { name: 'all', namespace: 'metallb-system' }, spec: {},
}
const bad = 'error failed to parse the configuration'
const again = 'info configuration is good again'

const cases: readonly { it: string; turns: readonly string[]; want: readonly string[] }[] = [
  { it: 'good from the beginning', turns: ['192.0.2.0/28', '192.0.2.0/28', '192.0.2.0/27'], want: [] },
  { it: 'a mistake, looked at twice', turns: ['192.0.2.0/28', '192.0.2.0/33', '192.0.2.0/33'], want: [bad] },
  { it: 'a mistake, and mended', turns: ['192.0.2.0/28', '192.0.2.0/33', '192.0.2.0/28', '192.0.2.0/27'],
    want: [bad, again] },
  { it: 'a mistake, and another', turns: ['192.0.2.0/28', '192.0.2.0/33', '192.0.2.0/34'], want: [bad, bad] },
]
for (const { it, turns, want } of cases) {
  test(`intake: ${it}`, () => {
    const told: string[] = []
    const write = (line: string): void => {
      const { level, msg } = JSON.parse(line)
      told.push(`${level} ${msg}`)
    }
    const intake = createIntake({
      namespace: 'metallb-system', metrics: createMetrics(), wall: () => new Date(0),
      log: createLog({ level: 'info', write, wall: () => new Date(0) }),
    })
    for (const addresses of turns) intake.take([pool(addresses), open], undefined)
    assert.equal(told, want)
  })
}

test.run()
