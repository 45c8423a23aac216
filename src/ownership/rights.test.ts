/** Rights and lists go on from what they were: they are those that are made anew, whatever has happened. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createDice, type Dice } from '../config/dice.ts'
import { renewList } from './beats.ts'
import type { Right, Wish } from './model.ts'
import { announcementOf, broadcast, type Rig, type RigNode, runUntil } from './rig.ts'
import { rightsOf } from './rights.ts'
import { addressOf, give, lanOf, wishOf } from './stage.ts'

const names = ['n0', 'n1', 'n2']
const histories = 20
const steps = 60
const foreignMac = '02:00:5e:00:53:ff'

const rowsOf = (rights: Iterable<Right>): readonly string[] =>
  [...rights].map(({ text, ifindexes }) => `${text} ${[...ifindexes].toSorted()}`).toSorted()

/** One or both addresses of a pair, in any order, and who may have them. */
function wishAt(roll: Dice): Wish {
  const first = 100 + 2 * roll(12)
  const pair = [`192.168.1.${first}`, `192.168.1.${first + 1}`]
  const texts = (roll(2) === 0 ? pair : pair.toReversed()).slice(roll(2))
  return wishOf(texts.join(' '), names.filter(() => roll(4) > 0))
}

function change(wishes: readonly Wish[], roll: Dice): readonly Wish[] {
  const fresh = wishAt(roll)
  const rest = wishes.filter(({ addresses }) =>
    !addresses.some(({ text }) => fresh.addresses.some((other) => other.text === text)))
  return roll(3) === 0 ? rest : [...rest, fresh]
}

/** What happens to a node, or on the wire. */
function happen(rig: Rig, node: RigNode, roll: Dice): void {
  const ifindex = 2 + roll(2)
  switch (roll(7)) {
    case 0:
      node.isFrozen = !node.isFrozen
      break
    case 1:
      node.isMuted = (what, way, leg) => what === 'frame' && way === 'in' && leg === ifindex
      break
    case 2:
      node.isMuted = (_, __, leg) => leg === ifindex
      break
    case 3:
      node.isMuted = () => true
      break
    case 4: {
      const address = addressOf(`192.168.1.${100 + roll(24)}`)
      const segment = ['lan', 'dmz'][roll(2)] ?? 'lan'
      for (const frame of announcementOf(address, foreignMac)) broadcast(rig, { segment, from: 'x', frame })
      break
    }
    default:
      node.isFrozen = false
      node.isMuted = () => false
  }
}

/** Both as they are, beside the same made of all that is owned. */
function compare(rig: Rig, { ownership: o, rights }: RigNode, at: string): void {
  const anew = [...o.owned].flatMap((unit) => rightsOf(o, unit))
  assert.equal(rowsOf([...o.rights.values()].flat()), rowsOf(anew), at)
  assert.equal(rowsOf(rights.values()), rowsOf(anew), at)
  const later = new Set([...o.unlisted].map(({ key }) => key))
  const copy = { ...o, listed: new Map(o.listed), unlisted: new Set(o.owned), isListStale: true }
  assert.equal(renewList(copy, rig.nowMs).filter(({ unit }) => !later.has(unit)), [], at)
  const owned = new Set([...o.owned].map(({ key }) => key))
  assert.equal([...o.listed.keys()].filter((key) => !owned.has(key) && !later.has(key)), [], at)
}

test(`${histories} histories: what changed, and all made anew`, () => {
  const kinds = new Set<string>()
  for (let seed = 1; seed <= histories; seed++) {
    const roll = createDice(seed)
    const rig = lanOf(names.length, ['lan', 'dmz'])
    let wishes: readonly Wish[] = []
    for (let i = 0; i < steps; i++) {
      for (let n = roll(4); n > 0; n--) wishes = change(wishes, roll)
      const nodes = [...rig.nodes.values()]
      const node = nodes[roll(nodes.length)]
      if (node !== undefined && roll(3) === 0) happen(rig, node, roll)
      if (roll(2) === 0) give(rig, wishes)
      for (let n = roll(20); n > 0; n--) {
        runUntil(rig, rig.nowMs + 1 + roll(60))
        for (const one of nodes) compare(rig, one, `seed ${seed}, step ${i}, ${one.name}`)
      }
    }
    for (const { note } of rig.notes) kinds.add('cause' in note ? `${note.kind} ${note.cause}` : note.kind)
  }
  // Else it would not say much.
  for (const kind of ['silenced expired', 'resumed expired', 'silenced ownerDeaf', 'silenced conflict',
    'silenced contested', 'claimed ownerSilent', 'released contested', 'released unwanted']) {
    assert.ok(kinds.has(kind), `${kind} never happened: ${[...kinds].join(', ')}`)
  }
})

test.run()
