/** Allocation as tables: who gets what, who keeps what, who is refused and why. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Intent, Pool } from '../config/model.ts'
import { formatAddress } from '../net/address.ts'
import type { Address } from '../net/model.ts'
import { config, held, pinned, pool, port, range, service } from '../config/builders.ts'
import type { Verdict } from './model.ts'
import { planAllocation } from './plan.ts'

/** `name: kind address,address pool` or `name: kind reason`, and what was lost. */
function describe(verdict: Verdict): string {
  const name = verdict.service.replace('default/', '')
  const lost = 'dropped' in verdict && verdict.dropped.length > 0
    ? ` lost ${verdict.dropped.map((d) => `${formatAddress(d.address)}/${d.reason}`).join(',')}`
    : ''
  if ('pool' in verdict) {
    const lacking = verdict.lacking === undefined ? '' : ' lacking'
    const list = verdict.addresses.map(formatAddress).join(',')
    return `${name}: ${verdict.kind} ${list} ${verdict.pool}${lost}${lacking}`
  }
  return `${name}: ${verdict.kind} ${verdict.reason}${lost}`
}

function fail(): never {
  throw new Error('No verdict')
}

interface Case {
  readonly it: string
  readonly pools: readonly Pool[]
  readonly services: readonly Intent[]
  readonly ledger?: Readonly<Record<string, string>>
  readonly loadBalancerClass?: string
  readonly want: readonly string[]
}

function run(c: Case): readonly Verdict[] {
  const ledger = new Map(Object.entries(c.ledger ?? {}).map(([k, v]) => [`default/${k}`, held(v)]))
  return planAllocation({
    config: config(...c.pools),
    services: c.services,
    ledger,
    ...(c.loadBalancerClass === undefined ? {} : { loadBalancerClass: c.loadBalancerClass }),
  })
}

const lan = pool('lan', '192.0.2.0/30')
const dual = { families: ['ipv4', 'ipv6'], policy: 'PreferDualStack' } as const
const both = { families: ['ipv4', 'ipv6'], policy: 'RequireDualStack' } as const
const asks = (texts: string) => ({ requested: held(texts) })
const shares = (key: string, number: number, more: Partial<Intent> = {}) =>
  ({ sharingKey: key, hasSharingKey: true, ports: [port(number)], ...more })

