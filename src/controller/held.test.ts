/** What is carried from one term of leading to the next: what was shown, to whom it was shown. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { formatAddress, parseAddress } from '../net/address.ts'
import { type Held, keepShown, recall } from './held.ts'

type Live = { uid: string; ingress: readonly string[] }
const held = (uid: string, ...texts: readonly string[]): Held =>
  ({ uid, addresses: texts.flatMap((text) => parseAddress(text) ?? []) })
const words = (map: ReadonlyMap<string, Held | Held['addresses']>): Record<string, string> =>
  Object.fromEntries([...map].map(([key, value]) => [
    key, ('uid' in value ? value.addresses : value).map(formatAddress).join(),
  ]))

const shown: { it: string; live: Live | undefined; isKept: boolean }[] = [
  { it: 'shown', live: { uid: 'a', ingress: ['192.0.2.1', '2001:db8::1'] }, isKept: true },
  { it: 'planned, not yet shown', live: { uid: 'a', ingress: [] }, isKept: false },
  { it: 'shown in half', live: { uid: 'a', ingress: ['192.0.2.1'] }, isKept: false },
  { it: 'shown by a Service made anew', live: { uid: 'b', ingress: ['192.0.2.1', '2001:db8::1'] },
    isKept: false },
  { it: 'of a Service that is gone', live: undefined, isKept: false },
]
for (const { it, live, isKept } of shown) {
  test(`at the end of a term: ${it}`, () => {
    const services = new Map(live === undefined ? [] : [['x/a', live]])
    const kept = keepShown(new Map([['x/a', held('a', '192.0.2.1', '2001:db8::1')]]), services)
    assert.equal([...kept.keys()], isKept ? ['x/a'] : [])
  })
}

const cases: { it: string; services: Record<string, Live>; want: Record<string, string> }[] = [
  { it: 'lost in a backup: the same again', services: { 'x/a': { uid: 'a', ingress: [] } },
    want: { 'x/a': '192.0.2.1' } },
  { it: 'still shown: the status says it', services: { 'x/a': { uid: 'a', ingress: ['192.0.2.1'] } },
    want: {} },
  { it: 'another address was given since', services: { 'x/a': { uid: 'a', ingress: ['192.0.2.2'] } },
    want: {} },
  { it: 'its Service was made anew', services: { 'x/a': { uid: 'b', ingress: [] } }, want: {} },
  { it: 'shown by another Service now', want: {},
    services: { 'x/a': { uid: 'a', ingress: [] }, 'x/c': { uid: 'c', ingress: ['192.0.2.1'] } } },
]
for (const { it, services, want } of cases) {
  test(`at the start of the next: ${it}`, () => {
    const seen = new Map([['x/a', held('a', '192.0.2.1')]])
    assert.equal(words(recall(seen, new Map(Object.entries(services)))), want)
  })
}

test.run()
