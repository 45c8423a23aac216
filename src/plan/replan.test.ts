/** What is made from the last value is what would be made from nothing, whatever has happened. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { address, config, held, pool, service } from '../config/builders.ts'
import { createDice, type Dice } from '../config/dice.ts'
import type { Endpoint, Intent } from '../config/model.ts'
import type { Announcement, LinkState } from '../l2/model.ts'
import { planAnnouncements } from '../l2/plan.ts'
import { holdingsWith, unitsFrom } from '../l2/unit.ts'
import { formatAddress } from '../net/address.ts'
import { prefixOf } from '../net/range.ts'
import type { Right } from '../ownership/model.ts'
import { compareAnnouncements } from './change.ts'
import { type HeldPlan, planHeld, replanHeld } from './held.ts'
import { type Voices, voicesOf } from './voices.ts'
import { planWithdrawals } from './withdrawal.ts'
import { type Outlook, type WorldInput, worldOf } from './world.ts'

const histories = 60
const steps = 40

const ad = {
  name: 'ad', pools: new Set(['lan', 'six']), nodeSelectors: [], interfaces: [], serviceSelectors: [],
  preferred: [],
}
const lan = { ...config(pool('lan', '192.0.2.0/28'), pool('six', '2001:db8::/64')), advertisements: [ad] }
const link: LinkState = {
  index: 2, name: 'eth0', mac: '02:00:5e:00:53:01', mtuBytes: 1_500, isUp: true, hasCarrier: true,
  master: undefined, isLoopback: false, isNoArp: false, isBroadcast: true,
  addresses: [
    { address: address('192.0.2.251'), prefix: prefixOf(address('192.0.2.251'), 24), isTentative: false },
  ],
}
const endpoint = (canServe: boolean): Endpoint =>
  ({ addresses: [], nodeName: 'a', canServe, isReady: canServe, ports: [] })

interface History {
  readonly services: Map<string, Intent>
  readonly endpoints: Map<string, readonly Endpoint[]>
  readonly changed: Map<string, Intent | undefined>
  readonly served: Set<string>
}

/** One Service comes, goes, is another of that name, or is served elsewhere. */
function happen({ services, endpoints, changed, served }: History, roll: Dice): void {
  const name = `s${roll(9)}`
  const key = `default/${name}`
  if (roll(4) === 0) {
    endpoints.set(key, [endpoint(roll(3) > 0)])
    served.add(key)
    return
  }
  const isGone = roll(4) === 0
  const texts = [`192.0.2.${roll(6)}`, `2001:db8::${roll(4)}`, `192.0.2.${roll(6)}`, `203.0.113.${roll(2)}`]
  const from = roll(4)
  const sharingKey = roll(2) === 0 ? 'k' : ''
  const one = service(name, {
    held: texts.slice(from, from + roll(3)).flatMap((text) => held(text)), createdAtMs: roll(3), order: 0,
    sharingKey, hasSharingKey: sharingKey !== '', isLoadBalancer: roll(8) > 0,
    ports: [{ name: '', protocol: 'TCP', port: 80 + roll(3), targetPort: 80, nodePort: undefined }],
  })
  changed.set(key, isGone ? undefined : one)
  if (isGone) services.delete(key)
  else services.set(key, one)
}

/** Values that nobody has seen: nothing that is remembered by identity helps. */
function unseen(services: ReadonlyMap<string, Intent>): readonly Intent[] {
  return [...services.values()].map((one) => ({ ...one, held: one.held.map((each) => ({ ...each })) }))
}

const inputOf = (plan: HeldPlan, endpoints: History['endpoints']): WorldInput => ({
  self: 'a', placement: 'sticky', config: lan, nodes: [], links: [link], deaf: new Set(), endpoints,
  holdings: plan.holdings, members: [], expected: [], restarted: new Set(), gateways: new Map(), hints,
  isDraining: false, announceEverywhere: true, ignoreExcludeLabel: false,
})
const hints = new Map([['default/s1', 'b'], ['default/s2', 'a']])

const textOf = ({ holdings, unheld }: HeldPlan): unknown => ({
  holdings: holdings.map((one) => `${one.service.key} ${one.service.createdAtMs} ${one.text} ${one.pool}`),
  unheld,
})

/**
 * As if this node had a right to each address but every seventh, and some whose Service has just gone; those
 * of `before` are the same values.
 */
const rightsOf = (plan: HeldPlan, step: number, before: readonly Right[] = []): readonly Right[] => {
  const known = new Map(before.map((right) => [right.text, right]))
  const texts = new Map(plan.holdings.map(({ text, address: each }) => [text, each]))
  if (step % 3 === 0) for (const { text, address: each } of before) texts.set(text, each)
  return [...texts].filter((_, i) => (i + step) % 7 > 0).map(([text, each]) =>
    known.get(text) ?? { unit: text, text, address: each, ifindexes: new Set([2]), notAfterMs: 0 })
}

