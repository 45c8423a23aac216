/** Addresses that other machines have: given last, left where another is free, forgotten in time. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { address, config, held, pinned, pool, port, range, service } from '../config/builders.ts'
import type { Intent, Pool } from '../config/model.ts'
import { formatAddress } from '../net/address.ts'
import { emptyForeignMemory, type Foreign, foreignMs, leftToOthers, rememberForeign } from './foreign.ts'
import type { Verdict } from './model.ts'
import { planAllocation } from './plan.ts'
import { addressKey } from './pools.ts'

const mac = '02:00:00:00:00:99'

function foreignOf(texts: string): Foreign {
  return new Map(held(texts).map((one) => [addressKey(one), mac]))
}

/** `name: kind address,address`, what was left to whom, and what is lacking. */
function describe(verdict: Verdict): string {
  const name = verdict.service.replace('default/', '')
  if (!('pool' in verdict)) return `${name}: ${verdict.kind}`
  const left = verdict.dropped.map((one) => ` left ${formatAddress(one.address)}/${one.reason} ${one.mac}`)
  const lacking = verdict.lacking === undefined ? '' : `; ${verdict.lacking}`
  return `${name}: ${verdict.kind} ${verdict.addresses.map(formatAddress).join()}${left.join('')}${lacking}`
}

interface Case {
  readonly it: string
  readonly pools: readonly Pool[]
  readonly services: readonly Intent[]
  readonly ledger?: Readonly<Record<string, string>>
  readonly foreign: string
  readonly want: readonly string[]
}

const lan = pool('lan', '192.0.2.0/30')
const one = pool('one', '192.0.2.0/32')
const far = pool('far', '198.51.100.0/31')
const dual = { families: ['ipv4', 'ipv6'], policy: 'PreferDualStack' } as const
const both = { families: ['ipv4', 'ipv6'], policy: 'RequireDualStack' } as const
const left = (text: string) => `left ${text}/foreignHost ${mac}`
const shares = (number: number) => ({ sharingKey: 'k', hasSharingKey: true, ports: [port(number)] })

const newcomers: readonly Case[] = [
  { it: 'the next address', pools: [lan], services: [service('a')], foreign: '192.0.2.0',
    want: ['a: assigned 192.0.2.1'] },
  { it: 'the next pool, in their order', pools: [one, far], services: [service('a')], foreign: '192.0.2.0',
    want: ['a: assigned 198.51.100.0'] },
  { it: 'an open pool before what another machine has in a pinned one',
    pools: [pool('own', '192.0.2.0/32', { allocation: pinned(1) }), far], services: [service('a')],
    foreign: '192.0.2.0', want: ['a: assigned 198.51.100.0'] },
  { it: 'one that another machine has, where no other is free', pools: [one], services: [service('a')],
    foreign: '192.0.2.0', want: ['a: assigned 192.0.2.0'] },
  { it: 'the same from the pool that it names', pools: [one, far],
    services: [service('a', { requestedPool: 'one' })], foreign: '192.0.2.0',
    want: ['a: assigned 192.0.2.0'] },
  { it: 'asked for by name it is given', pools: [lan], foreign: '192.0.2.0',
    services: [service('a', { requested: held('192.0.2.0') })], want: ['a: assigned 192.0.2.0'] },
  { it: 'one family only, rather than a pair that is silent',
    pools: [pool('lan', '192.0.2.0/32 2001:db8::/126')], services: [service('a', dual)], foreign: '192.0.2.0',
    want: ['a: assigned 2001:db8::; pool "lan" has no free IPv4 address that no other machine has'] },
  { it: 'a pair all the same, where it must be one', pools: [pool('lan', '192.0.2.0/32 2001:db8::/126')],
    services: [service('a', both)], foreign: '192.0.2.0', want: ['a: assigned 192.0.2.0,2001:db8::'] },
  { it: 'a pair of two pools, rather than one that is silent', foreign: '192.0.2.0',
    pools: [pool('lan', '192.0.2.0/32 2001:db8::/126'), far], services: [service('a', both)],
    want: ['a: assigned 198.51.100.0,2001:db8::'] },
  { it: 'it does not share an address that another machine has', pools: [lan], foreign: '192.0.2.0',
    ledger: { a: '192.0.2.0' }, want: ['a: kept 192.0.2.0', 'b: assigned 192.0.2.1'],
    services: [service('a', { ...shares(80), requested: held('192.0.2.0') }), service('b', shares(81))] },
]

