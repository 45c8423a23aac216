/** How ownership, engine and responder are joined: order, the stall rule, and deadlines. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createDice } from '../config/dice.ts'
import { arpReply, arpRequest, decodeArp, encodeArp } from '../l2/arp.ts'
import { broadcastMac } from '../l2/frame.ts'
import type { LinkState } from '../l2/model.ts'
import { parseAddress } from '../net/address.ts'
import type { Address } from '../net/model.ts'
import type { Effect, Event, Right } from './model.ts'
import { createNode, type Node, type NodeEffect, type Turn } from './node.ts'

const mac = '02:00:5e:00:53:01'
const asker = '02:00:5e:00:53:02'

function address(text: string): Address {
  const parsed = parseAddress(text)
  if (parsed === undefined) throw new RangeError(text)
  return parsed
}

const vip = address('192.0.2.100')
const link: LinkState = {
  index: 2, name: 'eth0', mac, mtuBytes: 1_500, isUp: true, hasCarrier: true, master: undefined,
  isLoopback: false, isNoArp: false, isBroadcast: true, addresses: [],
}

function right(notAfterMs: number): Right {
  return { unit: '192.0.2.100', address: vip, text: '192.0.2.100', ifindexes: new Set([2]), notAfterMs }
}

function ask(sender: string): Uint8Array {
  return encodeArp({
    etherTo: broadcastMac, etherFrom: asker, operation: arpRequest, senderMac: asker,
    sender: address(sender), targetMac: '00:00:00:00:00:00', target: vip,
  })
}

const quiet: Turn = { frames: [], messages: [] }

function told(receivedAtMs: number): Turn {
  return { frames: [], messages: [{ from: 'n2', isGossip: false, bytes: new Uint8Array(), receivedAtMs }] }
}

/** A node whose ownership says what the script says, once for each kind of event. */
function scripted(script: Partial<Record<Event['kind'], readonly Effect[]>>): Node {
  return createNode(({ kind }) => {
    const effects = script[kind] ?? []
    delete script[kind]
    return effects
  })
}

function answersIn(effects: readonly NodeEffect[]): number {
  return effects.filter((effect) =>
    effect.kind === 'sendFrame' && effect.why === 'answer').length
}

function turnWith(
  node: Node, senders: readonly (readonly [string, number])[], now: number,
): readonly NodeEffect[] {
  const frames = senders.map(([sender, receivedAtMs]) => ({ ifindex: 2, frame: ask(sender), receivedAtMs }))
  return node.turn({ ...quiet, frames }, now)
}

test('an ask is answered while the right lasts, and dropped as fenced after', () => {
  const node = scripted({ wake: [], messages: [{ kind: 'rights', rights: [right(300)] }] })
  node.turn({ ...quiet, links: [link] }, 0)
  node.turn(told(0), 0)
  assert.is(answersIn(turnWith(node, [['192.0.2.9', 299]], 299)), 1)
  const late = turnWith(node, [['192.0.2.9', 300]], 300)
  assert.equal(late.filter(({ kind }) => kind === 'dropped'), [{ kind: 'dropped', reason: 'fenced' }])
})

test('after a stall of more than 40 ms asks are stale, and probes are answered', () => {
  const node = scripted({ frames: [{ kind: 'rights', rights: [right(1_000)] }] })
  node.turn({ ...quiet, links: [link] }, 0)
  const effects = turnWith(node, [['192.0.2.9', 10], ['0.0.0.0', 10], ['192.0.2.9', 95]], 100)
  assert.is(answersIn(effects), 2)
  assert.equal(effects.filter(({ kind }) => kind === 'dropped'), [{ kind: 'dropped', reason: 'stale' }])
})

test('a voice that takes the right back goes before the answers of the same batch', () => {
  const node = scripted({
    messages: [{ kind: 'rights', rights: [right(1_000)] }], frames: [{ kind: 'rights', rights: [] }],
  })
  node.turn({ ...quiet, links: [link] }, 0)
  node.turn(told(0), 0)
  assert.is(answersIn(turnWith(node, [['192.0.2.9', 20]], 20)), 0)
})

test('rights are announced at once; a burst begins again when told, and ends with the fence', () => {
  const effects: Effect[] = [
    { kind: 'rights', rights: [right(300)] }, { kind: 'announce', texts: ['192.0.2.100'], ifindex: 2 },
  ]
  const again: readonly Effect[] = [{ kind: 'announce', texts: ['192.0.2.100'], ifindex: 2 }]
  const node = scripted({ frames: effects, messages: again })
  node.turn({ ...quiet, links: [link] }, 0)
  const announced = (from: readonly NodeEffect[]): number => from.filter((effect) =>
    effect.kind === 'sendFrame' && effect.why === 'announce').length
  assert.is(announced(turnWith(node, [['192.0.2.9', 0]], 0)), 2)
  assert.is(announced(node.turn(told(10), 10)), 2)
  const at30 = node.turn(quiet, 30)
  assert.is(announced(at30), 2)
  const first = at30.find((effect) => effect.kind === 'sendFrame')
  assert.is(first?.notAfterMs, 300)
  assert.is(announced(node.turn(quiet, 310)), 0)
})