const refusals: readonly Case[] = [
  { it: 'no pools', pools: [], services: [service('a')], want: ['a: refused noPool'] },
  { it: 'no pools: addresses of another implementation are not ours to clear', pools: [],
    services: [service('a', { held: held('192.0.2.1') })], want: ['a: refused noPool'] },
  { it: 'no pools: addresses that we allocated are cleared', pools: [],
    services: [service('a', { held: held('192.0.2.1'), allocatedFromPool: 'lan' })],
    want: ['a: refused noPool lost 192.0.2.1/notInPool'] },
  { it: 'a malformed request', pools: [lan],
    services: [service('a', { refusal: { reason: 'badRequestedAddress', message: 'x' } })],
    want: ['a: refused badRequestedAddress'] },
  { it: 'an exhausted pool', pools: [pool('lan', '192.0.2.1/32')],
    services: [service('a'), service('b')],
    want: ['a: assigned 192.0.2.1 lan', 'b: refused poolExhausted'] },
  { it: 'a family the pool has none of', pools: [lan],
    services: [service('a', { families: ['ipv6'] })], want: ['a: refused poolExhausted'] },
  { it: 'only pools that are not assigned automatically', pools: [pool('lan', '192.0.2.0/30', {
    autoAssign: false })], services: [service('a')], want: ['a: refused noAutoPool'] },
  { it: 'an unknown pool', pools: [lan], services: [service('a', { requestedPool: 'wan' })],
    want: ['a: refused unknownPool'] },
  { it: 'a pool for other namespaces', pools: [pool('lan', '192.0.2.0/30', {
    allocation: pinned(0, { namespaces: new Set(['prod']) }) })],
    services: [service('a', { requestedPool: 'lan' })], want: ['a: refused poolNotForService'] },
  { it: 'an address in no pool', pools: [lan], services: [service('a', asks('192.0.2.99'))],
    want: ['a: refused addressNotInPool'] },
  { it: 'addresses in two pools', pools: [lan, pool('six', '2001:db8::/126')],
    services: [service('a', { ...both, ...asks('192.0.2.1 2001:db8::1') })],
    want: ['a: refused addressesInTwoPools'] },
  { it: 'an address outside the requested pool', pools: [lan, pool('wan', '198.51.100.0/30')],
    services: [service('a', { ...asks('192.0.2.1'), requestedPool: 'wan' })],
    want: ['a: refused addressNotInRequestedPool'] },
  { it: 'an address that avoidBuggyIPs rules out', pools: [pool('lan', '192.0.2.0/24', {
    avoidBuggyIPs: true })], services: [service('a', asks('192.0.2.255'))],
    want: ['a: refused addressExcluded'] },
  { it: 'an excluded address', pools: [pool('lan', '192.0.2.0/30', {
    excluded: [range('192.0.2.1/32')] })], services: [service('a', asks('192.0.2.1'))],
    want: ['a: refused addressExcluded'] },
  { it: 'an address in use', pools: [lan],
    services: [service('a', asks('192.0.2.1')), service('b', asks('192.0.2.1'))],
    want: ['a: assigned 192.0.2.1 lan', 'b: refused addressInUse'] },
  { it: 'an address shared under another key', pools: [lan],
    services: [service('a', { ...asks('192.0.2.1'), ...shares('x', 80) }),
      service('b', { ...asks('192.0.2.1'), ...shares('y', 81) })],
    want: ['a: assigned 192.0.2.1 lan', 'b: refused sharingKeyMismatch'] },
  { it: 'Local and Cluster do not share', pools: [lan],
    services: [service('a', { ...asks('192.0.2.1'), ...shares('x', 80) }),
      service('b', { ...asks('192.0.2.1'), ...shares('x', 81, { backendKey: 'app=b' }) })],
    want: ['a: assigned 192.0.2.1 lan', 'b: refused sharingKeyMismatch'] },
  { it: 'sharers with the same port', pools: [lan],
    services: [service('a', { ...asks('192.0.2.1'), ...shares('x', 80) }),
      service('b', { ...asks('192.0.2.1'), ...shares('x', 80) })],
    want: ['a: assigned 192.0.2.1 lan', 'b: refused portInUse'] },
  { it: 'RequireDualStack without a pool of both families', pools: [lan],
    services: [service('a', both)], want: ['a: refused poolExhausted'] },
  { it: 'RequireDualStack and a pool of both families, one of them used up', pools: [
    pool('lan', '192.0.2.1/32 2001:db8::/126')], services: [service('a'), service('b', both)],
    want: ['a: assigned 192.0.2.1 lan', 'b: refused poolExhausted'] },
  { it: 'RequireDualStack in a requested pool of one family', pools: [lan,
    pool('wan', '198.51.100.0/30 2001:db8::/126')],
    services: [service('a', { ...both, requestedPool: 'lan' })], want: ['a: refused poolExhausted'] },
  { it: 'a requested address of a pool for other namespaces', pools: [pool('lan', '192.0.2.0/30', {
    allocation: pinned(0, { namespaces: new Set(['prod']) }) })],
    services: [service('a', asks('192.0.2.1'))], want: ['a: refused poolNotForService'] },
  { it: 'a requested address, namespace selectors match nothing yet', pools: [pool('lan',
    '192.0.2.0/30', { allocation: pinned(0, { namespaces: new Set() }) })],
    services: [service('a', asks('192.0.2.1'))], want: ['a: refused poolNotForService'] },
  { it: 'namespace selectors that match nothing, beside service selectors that do', pools: [
    pool('lan', '192.0.2.0/30', { allocation: pinned(0, { namespaces: new Set(),
      serviceSelectors: [[{ key: 'app', operator: 'In', values: ['web'] }]] }) })],
    services: [service('a', { labels: { app: 'web' } })], want: ['a: refused noAutoPool'] },
  { it: 'a pinned pool that is not assigned automatically', pools: [pool('lan', '192.0.2.0/30', {
    autoAssign: false, allocation: pinned(1) })], services: [service('a')],
    want: ['a: refused noAutoPool'] },
  { it: 'a single buggy address', pools: [pool('lan', '192.0.2.0/32', { avoidBuggyIPs: true })],
    services: [service('a')], want: ['a: refused poolExhausted'] },
  { it: 'an address whose holder does not share', pools: [lan],
    services: [service('a', asks('192.0.2.1')),
      service('b', { ...asks('192.0.2.1'), ...shares('x', 81) })],
    want: ['a: assigned 192.0.2.1 lan', 'b: refused sharingKeyMismatch'] },
]