const holders: readonly Case[] = [
  { it: 'another one', pools: [lan], services: [service('a')], ledger: { a: '192.0.2.1' },
    foreign: '192.0.2.1', want: [`a: assigned 192.0.2.0 ${left('192.0.2.1')}`] },
  { it: 'it was asked for by name: it stays', pools: [lan], ledger: { a: '192.0.2.1' }, foreign: '192.0.2.1',
    services: [service('a', { requested: held('192.0.2.1') })], want: ['a: kept 192.0.2.1'] },
  { it: 'another one is asked for by name and not to be had', pools: [lan], foreign: '192.0.2.1',
    ledger: { a: '192.0.2.1', b: '192.0.2.2' },
    services: [service('a', { requested: held('192.0.2.2') }), service('b')],
    want: [`a: assigned 192.0.2.0 ${left('192.0.2.1')}; kept, though "192.0.2.2" is in use by default/b; ` +
      'to share it, give both the annotation metallb.io/allow-shared-ip with the same value',
    'b: kept 192.0.2.2'] },
  { it: 'what it asks for cannot be read: it stays', pools: [lan], ledger: { a: '192.0.2.1' },
    services: [service('a', { refusal: { reason: 'badRequestedAddress', message: 'x' } })],
    foreign: '192.0.2.1', want: ['a: kept 192.0.2.1; x'] },
  { it: 'no other is free: it stays', pools: [one], services: [service('a')], ledger: { a: '192.0.2.0' },
    foreign: '192.0.2.0', want: ['a: kept 192.0.2.0'] },
  { it: 'not to another that a machine has', pools: [pool('two', '192.0.2.0/31')], services: [service('a')],
    ledger: { a: '192.0.2.0' }, foreign: '192.0.2.0 192.0.2.1', want: ['a: kept 192.0.2.0'] },
  { it: 'its own pool first', pools: [far, lan], services: [service('a')], ledger: { a: '192.0.2.0' },
    foreign: '192.0.2.0', want: [`a: assigned 192.0.2.1 ${left('192.0.2.0')}`] },
  { it: 'then another pool', pools: [one, far], services: [service('a')], ledger: { a: '192.0.2.0' },
    foreign: '192.0.2.0', want: [`a: assigned 198.51.100.0 ${left('192.0.2.0')}`] },
  { it: 'not where its pool was named', pools: [one, far], ledger: { a: '192.0.2.0' }, foreign: '192.0.2.0',
    services: [service('a', { requestedPool: 'one' })], want: ['a: kept 192.0.2.0'] },
  { it: 'within the pool that was named', pools: [far, pool('two', '192.0.2.0/31')],
    ledger: { a: '192.0.2.0' }, services: [service('a', { requestedPool: 'two' })], foreign: '192.0.2.0',
    want: [`a: assigned 192.0.2.1 ${left('192.0.2.0')}`] },
  { it: 'to a pool that is named by now, not onto what a machine has there', pools: [one, far],
    ledger: { a: '198.51.100.0' }, services: [service('a', { requestedPool: 'one' })], foreign: '192.0.2.0',
    want: ['a: kept 198.51.100.0; kept, though other machines have all free addresses of pool "one"'] },
  { it: 'of a pair only the family concerned', pools: [pool('lan', '192.0.2.0/30 2001:db8::/126')],
    services: [service('a', dual)], ledger: { a: '192.0.2.0 2001:db8::1' }, foreign: '2001:db8::1',
    want: [`a: assigned 192.0.2.0,2001:db8:: ${left('2001:db8::1')}`] },
  { it: 'no second family that another machine has', pools: [pool('lan', '192.0.2.0/30 2001:db8::/128')],
    services: [service('a', both)], ledger: { a: '192.0.2.0' }, foreign: '2001:db8::',
    want: ['a: kept 192.0.2.0; cannot assign additional IP: pool "lan" has no free IPv6 address ' +
      'that no other machine has'] },
  { it: 'sharers meet again', pools: [lan], ledger: { a: '192.0.2.0', b: '192.0.2.0' }, foreign: '192.0.2.0',
    services: [service('a', shares(80)), service('b', shares(81))],
    want: [`a: assigned 192.0.2.1 ${left('192.0.2.0')}`, `b: assigned 192.0.2.1 ${left('192.0.2.0')}`] },
  { it: 'of sharers, whoever asked for it stays', pools: [lan], foreign: '192.0.2.0',
    ledger: { a: '192.0.2.0', b: '192.0.2.0' },
    services: [service('a', { ...shares(80), requested: held('192.0.2.0') }), service('b', shares(81))],
    want: ['a: kept 192.0.2.0', `b: assigned 192.0.2.1 ${left('192.0.2.0')}`] },
  { it: 'not to an excluded one', pools: [pool('two', '192.0.2.0/31', { excluded: [range('192.0.2.1/32')] })],
    services: [service('a')], ledger: { a: '192.0.2.0' }, foreign: '192.0.2.0', want: ['a: kept 192.0.2.0'] },
  { it: 'whoever waited for one that a younger Service leaves', pools: [pool('two', '192.0.2.0/31'), far],
    ledger: { a: '192.0.2.0', b: '192.0.2.1' }, foreign: '192.0.2.0', services: [
      service('a', { requestedPool: 'two' }), service('b', { requested: held('198.51.100.0') })],
    want: [`a: assigned 192.0.2.1 ${left('192.0.2.0')}`,
      'b: assigned 198.51.100.0 left 192.0.2.1/otherAddressRequested undefined'] },
  { it: 'a newcomer that asks for what is left gets it', pools: [lan], ledger: { a: '192.0.2.0' },
    services: [service('a'), service('b', { requested: held('192.0.2.0') })], foreign: '192.0.2.0',
    want: [`a: assigned 192.0.2.1 ${left('192.0.2.0')}`, 'b: assigned 192.0.2.0'] },
  { it: 'a machine that answers for everything: nobody leaves', pools: [pool('lan', '192.0.2.0/24')],
    services: [service('a'), service('b')], ledger: { a: '192.0.2.0' },
    foreign: Array.from({ length: 9 }, (_, i) => `192.0.2.${i}`).join(' '),
    want: ['a: kept 192.0.2.0', 'b: assigned 192.0.2.9'] },
]

