/** Allocation over random worlds and edits: exclusive, in range, sticky, idempotent. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Config, Intent, Pool } from '../config/model.ts'
import { formatAddress, sameAddress } from '../net/address.ts'
import type { Address } from '../net/model.ts'
import { rangeContains } from '../net/range.ts'
import { address, config, pinned, pool, port, service } from '../config/builders.ts'
import { createDice, type Dice } from '../config/dice.ts'
import type { Foreign } from './foreign.ts'
import type { Verdict } from './model.ts'
import { planAllocation } from './plan.ts'
import { addressKey } from './pools.ts'

const worlds = 300

function randomPools(random: Dice): readonly Pool[] {
  return Array.from({ length: 1 + random(4) }, (_, i) => {
    const four = `10.0.${i}.0-10.0.${i}.${random(6)}`
    const six = `2001:db8:${i + 1}::/${125 + random(3)}`
    const entries = [four, six, `${four} ${six}`][random(3)] ?? four
    return pool(`p${i}`, entries, {
      autoAssign: random(4) > 0,
      avoidBuggyIPs: random(4) === 0,
      ...(random(4) === 0 ? { allocation: pinned(random(3), {
        ...(random(2) === 0 ? { namespaces: new Set(['default']) } : {}) }) } : {}),
    })
  })
}

function randomService(random: Dice, i: number): Intent {
  const families = [['ipv4'], ['ipv6'], ['ipv4', 'ipv6']] as const
  const chosen = families[random(3)] ?? families[0]
  const dualPolicy = random(2) === 0 ? 'PreferDualStack' : 'RequireDualStack'
  const policy = chosen.length === 1 ? 'SingleStack' : dualPolicy
  const sharingKey = random(3) === 0 ? `k${random(2)}` : ''
  const asks = random(4) === 0 && chosen.length === 1 && chosen[0] === 'ipv4'
  return service(`s${i}`, {
    namespace: random(3) === 0 ? 'other' : 'default',
    families: chosen,
    policy,
    sharingKey,
    hasSharingKey: sharingKey !== '',
    ports: [port(80 + random(3))],
    backendKey: random(4) === 0 ? 'app=x' : '',
    order: i,
    ...(asks ? { requested: [address(`10.0.${random(3)}.${random(5)}`)] } : {}),
    ...(random(6) === 0 ? { requestedPool: `p${random(4)}` } : {}),
  })
}

/** Mostly none; of one machine or several, so that some answer for too many to be left. */
function randomForeign(random: Dice): Foreign {
  const count = random(2) === 0 ? 0 : random(12)
  return new Map(Array.from({ length: count }, () => {
    const text = random(3) === 0
      ? `2001:db8:${1 + random(4)}::${random(4)}`
      : `10.0.${random(4)}.${random(6)}`
    return [addressKey(address(text)), `02:00:00:00:00:0${random(2)}`] as const
  }))
}

/** Whoever leaves did not ask for it by name, and gets what no other machine has. */
function checkLeft(services: readonly Intent[], foreign: Foreign, verdicts: readonly Verdict[]): number {
  let left = 0
  for (const verdict of verdicts) {
    if (verdict.kind === 'ignored') continue
    for (const { address: gone, reason } of verdict.dropped) {
      if (reason !== 'foreignHost') continue
      left++
      const intent = services.find(({ key }) => key === verdict.service)
      const has = 'pool' in verdict ? verdict.addresses : []
      const found = has.find(({ family }) => family === gone.family)
      assert.ok(foreign.has(addressKey(gone)), 'another machine has it')
      assert.not.ok(intent?.requested.some((one) => sameAddress(one, gone)), 'nobody asked for it')
      assert.ok(found !== undefined && !foreign.has(addressKey(found)), 'nobody has the new one')
    }
  }
  return left
}

type Held = ReadonlyMap<string, readonly Address[]>

function heldBy(verdicts: readonly Verdict[]): Held {
  const held = new Map<string, readonly Address[]>()
  for (const verdict of verdicts) {
    if (verdict.kind === 'assigned' || verdict.kind === 'kept') held.set(verdict.service, verdict.addresses)
  }
  return held
}

function checkExclusive(services: readonly Intent[], held: Held): void {
  const users = new Map<string, Intent[]>()
  for (const one of services) {
    for (const each of held.get(one.key) ?? []) {
      const text = formatAddress(each)
      for (const other of users.get(text) ?? []) {
        const agree = one.sharingKey !== '' && one.sharingKey === other.sharingKey &&
          one.backendKey === other.backendKey && one.ports[0]?.port !== other.ports[0]?.port
        assert.ok(agree, `${text} has ${one.key} and ${other.key}`)
      }
      users.set(text, [...users.get(text) ?? [], one])
    }
  }
}

function checkAllowed(world: Config, services: readonly Intent[], held: Held): void {
  for (const one of services) {
    const own = held.get(one.key) ?? []
    const families = own.map((each) => each.family)
    assert.is(new Set(families).size, families.length, `${one.key} has one address a family`)
    for (const each of own) {
      assert.ok(one.families.includes(each.family), `${one.key} wants ${each.family}`)
      const owner = world.pools.find((p) => p.ranges.some((r) => rangeContains(r, each)))
      const namespaces = owner?.allocation?.namespaces
      assert.ok(owner !== undefined, `${formatAddress(each)} is in a pool`)
      assert.ok(namespaces?.has(one.namespace) ?? true, `${one.key} may use ${owner?.name}`)
    }
  }
}

/** An address that no rule took away is still there; a request that was met may move it. */
function checkSticky(before: Held, verdicts: readonly Verdict[]): void {
  for (const verdict of verdicts) {
    const had = before.get(verdict.service) ?? []
    if (verdict.kind === 'ignored') continue
    const has = verdict.kind === 'assigned' || verdict.kind === 'kept' ? verdict.addresses : []
    for (const each of had) {
      const stays = has.some((one) => sameAddress(one, each))
      const isExplained = verdict.dropped.some((drop) => sameAddress(drop.address, each))
      assert.ok(stays || isExplained, `${verdict.service} lost ${formatAddress(each)} silently`)
    }
  }
}

test(`${worlds} random worlds, each edited twice`, () => {
  let left = 0
  for (let seed = 1; seed <= worlds; seed++) {
    const random = createDice(seed)
    const services = Array.from({ length: 1 + random(14) }, (_, i) => randomService(random, i))
    const first = config(...randomPools(random))
    const second = config(...randomPools(random))
    let ledger: Held = new Map()
    for (const world of [first, first, second]) {
      const foreign = randomForeign(random)
      const verdicts = planAllocation({ config: world, services, ledger, foreign })
      const held = heldBy(verdicts)
      checkExclusive(services, held)
      checkAllowed(world, services, held)
      checkSticky(ledger, verdicts)
      left += checkLeft(services, foreign, verdicts)
      const again = heldBy(planAllocation({ config: world, services, ledger: held, foreign }))
      assert.equal(texts(again), texts(held), `seed ${seed}: planning again changes nothing`)
      ledger = held
    }
  }
  assert.ok(left > worlds / 10, `only ${left} addresses were left`)
})

function texts(held: Held): readonly string[] {
  return [...held].map(([key, own]) => `${key} ${own.map(formatAddress).join()}`).toSorted()
}

test.run()