const automatic: readonly Case[] = [
  { it: 'the lowest free address, network and broadcast included', pools: [lan],
    services: [service('a'), service('b')],
    want: ['a: assigned 192.0.2.0 lan', 'b: assigned 192.0.2.1 lan'] },
  { it: 'a freed address is given again', pools: [lan], ledger: { b: '192.0.2.1', c: '192.0.2.2' },
    services: [service('b'), service('c'), service('d')],
    want: ['b: kept 192.0.2.1 lan', 'c: kept 192.0.2.2 lan', 'd: assigned 192.0.2.0 lan'] },
  { it: 'avoidBuggyIPs skips .0 and .255, also inside ranges', pools: [pool('lan',
    '192.0.2.255-198.51.100.1', { avoidBuggyIPs: true })], services: [service('a')],
    want: ['a: assigned 192.0.3.1 lan'] },
  { it: 'excluded addresses are skipped as a block', pools: [pool('lan', '10.0.0.0/8', {
    excluded: [range('10.0.0.0-10.200.0.0')] })], services: [service('a')],
    want: ['a: assigned 10.200.0.1 lan'] },
  { it: 'ranges in the order written', pools: [pool('lan', '192.0.2.9/32 192.0.2.1/32')],
    services: [service('a'), service('b')],
    want: ['a: assigned 192.0.2.9 lan', 'b: assigned 192.0.2.1 lan'] },
  { it: 'older Services first, whatever their name', pools: [lan],
    services: [service('a', { createdAtMs: 2_000 }), service('b', { createdAtMs: 1_000 })],
    want: ['a: assigned 192.0.2.1 lan', 'b: assigned 192.0.2.0 lan'] },
  { it: 'Services without a creation time come last', pools: [lan],
    services: [service('a'), service('b', { createdAtMs: 1_000 })],
    want: ['a: assigned 192.0.2.1 lan', 'b: assigned 192.0.2.0 lan'] },
  { it: 'pinned pools before open ones, by priority, unset last', pools: [
    pool('a-open', '192.0.2.10/32'),
    pool('b', '192.0.2.20/32', { allocation: pinned(20, { namespaces: new Set(['default']) }) }),
    pool('c', '192.0.2.30/32', { allocation: pinned(10, { namespaces: new Set(['default']) }) }),
    pool('d', '192.0.2.40/32', { allocation: pinned(0, { namespaces: new Set(['default']) }) })],
    services: ['1', '2', '3', '4'].map((name) => service(name)),
    want: ['1: assigned 192.0.2.30 c', '2: assigned 192.0.2.20 b', '3: assigned 192.0.2.40 d',
      '4: assigned 192.0.2.10 a-open'] },
  { it: 'one of several service selectors is enough', pools: [pool('a', '192.0.2.1/32', {
    allocation: pinned(1, { serviceSelectors: [
      [{ key: 'app', operator: 'In', values: ['dns'] }], [{ key: 'app', operator: 'In', values: ['web'] }],
    ] }) })], services: [service('1', { labels: { app: 'web' } })],
    want: ['1: assigned 192.0.2.1 a'] },
  { it: 'the next pool when the first is used up', pools: [pool('a', '192.0.2.1/32'),
    pool('b', '192.0.2.9/32')], services: [service('1'), service('2')],
    want: ['1: assigned 192.0.2.1 a', '2: assigned 192.0.2.9 b'] },
  { it: 'a pool without the family is passed over', pools: [pool('a', '2001:db8::/126'),
    pool('b', '192.0.2.9/32')], services: [service('1')], want: ['1: assigned 192.0.2.9 b'] },
  { it: 'only a priority: pinned for every Service', pools: [
    pool('a', '192.0.2.1/32', { allocation: pinned(20) }),
    pool('b', '192.0.2.2/32', { allocation: pinned(10) })], services: [service('1'), service('2')],
    want: ['1: assigned 192.0.2.2 b', '2: assigned 192.0.2.1 a'] },
  { it: 'namespace and service selector must both match', pools: [pool('a', '192.0.2.1/32', {
    allocation: pinned(1, { namespaces: new Set(['default']),
      serviceSelectors: [[{ key: 'app', operator: 'In', values: ['web'] }]] }) })],
    services: [service('1'), service('2', { labels: { app: 'web' } })],
    want: ['1: refused noAutoPool', '2: assigned 192.0.2.1 a'] },
  { it: 'namespace selectors that match nothing restrict to nothing', pools: [pool('a',
    '192.0.2.1/32', { allocation: pinned(1, { namespaces: new Set() }) })],
    services: [service('1')], want: ['1: refused noAutoPool'] },
  { it: 'a requested pool is used although not automatic', pools: [pool('db', '192.0.2.50/32', {
    autoAssign: false })], services: [service('a', { requestedPool: 'db' })],
    want: ['a: assigned 192.0.2.50 db'] },
  { it: 'a requested address is given although its pool is not automatic', pools: [pool('db',
    '192.0.2.48/29', { autoAssign: false })], services: [service('a', asks('192.0.2.50'))],
    want: ['a: assigned 192.0.2.50 db'] },
]