for (const most of [1, 4]) {
  test(`${histories} histories of ${steps} steps, up to ${most} changes in each`, () => {
    for (let seed = 1; seed <= histories; seed++) live(seed, most)
  })
}

/** Why each address of each Service is withdrawn: from what concerns it, or from all there is. */
function whyOf(
  plan: HeldPlan, services: History['services'], { demand, wishes }: Outlook, isNarrow: boolean,
): unknown {
  const planned = (holdings: HeldPlan['holdings']) =>
    planAnnouncements({ ...demand, nodes: [], members: [], holdings }, demand)
  const whole = planned(plan.holdings)
  return [...services.values()].flatMap(({ key, held: texts }) => {
    const holdings = isNarrow ? holdingsWith(wishes.units, [key]) : plan.holdings
    const why = planWithdrawals({
      serviceOf: (name) => services.get(name), held: { ...plan, holdings }, node: 'a',
      plan: isNarrow ? planned(holdings) : whole,
    })
    return texts.map((each) => `${key} ${formatAddress(each)} ${why(key, formatAddress(each))}`)
  })
}

function live(seed: number, most: number): void {
  const roll = createDice(seed)
  const services = new Map<string, Intent>()
  const endpoints = new Map<string, readonly Endpoint[]>()
  let plan = planHeld(lan, [], '')
  let outlook: Outlook | undefined
  let voices: Voices | undefined
  let rights: readonly Right[] = []
  let announcements: readonly Announcement[] = []
  for (let step = 0; step < steps; step++) {
    const history = { services, endpoints, changed: new Map(), served: new Set<string>() }
    for (let i = roll(most + 1); i >= 0; i--) happen(history, roll)
    plan = replanHeld(plan, history.changed)
    const scratch = planHeld(lan, unseen(services), '')
    const at = `seed ${seed}, step ${step}`
    assert.equal(textOf(plan), textOf(scratch), at)
    outlook = worldOf({ ...inputOf(plan, endpoints), served: history.served }, outlook)
    assert.equal(outlook.world.wishes, worldOf(inputOf(scratch, new Map(endpoints))).world.wishes, at)
    rights = rightsOf(plan, roll(3) === 0 ? step : 1, rights)
    voices = voicesOf(rights, outlook.wishes.units, [link], voices)
    assert.equal(voices.list, voicesOf(rights, unitsFrom(scratch.holdings), [link]).list, at)
    const copy = voices.list.map((one) => ({ ...one }))
    assert.equal(
      compareAnnouncements(announcements, voices.list),
      compareAnnouncements(announcements.map((one) => ({ ...one })), copy), at,
    )
    announcements = voices.list
    assert.equal(whyOf(plan, services, outlook, true), whyOf(plan, services, outlook, false), at)
  }
}

test('where nothing comes of a change, plan, world and announcements are the same values', () => {
  const one = service('one', { held: held('192.0.2.1') })
  const plan = planHeld(lan, [one], '')
  const outlook = worldOf(inputOf(plan, new Map()))
  const voices = voicesOf(rightsOf(plan, 1), outlook.wishes.units, [link])
  const later = replanHeld(plan, new Map([['default/two', service('two')]]))
  assert.is(later, plan)
  const served = new Set(['default/two'])
  assert.is(worldOf({ ...inputOf(later, new Map()), served }, outlook).world, outlook.world)
  assert.is(voicesOf(rightsOf(later, 1), outlook.wishes.units, [link], voices).list, voices.list)
})

test('where any endpoints may be others, all are looked at, also in the same map', () => {
  const all = Array.from({ length: 14 }, (_, i) => service(`s${i}`, { held: held(`192.0.2.${i}`) }))
  const plan = planHeld(lan, all, '')
  const endpoints = new Map(all.map(({ key }) => [key, [endpoint(true)]]))
  const input = inputOf(plan, endpoints)
  const before = worldOf(input)
  for (const key of endpoints.keys()) endpoints.set(key, [endpoint(false)])
  const { world } = worldOf({ ...input, served: undefined }, before)
  assert.equal(world.wishes, worldOf(inputOf(plan, new Map(endpoints))).world.wishes)
  assert.is.not(world.wishes[0], before.world.wishes[0], 'so that the test bites')
})

test('one changed Service of many: every other wish is the same value', () => {
  const all = Array.from({ length: 14 }, (_, i) => service(`s${i}`, { held: held(`192.0.2.${i}`) }))
  const plan = planHeld(lan, all, '')
  const before = worldOf(inputOf(plan, new Map()))
  const moved = service('s7', { held: held('192.0.2.15') })
  const next = replanHeld(plan, new Map([[moved.key, moved]]))
  const { world } = worldOf({ ...inputOf(next, new Map()), served: new Set() }, before)
  const kept = world.wishes.filter((wish) => before.world.wishes.includes(wish))
  assert.is(kept.length, 13)
  assert.equal(world.wishes.filter((wish) => !kept.includes(wish)).map(({ key }) => key), ['192.0.2.15'])
})

test.run()
