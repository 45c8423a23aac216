/** How ownership, engine and responder are joined: order, the stall rule, and deadlines. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
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
  node.turn(quiet, 100)
  assert.is(node.rights()[0]?.notAfterMs, 400)
  const reply = turnWith(node, [['192.0.2.9', 350]], 350).find((effect) => effect.kind === 'sendFrame' &&
    effect.why === 'answer')
  const packet = reply?.kind === 'sendFrame' ? decodeArp(reply.frame) : undefined
  assert.is(typeof packet === 'object' ? packet.operation : packet, arpReply)
})

test.run()