const stacks: readonly Case[] = [
  { it: 'PreferDualStack: a pool with both families first', pools: [pool('a', '192.0.2.0/30'),
    pool('b', '2001:db8:1::/126'), pool('c', '198.51.100.0/30 2001:db8::/126')],
    services: [service('x', dual)], want: ['x: assigned 198.51.100.0,2001:db8:: c'] },
  { it: 'PreferDualStack: a pinned pool of one family before an open one of both', pools: [
    pool('a', '192.0.2.0/30', { allocation: pinned(1) }), pool('b', '198.51.100.0/30 2001:db8::/126')],
    services: [service('x', dual)], want: ['x: assigned 192.0.2.0 a lacking'] },
  { it: 'PreferDualStack: the other family, if only that is free', pools: [
    pool('a', '2001:db8::/126')], services: [service('x', dual)],
    want: ['x: assigned 2001:db8:: a lacking'] },
  { it: 'PreferDualStack in a requested pool: what is there', pools: [pool('a', '2001:db8::/126'),
    pool('b', '198.51.100.0/30 2001:db8:1::/126')],
    services: [service('x', { ...dual, requestedPool: 'a' })],
    want: ['x: assigned 2001:db8:: a lacking'] },
  { it: 'PreferDualStack with one cluster address: one address, now and ever after',
    ledger: { y: '192.0.2.1' }, pools: [pool('a', '192.0.2.0/30 2001:db8::/126')],
    services: [service('x', { policy: 'PreferDualStack' }), service('y', { policy: 'PreferDualStack' })],
    want: ['x: assigned 192.0.2.0 a', 'y: kept 192.0.2.1 a'] },
  { it: 'two cluster addresses are both served, whatever the policy says', pools: [
    pool('a', '192.0.2.0/30 2001:db8::/126')],
    services: [service('x', { families: ['ipv4', 'ipv6'], policy: 'SingleStack' })],
    want: ['x: assigned 192.0.2.0,2001:db8:: a'] },
  { it: 'PreferDualStack: else the primary family', pools: [pool('a', '2001:db8::/126'),
    pool('b', '192.0.2.0/30')], services: [service('x', dual)],
    want: ['x: assigned 192.0.2.0 b lacking'] },
  { it: 'PreferDualStack with IPv6 first: the IPv6 pool', pools: [pool('a', '192.0.2.0/30'),
    pool('b', '2001:db8::/126')], services: [service('x', { ...dual, families: ['ipv6', 'ipv4'] })],
    want: ['x: assigned 2001:db8:: b lacking'] },
  { it: 'pairs are IPv4 first whatever the order of families', pools: [pool('c',
    '198.51.100.0/30 2001:db8::/126')], services: [service('x', { ...dual,
    families: ['ipv6', 'ipv4'] })], want: ['x: assigned 198.51.100.0,2001:db8:: c'] },
  { it: 'requested pairs keep the user\'s order', pools: [pool('c',
    '198.51.100.0/30 2001:db8::/126')], services: [service('x', { ...both,
    ...asks('2001:db8::2 198.51.100.2') })], want: ['x: assigned 2001:db8::2,198.51.100.2 c'] },
  { it: 'PreferDualStack is completed when its pool gains the family', ledger: { x: '192.0.2.1' },
    pools: [pool('a', '192.0.2.0/30 2001:db8::/126')], services: [service('x', dual)],
    want: ['x: assigned 192.0.2.1,2001:db8:: a'] },
  { it: 'PreferDualStack never jumps to another pool', ledger: { x: '192.0.2.1' },
    pools: [pool('a', '192.0.2.0/30'), pool('b', '198.51.100.0/30 2001:db8::/126')],
    services: [service('x', dual)], want: ['x: kept 192.0.2.1 a lacking'] },
  { it: 'RequireDualStack keeps what it has and takes the rest elsewhere',
    ledger: { x: '192.0.2.1' }, pools: [pool('a', '192.0.2.0/30'), pool('b', '2001:db8::/126')],
    services: [service('x', both)], want: ['x: assigned 192.0.2.1,2001:db8:: a'] },
  { it: 'RequireDualStack keeps its one address where no other can be had',
    ledger: { x: '192.0.2.1' }, pools: [lan], services: [service('x', both)],
    want: ['x: kept 192.0.2.1 lan lacking'] },
  { it: 'dual to single stack: the other family goes, the address stays',
    ledger: { x: '192.0.2.1 2001:db8::1' }, pools: [pool('a', '192.0.2.0/30 2001:db8::/126')],
    services: [service('x')], want: ['x: kept 192.0.2.1 a lost 2001:db8::1/familyNotWanted'] },
  { it: 'two addresses of one family: the first stays', ledger: { x: '192.0.2.1 192.0.2.2' },
    pools: [lan], services: [service('x')],
    want: ['x: kept 192.0.2.1 lan lost 192.0.2.2/familyNotWanted'] },
]

