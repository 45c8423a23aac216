/** Wishes that are the values they were are not read again: nothing else may come of it. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { address } from '../config/builders.ts'
import { createDice, type Dice } from '../config/dice.ts'
import { prefixOf } from '../net/range.ts'
import { itemDigest } from './beats.ts'
import type { Effect, Leg, Nominee, Right, Wish, World } from './model.ts'
import { step } from './ownership.ts'
import { createOwnership, type Ownership } from './state.ts'

const names = ['a', 'b', 'c']
const histories = 40
const steps = 60

const leg = (ifindex: number, text: string): Leg => ({
  name: `eth${ifindex - 2}`, ifindex, mac: `02:00:5e:00:53:0${ifindex}`,
  addresses: [{ address: address(text), prefix: prefixOf(address(text), 24) }],
})

/** One address of a pair or both, in any order: a unit is often the heir of another. */
function wishAt(first: number, roll: Dice): Wish {
  const pair = [`192.0.2.${first}`, `192.0.2.${first + 1}`]
  const addresses = (roll(2) === 0 ? pair : pair.toReversed()).slice(roll(2))
    .map((text) => ({ address: address(text), text }))
  const interfaces = new Map(addresses.map(({ text }) => [text, roll(3) === 0 ? ['eth1'] : 'all'] as const))
  const nominees = names.filter(() => roll(4) > 0)
    .map((node): Nominee => ({ node, score: 0, interfaces }))
  return { key: addresses[0]?.text ?? '', addresses, nominees, hint: undefined }
}

/** One wish comes, goes, or is another. */
function change(wishes: readonly Wish[], roll: Dice): readonly Wish[] {
  const at = roll(wishes.length + 1)
  if (roll(3) === 0) return wishes.toSpliced(at, 1)
  const fresh = wishAt(2 * roll(8), roll)
  const rest = wishes.filter(({ addresses }) =>
    !addresses.some(({ text }) => fresh.addresses.some((other) => other.text === text)))
  return rest.toSpliced(Math.min(at, rest.length), 0, fresh)
}

const worldOf = (wishes: readonly Wish[], more: Partial<World>): World => ({
  self: 'a', placement: 'sticky', wishes, expected: [], gateways: new Map(), isDraining: false,
  moves: new Map(), ...more,
  peers: more.peers ?? names.map((name, i) => ({
    name, isAlive: true, isCapable: true, isRestarted: false,
    legs: name === 'a' ? [leg(2, '192.0.2.201'), leg(3, '198.51.100.1')] : [leg(4 + i, `192.0.2.21${i}`)],
  })),
})

/** What can be seen of it, bytes and all. */
function stateOf(o: Ownership): unknown {
  return {
    units: [...o.units.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1)).map((unit) => ({
      key: unit.key, wish: unit.wish, nominees: unit.nominees, mine: [...unit.mine], legs: [...unit.legs],
      term: unit.term, owner: unit.owner, isOwned: unit.own !== undefined,
    })),
    addresses: [...o.byAddress].map(([key, { unit, text }]) => `${key} ${unit.key} ${text}`).toSorted(),
  }
}

/** What is counted as it changes, and the same counted anew. */
function countsOf({ weights, legCounts, listed, digest }: Ownership): unknown {
  return {
    weights: [...weights].toSorted(), legs: [...legCounts].toSorted(), listed: [...listed.keys()].toSorted(),
    digest,
  }
}

function countAnew({ units, owned, listed }: Ownership): unknown {
  const [weights, legs] = [new Map<string, number>(), new Map<number, number>()]
  for (const { owner, wish } of units.values()) {
    if (owner === undefined || wish === undefined) continue
    weights.set(owner, (weights.get(owner) ?? 0) + wish.addresses.length)
  }
  for (const unit of owned) for (const one of unit.legs) legs.set(one, (legs.get(one) ?? 0) + 1)
  const keys = new Set([...owned].map(({ key }) => key))
  const items = [...listed].filter(([key]) => keys.has(key))
  const digests = items.map(([key, { term, flags }]) => itemDigest(key, term, flags))
  const digest = digests.reduce((sum, one) => sum ^ one, 0) >>> 0
  return {
    weights: [...weights].toSorted(), legs: [...legs].toSorted(),
    listed: items.map(([key]) => key).toSorted(), digest,
  }
}

const rowsOf = (rights: readonly Right[]): unknown =>
  rights.map(({ text, ifindexes, notAfterMs }) => [text, [...ifindexes], notAfterMs]).toSorted()

const seen = (effects: readonly Effect[]): unknown =>
  effects.filter(({ kind }) => kind !== 'wake').map((effect) => {
    if (effect.kind === 'rights') return rowsOf(effect.rights)
    return effect.kind === 'rightsChanged' ? [effect.gone.toSorted(), rowsOf(effect.come)] : effect
  })

for (const isAlone of [false, true]) {
  test(`${histories} histories ${isAlone ? 'alone' : 'of three'}: known wishes, and all made anew`, () => {
    for (let seed = 1; seed <= histories; seed++) live(seed, isAlone)
  })
}

function live(seed: number, isAlone: boolean): void {
  const roll = createDice(seed)
  const [known, anew] = [createOwnership('a'), createOwnership('a')]
  let wishes: readonly Wish[] = []
  let now = 1_000
  for (let i = 0; i < steps; i++) {
    for (let n = roll(3); n > 0; n--) wishes = change(wishes, roll)
    const peers = isAlone
      ? worldOf([], {}).peers.slice(0, 1)
      : worldOf([], {}).peers.map((peer) => roll(12) === 0 ? { ...peer, legs: peer.legs.slice(0, 1) } : peer)
    const world = worldOf(wishes, { peers })
    const copies = wishes.map((wish) => ({ ...wish }))
    const events = [
      seen(step(known, { kind: 'world', world }, now)),
      seen(step(anew, { kind: 'world', world: { ...world, wishes: copies } }, now)),
    ]
    const at = `seed ${seed}, step ${i}`
    assert.equal(events[0], events[1], at)
    assert.equal(stateOf(known), stateOf(anew), at)
    for (let waits = roll(4); waits > 0; waits--) {
      now += 1 + roll(200)
      assert.equal(
        seen(step(known, { kind: 'wake' }, now)), seen(step(anew, { kind: 'wake' }, now)), at,
      )
      known.wakeMs = now
      anew.wakeMs = now
    }
    assert.equal(stateOf(known), stateOf(anew), at)
    if (!known.isListDirty) assert.equal(countsOf(known), countAnew(known), at)
  }
}

test.run()
