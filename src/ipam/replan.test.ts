/** A plan made from the last one says what a whole plan says, over random worlds and edits. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Config, Intent } from '../config/model.ts'
import type { Address } from '../net/model.ts'
import { address, config, pool, port, service } from '../config/builders.ts'
import { createDice, type Dice } from '../config/dice.ts'
import type { Foreign } from './foreign.ts'
import { type AllocationInput, planAllocation } from './plan.ts'
import { addressKey } from './pools.ts'
import { type Plan, replan } from './replan.ts'

const worlds = 200
const steps = 12

/** What is planned, and what is known to be held. */
interface Scene {
  config: Config
  services: Map<string, Intent>
  ledger: Map<string, readonly Address[]>
  foreign: Foreign
}

function randomService(random: Dice, name: string): Intent {
  const families = [['ipv4'], ['ipv4'], ['ipv6'], ['ipv4', 'ipv6']] as const
  const chosen = families[random(4)] ?? families[0]
  const dualPolicy = random(2) === 0 ? 'PreferDualStack' : 'RequireDualStack'
  const sharingKey = random(4) === 0 ? `k${random(2)}` : ''
  return service(name, {
    families: chosen,
    policy: chosen.length === 1 ? 'SingleStack' : dualPolicy,
    sharingKey, hasSharingKey: sharingKey !== '',
    ports: [port(80 + random(3))],
    createdAtMs: random(4),
    order: 0,
    isLoadBalancer: random(8) > 0,
    ...(random(8) === 0 ? { loadBalancerClass: 'example.com/other' } : {}),
    ...(random(6) === 0 ? { requested: [address(`192.0.2.${random(8)}`)] } : {}),
    ...(random(6) === 0 ? { requestedPool: `p${random(3)}` } : {}),
    ...(random(12) === 0 ? { held: [address(`192.0.2.${random(8)}`)], allocatedFromPool: 'p0' } : {}),
  })
}

const configs = [
  config(pool('p0', '192.0.2.0-192.0.2.3 2001:db8::/127'), pool('p1', '192.0.2.4-192.0.2.7')),
  config(pool('p0', '192.0.2.0-192.0.2.7', { avoidBuggyIPs: true }), pool('p1', '2001:db8::/126')),
  config(),
] as const

/** Most edits are those of a quiet day: somebody comes, a status is shown. */
function edit(random: Dice, scene: Scene): void {
  const { services, ledger } = scene
  const known = [...services.values()]
  const one = known[random(known.length)]
  const kind = random(10)
  if (kind < 5 || one === undefined) {
    const newcomer = randomService(random, `s${random(30)}`)
    if (!services.has(newcomer.key)) services.set(newcomer.key, newcomer)
  } else if (kind < 7) {
    services.set(one.key, { ...one, held: ledger.get(one.key) ?? [], allocatedFromPool: 'p0' })
  } else if (kind === 7) {
    services.delete(one.key)
  } else if (kind === 8) {
    services.set(one.key, randomService(random, one.name))
  } else if (random(2) === 0) {
    scene.foreign = randomForeign(random)
  } else if (random(4) === 0) {
    scene.config = configs[random(3)] ?? configs[0]
  }
}

function randomForeign(random: Dice): Foreign {
  return new Map(Array.from({ length: random(4) }, () => {
    const text = random(3) === 0 ? `2001:db8::${random(4)}` : `192.0.2.${random(8)}`
    return [addressKey(address(text)), '02:00:00:00:00:99'] as const
  }))
}

function inputOf({ config: of, services, ledger, foreign }: Scene): AllocationInput {
  return { config: of, services: [...services.values()], ledger, foreign: new Map(foreign) }
}

/** As the controller: what a verdict gives is known from then on. */
function remember(scene: Scene, { verdicts }: Plan): void {
  scene.ledger = new Map()
  for (const verdict of verdicts) {
    const isGiven = verdict.kind === 'assigned' || verdict.kind === 'kept'
    if (isGiven) scene.ledger.set(verdict.service, verdict.addresses)
  }
}