const holders: readonly Case[] = [
  { it: 'the ledger goes before status', pools: [lan], ledger: { a: '192.0.2.2' },
    services: [service('a', { held: held('192.0.2.3') })], want: ['a: kept 192.0.2.2 lan'] },
  { it: 'status is enough after a lost ledger', pools: [lan],
    services: [service('a', { held: held('192.0.2.3') })], want: ['a: kept 192.0.2.3 lan'] },
  { it: 'a newcomer never gets a held address, though older', pools: [pool('lan', '192.0.2.1/32')],
    ledger: { b: '192.0.2.1' }, services: [service('a', { createdAtMs: 1 }), service('b')],
    want: ['a: refused poolExhausted', 'b: kept 192.0.2.1 lan'] },
  { it: 'of two that hold one address the older keeps it', pools: [lan],
    ledger: { a: '192.0.2.1', b: '192.0.2.1' },
    services: [service('a', { createdAtMs: 2 }), service('b', { createdAtMs: 1 })],
    want: ['a: assigned 192.0.2.0 lan lost 192.0.2.1/sharingBroken', 'b: kept 192.0.2.1 lan'] },
  { it: 'a better pool, by priority or by family, moves nobody', pools: [lan,
    pool('best', '198.51.100.0/30 2001:db8::/126', { allocation: pinned(1) })],
    ledger: { a: '192.0.2.1', b: '192.0.2.2' }, services: [service('a'), service('b', dual)],
    want: ['a: kept 192.0.2.1 lan', 'b: kept 192.0.2.2 lan lacking'] },
  { it: 'too few cluster addresses for RequireDualStack: the address stays', pools: [lan],
    ledger: { a: '192.0.2.1' },
    services: [service('a', { refusal: { reason: 'notEnoughClusterIPs', message: 'x' } })],
    want: ['a: kept 192.0.2.1 lan lacking'] },
  { it: 'addresses in another order than asked for stay as they are', pools: [
    pool('a', '192.0.2.0/30 2001:db8::/126')], ledger: { x: '192.0.2.1 2001:db8::1' },
    services: [service('x', { ...both, ...asks('2001:db8::1 192.0.2.1') })],
    want: ['x: kept 192.0.2.1,2001:db8::1 a'] },
  { it: 'renamed pool: the address stays', pools: [pool('new', '192.0.2.0/24')],
    ledger: { a: '192.0.2.1' }, services: [service('a')], want: ['a: kept 192.0.2.1 new'] },
  { it: 'removed range: a new address', pools: [pool('lan', '198.51.100.0/30')],
    ledger: { a: '192.0.2.1' }, services: [service('a')],
    want: ['a: assigned 198.51.100.0 lan lost 192.0.2.1/notInPool'] },
  { it: 'a pair split over two pools stays', pools: [lan, pool('six', '2001:db8::/126')],
    ledger: { a: '192.0.2.1 2001:db8::1' }, services: [service('a', dual)],
    want: ['a: kept 192.0.2.1,2001:db8::1 lan'] },
  { it: 'autoAssign switched off: the address stays', pools: [pool('lan', '192.0.2.0/30', {
    autoAssign: false })], ledger: { a: '192.0.2.1' }, services: [service('a')],
    want: ['a: kept 192.0.2.1 lan'] },
  { it: 'excluded after it was given: the address stays', pools: [pool('lan', '192.0.2.0/30', {
    excluded: [range('192.0.2.1/32')] })], ledger: { a: '192.0.2.1' }, services: [service('a')],
    want: ['a: kept 192.0.2.1 lan'] },
  { it: 'avoidBuggyIPs switched on: .0 and .255 go', pools: [pool('lan', '192.0.2.0/30', {
    avoidBuggyIPs: true })], ledger: { a: '192.0.2.0' }, services: [service('a')],
    want: ['a: assigned 192.0.2.1 lan lost 192.0.2.0/addressExcluded'] },
  { it: 'pool no longer for this namespace', pools: [pool('lan', '192.0.2.0/30', {
    allocation: pinned(1, { namespaces: new Set(['prod']) }) })], ledger: { a: '192.0.2.1' },
    services: [service('a')], want: ['a: refused noAutoPool lost 192.0.2.1/poolNotForService'] },
  { it: 'another address requested: it moves', pools: [lan], ledger: { a: '192.0.2.1' },
    services: [service('a', asks('192.0.2.3'))],
    want: ['a: assigned 192.0.2.3 lan lost 192.0.2.1/otherAddressRequested'] },
  { it: 'another address requested in vain: it stays', pools: [lan],
    ledger: { a: '192.0.2.1', b: '192.0.2.3' },
    services: [service('a', asks('192.0.2.3')), service('b')],
    want: ['a: kept 192.0.2.1 lan lacking', 'b: kept 192.0.2.3 lan'] },
  { it: 'a chain of movers moves in one plan', pools: [lan],
    ledger: { a: '192.0.2.1', b: '192.0.2.2' },
    services: [service('a', asks('192.0.2.2')), service('b', asks('192.0.2.3'))],
    want: ['a: assigned 192.0.2.2 lan lost 192.0.2.1/otherAddressRequested',
      'b: assigned 192.0.2.3 lan lost 192.0.2.2/otherAddressRequested'] },
  { it: 'RequireDualStack does not leave the pool it asks for', ledger: { x: '192.0.2.1' },
    pools: [lan, pool('six', '2001:db8::/126')],
    services: [service('x', { ...both, requestedPool: 'lan' })],
    want: ['x: kept 192.0.2.1 lan lacking'] },
  { it: 'another pool requested: it moves', pools: [lan, pool('wan', '198.51.100.0/30')],
    ledger: { a: '192.0.2.1' }, services: [service('a', { requestedPool: 'wan' })],
    want: ['a: assigned 198.51.100.0 wan lost 192.0.2.1/otherPoolRequested'] },
  { it: 'an address freed by a move goes to who waits, in the same plan',
    pools: [pool('lan', '192.0.2.1/32'), pool('wan', '198.51.100.0/32', { autoAssign: false })],
    ledger: { a: '192.0.2.1' }, services: [service('a', { requestedPool: 'wan' }), service('b')],
    want: ['a: assigned 198.51.100.0 wan lost 192.0.2.1/otherPoolRequested',
      'b: assigned 192.0.2.1 lan'] },
  { it: 'a malformed request leaves the address in force', pools: [lan],
    ledger: { a: '192.0.2.1' },
    services: [service('a', { refusal: { reason: 'badRequestedAddress', message: 'x' } })],
    want: ['a: kept 192.0.2.1 lan lacking'] },
  { it: 'a Service made headless loses it', pools: [lan], ledger: { a: '192.0.2.1' },
    services: [service('a', { refusal: { reason: 'noClusterIP', message: 'x' } })],
    want: ['a: refused noClusterIP lost 192.0.2.1/refused'] },
  { it: 'type changed: released, and given to who waits', pools: [pool('lan', '192.0.2.1/32')],
    ledger: { a: '192.0.2.1' }, services: [service('a', { isLoadBalancer: false }), service('b')],
    want: ['a: released notLoadBalancer lost 192.0.2.1/notLoadBalancer',
      'b: assigned 192.0.2.1 lan'] },
  { it: 'type changed, known from status only: released', pools: [lan],
    services: [service('a', { isLoadBalancer: false, held: held('192.0.2.1') })],
    want: ['a: released notLoadBalancer lost 192.0.2.1/notLoadBalancer'] },
  { it: 'a Service of another type without address is no row', pools: [lan],
    services: [service('a', { isLoadBalancer: false })], want: [] },
  { it: 'another class is ignored, also with an address of others', pools: [lan],
    services: [service('a', { loadBalancerClass: 'x', held: held('192.0.2.1') })],
    want: ['a: ignored otherClass'] },
  { it: 'class changed away from ours: released', pools: [lan], ledger: { a: '192.0.2.1' },
    services: [service('a', { loadBalancerClass: 'x' })],
    want: ['a: released otherClass lost 192.0.2.1/otherClass'] },
  { it: 'with a class of our own only that one is served', pools: [lan], loadBalancerClass: 'x',
    services: [service('a', { loadBalancerClass: 'x' }), service('b')],
    want: ['a: assigned 192.0.2.0 lan', 'b: ignored otherClass'] },
]

