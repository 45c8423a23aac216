/** What hosts agree on: the union of their objects, differing copies, members, addresses. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { address } from '../config/builders.ts'
import type { Source } from '../config/model.ts'
import { readWorld } from '../config/read.ts'
import { addressKey } from '../ipam/pools.ts'
import { judge } from './agreement.ts'
import { sharedOf, sourcesOf } from './documents.ts'
import type { Agreement, Share } from './model.ts'
import { textsOf, type VoiceOptions } from './options.ts'

const source = (file: string, text: string): Source => ({ file, bytes: new TextEncoder().encode(text) })

const pool = (name: string, addresses: string): string => `
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: ${name}, namespace: metallb-system }
spec: { addresses: [${addresses}] }
`
const service = (name: string, port = 80): string => `
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { type: LoadBalancer, ports: [{ port: ${port} }] }
`

function share(host: string, texts: readonly string[], rest: Partial<Share> = {}): Share {
  const documents = sharedOf([source('conf/all.yaml', texts.join('---\n'))])
  return { host, labels: {}, held: {}, forgets: [], documents, ...rest }
}

const own: VoiceOptions = {
  namespace: undefined, loadBalancerClass: '', placement: 'sticky', announceEverywhere: false,
  ignoreExcludeLabel: false,
}

function propose(before: Agreement | undefined, ...shares: readonly Share[]): Agreement {
  return judge({ before, shares, own }).agreement
}

/** Steps until nothing changes: one member a step. */
function settle(before: Agreement | undefined, ...shares: readonly Share[]): Agreement {
  let agreement = propose(before, ...shares)
  for (let i = 0; i < 5; i++) agreement = propose(agreement, ...shares)
  return agreement
}

const lan = pool('lan', '192.0.2.0-192.0.2.9')
const keysOf = ({ documents }: Agreement): readonly string[] => documents.map(({ key }) => key)

test('objects keep their file and number, so that findings name where they stand', () => {
  const sources = [source('conf/a.yaml', `${lan}---\n${pool('bad', '192.0.2.5/32')}`)]
  const documents = sharedOf(sources).map((each) => ({ ...each, host: 'a', from: ['a'] }))
  assert.equal(documents.map(({ key, document }) => [key, document]), [
    ['metallb.io/IPAddressPool/metallb-system/lan', 1], ['metallb.io/IPAddressPool/metallb-system/bad', 2],
  ])
  const { problems } = readWorld(sourcesOf(documents))
  assert.equal(problems.map(({ file, document, reason }) => [file, document, reason]),
    [['a:conf/a.yaml', 2, 'Overlap']])
})

test('what means nothing here stays on its host: other kinds, other ConfigMaps, broken objects', () => {
  const text = [
    'apiVersion: v1\nkind: Secret\nmetadata: { name: s }\n',
    'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: other }\ndata: { key: value }\n',
    'apiVersion: v1\nkind: Service\nmetadata: {}\n',
    'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: config, namespace: metallb-system }\n' +
      'data: { config: "address-pools: []" }\n',
    'address-pools: []\n',
  ].join('---\n')
  assert.equal(sharedOf([source('x.yaml', text)]).map(({ key }) => key),
    ['ConfigMap/metallb-system/config', 'legacy text 1'])
})

test('items of a List and several objects of one document come back as they were', () => {
  const list = 'apiVersion: v1\nkind: List\nitems:\n' + ['a', 'b'].map((name) =>
    `- { apiVersion: v1, kind: Service, metadata: { name: ${name} }, spec: { type: LoadBalancer } }\n`
  ).join('')
  const documents = sharedOf([source('l.yaml', `apiVersion: v1\nkind: Secret\n---\n${list}`)])
    .map((each) => ({ ...each, host: 'h', from: ['h'] }))
  assert.equal(documents.map(({ document }) => document), [2, 2])
  assert.equal(sharedOf(sourcesOf(documents)).map(({ document }) => document), [2, 2])
  const { world } = readWorld(sourcesOf(documents))
  assert.equal(world?.services.map(({ key }) => key), ['default/a', 'default/b'])
})