test(`${worlds} random worlds, each edited ${steps} times: word for word the whole plan`, () => {
  let spared = 0
  for (let seed = 1; seed <= worlds; seed++) {
    const random = createDice(seed)
    const scene: Scene = { config: configs[0], services: new Map(), ledger: new Map(), foreign: new Map() }
    let plan: Plan | undefined
    for (let step = 0; step < steps; step++) {
      for (let i = random(3); i >= 0; i--) edit(random, scene)
      const whole = planAllocation(inputOf(scene))
      const before = plan?.allocator
      plan = replan(inputOf(scene), plan)
      assert.equal(plan.verdicts, whole, `seed ${seed}, step ${step}`)
      if (plan.allocator === before) spared += 1
      remember(scene, plan)
    }
  }
  assert.ok(spared > worlds * steps / 10, `only ${spared} were made from the last plan`)
})

interface Row {
  readonly it: string
  readonly edit: (scene: Scene) => void
  /** Whether the plan is made from the last one. */
  readonly isSpared: boolean
}

const rows: readonly Row[] = [
  { it: 'nothing has changed', isSpared: true, edit: () => undefined },
  { it: 'a newcomer', isSpared: true, edit: ({ services }) => add(services, service('new')) },
  { it: 'a newcomer that asks for what is held', isSpared: true, edit: ({ services }) =>
    add(services, service('new', { requested: [address('192.0.2.0')] })) },
  { it: 'a status is shown', isSpared: true, edit: ({ services, ledger }) =>
    change(services, { held: ledger.get('default/a') ?? [], allocatedFromPool: 'p0' }) },
  { it: 'a holder has gone', isSpared: false, edit: ({ services }) => void services.delete('default/a') },
  { it: 'a holder asks for something else', isSpared: false, edit: ({ services }) =>
    change(services, { requested: [address('192.0.2.6')] }) },
  { it: 'a holder is no LoadBalancer any more', isSpared: false, edit: ({ services }) =>
    change(services, { isLoadBalancer: false }) },
  { it: 'somebody comes with an address', isSpared: false, edit: ({ services }) =>
    add(services, service('new', { held: [address('192.0.2.0')], createdAtMs: 0 })) },
  { it: 'it is not known any more who held what', isSpared: false, edit: ({ ledger }) => ledger.clear() },
  { it: 'another machine has an address', isSpared: false, edit: (scene) =>
    void (scene.foreign = new Map([[addressKey(address('192.0.2.0')), '02:00:00:00:00:99']])) },
  { it: 'another configuration', isSpared: false, edit: (scene) => void (scene.config = configs[1]) },
]

function add(services: Map<string, Intent>, newcomer: Intent): void {
  services.set(newcomer.key, newcomer)
}

function change(services: Map<string, Intent>, more: Partial<Intent>): void {
  const one = services.get('default/a')
  if (one !== undefined) services.set(one.key, { ...one, ...more })
}

for (const { it, edit: apply, isSpared } of rows) {
  test(`${it}: planned ${isSpared ? 'from the last plan' : 'from the start'}`, () => {
    const [a, b] = [service('a', { createdAtMs: 1 }), service('b', { createdAtMs: 2 })]
    const scene: Scene = { config: configs[0], services: new Map(), ledger: new Map(), foreign: new Map() }
    for (const one of [a, b]) scene.services.set(one.key, one)
    const first = replan(inputOf(scene))
    remember(scene, first)
    apply(scene)
    const whole = planAllocation(inputOf(scene))
    const second = replan(inputOf(scene), first)
    assert.equal(second.verdicts, whole)
    assert.is(second.allocator === first.allocator, isSpared)
  })
}

test('a verdict that has not changed is the same value', () => {
  const scene: Scene = { config: configs[0], services: new Map(), ledger: new Map(), foreign: new Map() }
  const refused = service('b', { requestedPool: 'unknown' })
  for (const one of [service('a'), refused]) scene.services.set(one.key, one)
  let plan = replan(inputOf(scene))
  remember(scene, plan)
  plan = replan(inputOf(scene), plan) // assigned becomes kept
  remember(scene, plan)
  const again = replan(inputOf(scene), plan)
  assert.is(again.verdicts.length, 2)
  assert.ok(again.verdicts.every((verdict, i) => verdict === plan.verdicts[i]))
})

test.run()