const sharing: readonly Case[] = [
  { it: 'TCP and UDP on one port share', pools: [pool('lan', '192.0.2.1/32')],
    services: [service('a', shares('dns', 53)),
      service('b', { ...shares('dns', 53), ports: [port(53, 'UDP')] })],
    want: ['a: assigned 192.0.2.1 lan', 'b: assigned 192.0.2.1 lan'] },
  { it: 'different namespaces share', pools: [pool('lan', '192.0.2.1/32')],
    services: [service('a', shares('k', 80)), service('b', { ...shares('k', 81), namespace: 'x' })],
    want: ['a: assigned 192.0.2.1 lan', 'x/b: assigned 192.0.2.1 lan'] },
  { it: 'Local sharers with the same selector', pools: [pool('lan', '192.0.2.1/32')],
    services: [service('a', shares('k', 80, { backendKey: 'app=x' })),
      service('b', shares('k', 81, { backendKey: 'app=x' }))],
    want: ['a: assigned 192.0.2.1 lan', 'b: assigned 192.0.2.1 lan'] },
  { it: 'the only user may change its key', pools: [lan], ledger: { a: '192.0.2.1' },
    services: [service('a', shares('new', 80)), service('b', { ...shares('new', 81), ...asks('192.0.2.1') })],
    want: ['a: kept 192.0.2.1 lan', 'b: assigned 192.0.2.1 lan'] },
  { it: 'a key does not share with Services that have none', pools: [lan],
    services: [service('a'), service('b', shares('k', 81))],
    want: ['a: assigned 192.0.2.0 lan', 'b: assigned 192.0.2.1 lan'] },
  { it: 'sharers whose ports come to clash: the younger moves, whoever changed', pools: [lan],
    ledger: { a: '192.0.2.1', b: '192.0.2.1' },
    services: [service('a', shares('k', 81)), service('b', shares('k', 81))],
    want: ['a: kept 192.0.2.1 lan', 'b: assigned 192.0.2.0 lan lost 192.0.2.1/sharingBroken'] },
  { it: 'no room for a port on the only address, room for another port', pools: [pool('lan', '192.0.2.1/32')],
    ledger: { a: '192.0.2.1' },
    services: [service('a', shares('k', 80)), service('b', shares('k', 80)), service('c', shares('k', 81))],
    want: ['a: kept 192.0.2.1 lan', 'b: refused poolExhausted', 'c: assigned 192.0.2.1 lan'] },
  { it: 'the lowest acceptable address, shared or free', pools: [lan],
    ledger: { a: '192.0.2.2' },
    services: [service('a', shares('k', 80)), service('b', shares('k', 81))],
    want: ['a: kept 192.0.2.2 lan', 'b: assigned 192.0.2.0 lan'] },
  { it: 'a port clash takes the next free address', pools: [lan],
    services: [service('a', shares('k', 80)), service('b', shares('k', 80))],
    want: ['a: assigned 192.0.2.0 lan', 'b: assigned 192.0.2.1 lan'] },
  { it: 'a share that breaks: the younger moves', pools: [pool('lan', '192.0.2.1/32')],
    ledger: { a: '192.0.2.1', b: '192.0.2.1' },
    services: [service('a', shares('k', 80)), service('b', shares('k', 81, { backendKey: 'l=1' }))],
    want: ['a: kept 192.0.2.1 lan', 'b: refused poolExhausted lost 192.0.2.1/sharingBroken'] },
]