test('the union of what hosts bring; the same on two hosts is one object', () => {
  const b = share('b', [service('web'), service('mail', 25)])
  const agreement = propose(undefined, b, share('a', [lan, service('web')]))
  assert.equal(keysOf(agreement), [
    'Service/default/mail', 'Service/default/web', 'metallb.io/IPAddressPool/metallb-system/lan',
  ])
  assert.equal(agreement.services, { 'default/mail': ['192.0.2.1'], 'default/web': ['192.0.2.0'] })
  assert.equal(agreement.problems, [])
  assert.equal(agreement.members.map(({ name }) => name), ['a', 'b'])
})

test('copies that differ: both places are named; new ones wait, agreed ones stay until mended', () => {
  const fresh = propose(undefined, share('a', [lan, service('web')]), share('b', [service('web', 81)]))
  const [problem] = fresh.problems
  assert.equal([problem?.reason, problem?.file, problem?.document, problem?.object],
    ['DuplicateName', 'b:conf/all.yaml', 1, 'Service/web'])
  const places = /host "a" \(a:conf\/all\.yaml, document 2\) and host "b" \(b:conf.*neither/
  assert.match(problem?.message ?? '', places)
  assert.equal(fresh.services, {})

  const agreed = settle(undefined, share('a', [lan, service('web')]), share('b', [service('web')]))
  const split = propose(agreed, share('a', [lan, service('web')]), share('b', [service('web', 81)]))
  assert.match(split.problems[0]?.message ?? '', /the one agreed on before stays in force/)
  assert.equal(split.documents, agreed.documents)
  assert.equal(split.services, agreed.services)
  const mended = propose(split, share('a', [lan, service('web', 81)]), share('b', [service('web', 81)]))
  assert.equal(mended.problems, [])
  assert.match(JSON.stringify(mended.documents), /"port":81/)
  assert.equal(mended.services, agreed.services)
})

test('what only an unheard member brought stays; what nobody brings any more goes', () => {
  const a = share('a', [lan])
  const agreed = settle(undefined, a, share('b', [service('web'), service('mail', 25)]))
  assert.equal(propose(agreed, a), agreed)
  const without = propose(agreed, a, share('b', [service('web')]))
  assert.equal(Object.keys(without.services), ['default/web'])
  // The copy of a host that is away is not asked: those who are here agree.
  const both = settle(agreed, a, share('b', [service('web')]), share('c', [service('web')]))
  const edited = propose(both, a, share('c', [service('web', 82)]))
  assert.match(JSON.stringify(edited.documents), /"port":82/)
  assert.equal(edited.documents.find(({ key }) => key.endsWith('web'))?.from, ['b', 'c'])
})

test('a host that is given up goes with what only it brought, unless it is heard', () => {
  const a = share('a', [lan], { forgets: ['b'] })
  const b = share('b', [service('web')])
  const agreed = settle(undefined, a, b)
  assert.equal(agreed.members.map(({ name }) => name), ['a', 'b'])
  const gone = propose(agreed, a)
  assert.equal([gone.members.map(({ name }) => name), gone.services], [['a'], {}])
})

test('one new member a step', () => {
  const agreed = propose(undefined, share('a', [lan]))
  const next = propose(agreed, share('a', [lan]), share('c', []), share('b', []))
  assert.equal(next.members.map(({ name }) => name), ['a', 'b'])
})

test('input that is wrong only together is refused as a whole, with the hosts named', () => {
  const agreed = settle(undefined, share('a', [lan, service('web')]), share('b', []))
  const over = pool('lan-2', '192.0.2.9/32')
  const wrong = propose(agreed, share('a', [lan, service('web')]), share('b', [over]))
  assert.equal(wrong.problems.map(({ reason, file }) => [reason, file]), [['Overlap', 'b:conf/all.yaml']])
  assert.equal([wrong.documents, wrong.services], [agreed.documents, agreed.services])
})

test('addresses that hosts held when each was alone stay, where the group begins with them', () => {
  const held = { 'default/web': ['192.0.2.7'] }
  const agreement = propose(undefined, share('a', [lan, service('web'), service('mail', 25)], { held }))
  assert.equal(agreement.services, { 'default/web': ['192.0.2.7'], 'default/mail': ['192.0.2.0'] })
  const later = settle(agreement, share('a', [lan, service('web')]), share('b', [service('x')], {
    held: { 'default/x': ['192.0.2.7'] },
  }))
  assert.equal(later.services, { 'default/web': ['192.0.2.7'], 'default/x': ['192.0.2.0'] })
})

test('planning again changes nothing', () => {
  const shares = [share('a', [lan, service('web')]), share('b', [service('mail', 25)])]
  const agreement = settle(undefined, ...shares)
  assert.equal(propose(agreement, ...shares), agreement)
})

test('problems are bounded', () => {
  const many = (port: number): readonly string[] =>
    Array.from({ length: 60 }, (_, i) => service(`s${i}`, port))
  const { problems } = propose(undefined, share('a', many(1)), share('b', many(2)))
  assert.is(problems.length, 51)
  assert.equal([problems[50]?.reason, problems[50]?.message], ['TooMany', '10 more problems'])
})

const options = textsOf(own)
const classed = (name: string, loadBalancerClass: string): string => service(name)
  .replace('type: LoadBalancer', `type: LoadBalancer, loadBalancerClass: ${loadBalancerClass}`)

test('options: what the ledger has decides, whatever the allocator was started with', () => {
  const input = [lan, service('web'), classed('other', 'x/y')]
  const before = settle(undefined, share('a', input, { options }), share('b', input, { options }))
  assert.equal(Object.keys(before.services), ['default/web'])
  assert.equal(before.options, options)
  const otherwise = { ...own, loadBalancerClass: 'x/y', namespace: 'elsewhere', placement: 'hash' as const }
  const shares = [share('a', input, { options }), share('b', input, { options: textsOf(otherwise) })]
  const after = judge({ before, shares, own: otherwise }).agreement
  assert.equal([after.services, after.options], [before.services, before.options])
  assert.equal(after.members.map((each) => each.options), [options, textsOf(otherwise)])
  // A host that has just been elected knows nobody's share but its own.
  const alone = judge({ before: after, shares: shares.slice(1), own: otherwise }).agreement
  assert.equal([alone.services, alone.options], [before.services, before.options])
  const all = shares.map((each) => ({ ...each, options: { ...options, 'lb-class': 'x/y' } }))
  const changed = judge({ before: after, shares: all, own }).agreement
  assert.equal(Object.keys(changed.services), ['default/other'], 'all have changed it')
})

test('options: hosts of an older version tell none, and their ledger has none', () => {
  const input = [lan, service('web'), classed('other', 'x/y')]
  const old = settle(undefined, ...['a', 'b', 'c'].map((name) => share(name, input)))
  assert.is(old.options, undefined)
  assert.equal(old.members.map((each) => 'options' in each), [false, false, false])
  // The first of a newer version, just elected, knows its own: the group does not go by these.
  const first = propose(old, share('b', input, { options }))
  assert.equal([first.options, first.services], [undefined, old.services])
  assert.equal(first.members.map((each) => each.options), [undefined, options, undefined])
  const mixed = propose(first, share('a', input), share('c', input, { options }))
  assert.equal([mixed.options, mixed.services], [options, old.services])
})

test('options: input that is wrong as a whole leaves them as they are', () => {
  const before = settle(undefined, share('a', [lan, service('web')], { options }))
  const changed = { ...options, placement: 'hash' }
  const after = propose(before, share('a', [lan, pool('over', '192.0.2.5/32')], { options: changed }))
  assert.is(after.problems.length, 1)
  assert.equal([after.options, after.services], [options, before.services])
})

test('a machine has an address: its Service gets another, and which it left is said', () => {
  const shares = [share('a', [pool('lan', '192.0.2.0/30'), service('web')])]
  const before = propose(undefined, ...shares)
  assert.equal(before.services, { 'default/web': ['192.0.2.0'] })
  const foreign = new Map([[addressKey(address('192.0.2.0')), '02:00:00:00:00:99']])
  const { agreement, verdicts } = judge({ before, shares, own, foreign })
  assert.equal(agreement.services, { 'default/web': ['192.0.2.1'] })
  const left = verdicts.flatMap((verdict) => 'dropped' in verdict ? verdict.dropped : [])
  assert.equal(left.map(({ reason, mac }) => [reason, mac]), [['foreignHost', '02:00:00:00:00:99']])
  assert.equal(propose(agreement, ...shares).services, agreement.services, 'it does not go back')
})

test.run()