for (const [group, cases] of [['newcomers', newcomers], ['holders', holders]] as const) {
  for (const { it, pools, services, ledger = {}, foreign, want } of cases) {
    test(`${group}: ${it}`, () => {
      const before = new Map(Object.entries(ledger).map(([k, v]) => [`default/${k}`, held(v)]))
      const input = { config: config(...pools), services, foreign: foreignOf(foreign) }
      const verdicts = planAllocation({ ...input, ledger: before })
      assert.equal(verdicts.map(describe), want)
      const after = new Map(verdicts.flatMap((verdict) =>
        'pool' in verdict ? [[verdict.service, verdict.addresses] as const] : []))
      const again = planAllocation({ ...input, ledger: after })
      assert.ok(again.every((verdict) => verdict.kind === 'kept' && verdict.dropped.length === 0))
    })
  }
}

const [first, second] = [address('192.0.2.1'), address('192.0.2.2')]
const [a, b] = [{ address: first, mac }, { address: second, mac }]

test('an address is foreign while it is reported, and for ten minutes after the last report', () => {
  const seen = rememberForeign(emptyForeignMemory, [a], 0)
  const long = rememberForeign(seen, [a], 5 * foreignMs)
  assert.is(long.foreign, seen.foreign, 'the same value: nothing has changed')
  assert.is(long.nextMs, undefined)
  const ended = rememberForeign(long, [], 5 * foreignMs)
  assert.is(ended.foreign, seen.foreign)
  assert.is(ended.nextMs, 6 * foreignMs)
  const late = rememberForeign(ended, [], 6 * foreignMs - 1)
  assert.is(late.foreign, seen.foreign)
  assert.is(late.nextMs, 6 * foreignMs, 'looking does not prolong it')
  const over = rememberForeign(late, [], 6 * foreignMs)
  assert.is(over.foreign.size, 0)
  assert.is(over.nextMs, undefined)
})

test('a report that comes again counts anew, each address by itself', () => {
  const two = rememberForeign(emptyForeignMemory, [a, b], 0)
  const left = rememberForeign(two, [], 1_000)
  const again = rememberForeign(left, [b], 2_000)
  assert.is(again.nextMs, foreignMs + 1_000)
  const later = rememberForeign(again, [b], foreignMs + 1_000)
  assert.equal([...later.foreign], [[addressKey(second), mac]])
})

test('a machine that answers for whatever is asked: nobody wanders, however long it does', () => {
  const of = config(pool('lan', '192.0.2.0/24'))
  let [memory, addresses, moves] = [emptyForeignMemory, held('192.0.2.0'), 0]
  const secondsOf = (hours: number): number => hours * 3_600
  for (let second = 0; second < secondsOf(2); second += 10) {
    // An hour it answers, and an hour it does not.
    const seen = second < secondsOf(1) ? addresses.map((each) => ({ address: each, mac })) : []
    memory = rememberForeign(memory, seen, 1_000 * second)
    const ledger = new Map([['default/a', addresses]])
    const [verdict] = planAllocation({
      config: of, services: [service('a')], ledger, foreign: memory.foreign,
    })
    assert.ok(verdict !== undefined && 'pool' in verdict)
    if (verdict.kind !== 'kept') moves++
    addresses = [...verdict.addresses]
  }
  assert.is(moves, 8)
  assert.equal([...memory.rows], [], 'ten minutes after the last report nothing is left')
})

test('another machine has it: that is news', () => {
  const seen = rememberForeign(emptyForeignMemory, [a], 0)
  const other = rememberForeign(seen, [{ ...a, mac: '02:00:00:00:00:98' }], 1)
  assert.equal([...other.foreign.values()], ['02:00:00:00:00:98'])
})

test('left to other machines is what they have and no Service holds, where a machine is known', () => {
  const foreign = new Map(foreignOf('192.0.2.1 192.0.2.2 2001:db8::1'))
  const left = (...addresses: readonly string[]): unknown =>
    [...leftToOthers(foreign, [{ addresses: [] }, { addresses }])]
  assert.equal(left('192.0.2.2'), [['192.0.2.1', mac], ['2001:db8::1', mac]])
  assert.equal(left('192.0.2.1', '192.0.2.2', '2001:db8::1'), [])
  foreign.set(addressKey(address('192.0.2.1')), '')
  assert.equal(left('192.0.2.2'), [['2001:db8::1', mac]])
})

test.run()