const groups = { refusals, automatic, stacks, holders, sharing }
for (const [group, cases] of Object.entries(groups)) {
  for (const c of cases) {
    test(`planAllocation, ${group}: ${c.it}`, () => assert.equal(run(c).map(describe), c.want))
  }
}

test('a refusal counts what is free and says what would help', () => {
  const [, second] = run({ it: '', pools: [pool('lan', '192.0.2.1/32')],
    services: [service('a'), service('b')], want: [] })
  assert.is(second?.kind === 'refused' ? second.message : '',
    'no available IPs: no free IPv4 address in "lan" (1 of 1 IPv4 in use); widen a pool or release a Service')
})

test('a clash names the holder and the way to share', () => {
  const [, second] = run({ it: '', pools: [lan], want: [],
    services: [service('a', asks('192.0.2.1')), service('b', asks('192.0.2.1'))] })
  assert.match(second?.kind === 'refused' ? second.message : '',
    /"192\.0\.2\.1" is in use by default\/a; to share it, .*allow-shared-ip/)
})

test('a clash with many sharers names some and counts the rest', () => {
  const sharers = Array.from({ length: 8 }, (_, i) => service(`s${i}`, shares('k', 80 + i)))
  const verdicts = run({ it: '', pools: [lan], want: [],
    services: [...sharers, service('t', asks('192.0.2.0'))] })
  const last = verdicts.at(-1)
  assert.match(last?.kind === 'refused' ? last.message : '',
    /also in use by default\/s0,default\/s1,default\/s2,default\/s3,default\/s4 and 3 more: /)
})