test('a beat extends all rights, and nothing else is touched', () => {
  const node = scripted({
    messages: [{ kind: 'rights', rights: [right(300)] }, { kind: 'wake', atMs: 100 }],
    wake: [{ kind: 'extend', notAfterMs: 400 }],
  })
  node.turn({ ...quiet, links: [link] }, 0)
  node.turn(told(0), 0)
  const before = node.standing()
  node.turn(quiet, 100)
  assert.is(node.rights()[0]?.notAfterMs, 400)
  assert.is(node.standing(), before)
  assert.is(before[0]?.notAfterMs, 400)
  const reply = turnWith(node, [['192.0.2.9', 350]], 350).find((effect) => effect.kind === 'sendFrame' &&
    effect.why === 'answer')
  const packet = reply?.kind === 'sendFrame' ? decodeArp(reply.frame) : undefined
  assert.is(typeof packet === 'object' ? packet.operation : packet, arpReply)
})

test('rights one change after another: those of the last list, and told of by what has changed', () => {
  const roll = createDice(3)
  let script: readonly Effect[] = []
  const [whole, changed] = [0, 1].map(() => createNode(({ kind }) => kind === 'messages' ? script : []))
  if (whole === undefined || changed === undefined) throw new RangeError('no nodes')
  const links = [link, { ...link, index: 3, name: 'eth1', mac: '02:00:5e:00:53:03' }]
  for (const node of [whole, changed]) node.turn({ ...quiet, links }, 0)
  let list: readonly Right[] = []
  const answered = new Set<string>()
  for (let now = 1; now <= 300; now++) {
    const before = list
    for (let n = roll(4); n > 0; n--) {
      const text = `192.0.2.${roll(12)}`
      const rest = list.filter((one) => one.text !== text)
      const ifindexes = new Set([[2], [3], [2, 3]][roll(3)])
      const fresh = { unit: text, address: address(text), text, ifindexes, notAfterMs: 1e6 }
      list = roll(3) === 0 ? rest : [...rest, fresh]
    }
    const turn = (node: Node, effect: Effect): readonly NodeEffect[] => {
      script = [effect]
      return node.turn(told(now), now)
    }
    const texts = new Set(list.map(({ text }) => text))
    const effects = turn(changed, {
      kind: 'rightsChanged', come: list.filter((one) => !before.includes(one)),
      gone: before.map(({ text }) => text).filter((text) => !texts.has(text)),
    })
    const rows = (node: Node): readonly string[] =>
      node.rights().map(({ text, ifindexes }) => `${text} ${[...ifindexes]}`).toSorted()
    const frames = (from: readonly NodeEffect[]): readonly string[] => from.flatMap((effect) =>
      effect.kind === 'sendFrame' ? [`${effect.ifindex} ${effect.text}`] : []).toSorted()
    assert.equal(frames(effects), frames(turn(whole, { kind: 'rights', rights: list })), `at ${now}`)
    assert.equal(rows(changed), rows(whole), `at ${now}`)
    for (const effect of effects) {
      if (effect.kind !== 'answering') continue
      for (const text of effect.gone) assert.ok(answered.delete(text), `at ${now}`)
      for (const text of effect.come) assert.ok(!answered.has(text) && answered.add(text), `at ${now}`)
    }
    assert.equal([...answered].toSorted(), [...texts].toSorted(), `at ${now}`)
  }
})

test('an interface goes and comes back: what is announced there is what there is a right for', () => {
  const second: LinkState = { ...link, index: 3, name: 'eth1', mac: '02:00:5e:00:53:03' }
  const both = [link, second]
  const legs = (...ifindexes: readonly number[]): Right => ({ ...right(1e9), ifindexes: new Set(ifindexes) })
  let script: readonly Effect[] = []
  const node = createNode(({ kind }) => kind === 'messages' ? script : [])
  const sentOn = (turn: Turn, now: number): ReadonlySet<number> => {
    const effects = node.turn(turn, now)
    return new Set(effects.flatMap((effect) => effect.kind === 'sendFrame' ? [effect.ifindex] : []))
  }
  const within = (fromMs: number): ReadonlySet<number> => new Set(
    Array.from({ length: 20 }, (_, i) => [...sentOn(quiet, fromMs + 400 * i)]).flat())
  sentOn({ ...quiet, links: both }, 0)
  script = [{ kind: 'rights', rights: [legs(2, 3)] }]
  assert.equal(sentOn(told(1), 1), new Set([2, 3]))
  sentOn({ ...quiet, links: [link] }, 10_000)
  // Another has taken over there.
  script = [{ kind: 'rightsChanged', gone: [], come: [legs(2)] }]
  sentOn(told(10_001), 10_001)
  script = []
  assert.equal(sentOn({ ...quiet, links: both }, 20_000), new Set())
  assert.equal(within(20_001).has(3), false)
  // A right names an interface before the kernel has told of it.
  sentOn({ ...quiet, links: [link] }, 40_000)
  script = [{ kind: 'rightsChanged', gone: [], come: [legs(2, 3)] }]
  sentOn(told(40_001), 40_001)
  script = []
  sentOn({ ...quiet, links: both }, 50_000)
  assert.equal(within(50_001).has(3), true)
})

test.run()