/** Situations in which each of many Services depends on each other; quadratic plans took minutes. */
const many = 10_000
const nth = (i: number): Address => ({ family: 'ipv4', bits: 0x0a000000n + BigInt(i) })
const crowds: { it: string; make: (i: number) => Partial<Intent>; holds: boolean; want: string }[] = [
  { it: 'one sharing key and one port', make: () => shares('k', 80), holds: false,
    want: 's9999: assigned 10.0.39.15 net' },
  { it: 'one sharing key and a port each', make: (i) => shares('k', i + 1), holds: false,
    want: 's9999: assigned 10.0.0.0 net' },
  { it: 'each asks for what the next one holds', holds: true,
    make: (i) => ({ requested: [nth(i + 1)], createdAtMs: i }),
    want: 's9999: assigned 10.0.39.16 net lost 10.0.39.15/otherAddressRequested' },
]
for (const { it, make, holds, want } of crowds) {
  test(`${many} Services: ${it}`, () => {
    const services = Array.from({ length: many }, (_, i) => service(`s${i}`, make(i)))
    const ledger = new Map(holds ? services.map(({ key }, i) => [key, [nth(i)]]) : [])
    const begun = performance.now()
    const verdicts = planAllocation({ config: config(pool('net', '10.0.0.0/8')), services, ledger })
    assert.ok(performance.now() - begun < 5_000)
    assert.ok(verdicts.every(({ kind }) => kind === 'assigned'))
    assert.is(describe(verdicts.find((one) => one.service === 'default/s9999') ?? fail()), want)
  })
}

test.run()
