/** The announcer: on a wire, held to the list of every responder; in which order it reads and acts. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Announcer, openAnnouncer } from './announcer.ts'
import type { Clock } from './clock.ts'
import { address } from './config/builders.ts'
import { announceArp, arpReply, decodeArp } from './l2/arp.ts'
import { announcedElsewhere, announcedHere, conformanceCases } from './l2/conformance.ts'
import { arpProbeFrame, ownerMac, solicitationFrame } from './l2/golden.ts'
import { bootMs } from './l2/linux/libc.ts'
import { openPackets } from './l2/linux/packets.ts'
import { enterNamespace, ip, linkNamed, need, openPair, until } from './l2/linux/pair.ts'
import type { LinkState } from './l2/model.ts'
import { createLog } from './log.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import type { Millis } from './net/model.ts'
import { aloneWorld } from './ownership/alone.ts'
import { itemDigest } from './ownership/beats.ts'
import { decodeMessage, encodeMessage, entryOf, messageOf } from './ownership/codec.ts'
import { suspectMs } from './ownership/limits.ts'
import type { ReceivedMessage } from './ownership/model.ts'
import { addressOf, give, lanOf, legAt, nodeOf, wishOf } from './ownership/stage.ts'
import { answerFrame, controlFrame } from './ownership/wire.ts'

const check = enterNamespace(import.meta.url, test)

/** A question for each family's socket, and the address it asks for. */
const markers = [['192.0.2.99', arpProbeFrame], ['2001:db8::11', solicitationFrame]] as const

check('the socket responder does with golden frames what every responder must', async () => {
  await using pair = await openPair()
  ip('link', 'set', 'near', 'address', ownerMac)
  await until('the MAC is changed', () => need(pair.links, 'near').mac === ownerMac)
  const metrics = createMetrics()
  const lines: string[] = []
  const loud = createLog({ level: 'debug', write: (line) => void lines.push(line), wall: () => new Date() })
  await using announcer = openAnnouncer({
    clock: { now: bootMs, wall: () => new Date() }, log: loud, metrics, node: 'n',
    openPackets: (onFrame, onRead) => openPackets(onFrame, { onRead }),
  })
  ip('link', 'add', 'other', 'type', 'veth', 'peer', 'name', 'beyond')
  // As openPair: the kernel's own neighbour solicitations would be counted as drops.
  for (const name of ['other', 'beyond']) ip('link', 'set', name, 'addrgenmode', 'none', 'up')
  await until('the other is up', () => linkNamed(pair.links, 'other')?.hasCarrier === true)
  const links = [need(pair.links, 'near'), need(pair.links, 'other')]
  announcer.setLinks(links)
  const announce = (text: string, name: string) =>
    ({ address: address(text), text, interfaces: [name], services: ['default/web'] })
  announcer.setWorld(aloneWorld('n', [
    ...announcedHere.map((text) => announce(text, 'near')), announce(announcedElsewhere, 'other'),
  ], links))
  const repliesTo = (text: string): number => metrics.countsOf(text).replies
  for (const { it, frame, want } of conformanceCases) {
    const drops = { ...metrics.drops() }
    const expected = new Map<string, number>(announcedHere.map((text) => [text, repliesTo(text)]))
    const add = (text: string): void => void expected.set(text, (expected.get(text) ?? 0) + 1)
    if ('reply' in want) add(want.reply)
    pair.far.send(pair.farIndex, frame)
    // Each socket keeps order: the answers to these show that the frame has been dealt with.
    for (const [text, marker] of markers) {
      add(text)
      pair.far.send(pair.farIndex, marker)
    }
    await until(`${it} is dealt with`, () =>
      markers.every(([text]) => repliesTo(text) >= (expected.get(text) ?? 0)))
    const replies = new Map(announcedHere.map((text) => [text, repliesTo(text)]))
    assert.equal([...replies], [...expected], it)
    const changed = Object.entries(metrics.drops()).filter(([key, n]) => n !== (drops[key] ?? 0))
    // What the kernel's filter keeps away is not counted.
    if ('drop' in want) assert.ok(changed.every(([key]) => key === want.drop), `${it}: ${changed}`)
  }
  for (const text of announcedHere) {
    // What users of MetalLB grep for.
    const words = `got ${text.includes(':') ? 'NDP' : 'ARP'} request for service IP, sending response`
    const told = lines.filter((line) => line.includes(words) && line.includes(`"${text}"`))
    assert.is(told.length, repliesTo(text), words)
  }
})

const vip = '192.168.1.100'

interface Timer {
  readonly act: () => void
  readonly atMs: Millis
}

/** Timers and what is due soon, as the runtime's loop has them, on a clock that stands still in between. */
interface Loop extends Disposable {
  readonly clock: Clock
  pass(ms: Millis): void
  runTimers(): void
  /** What was put off until sockets have been looked at. */
  runSoon(): void
}

function openLoop(): Loop {
  const { setTimeout: later, clearTimeout: forget, setImmediate: soon } = globalThis
  let nowMs: Millis = 10_000
  const timers = new Set<Timer>()
  const waiting: (() => void)[] = []
  Reflect.set(globalThis, 'setTimeout', (act: () => void, ms: Millis) => {
    const timer = { act, atMs: nowMs + ms }
    timers.add(timer)
    return timer
  })
  Reflect.set(globalThis, 'clearTimeout', (timer: Timer) => timers.delete(timer))
  Reflect.set(globalThis, 'setImmediate', (act: () => void) => waiting.push(act))
  return {
    clock: { now: () => nowMs, wall: () => new Date(0) },
    pass: (ms) => void (nowMs += ms),
    runTimers: () => {
      for (const timer of [...timers]) if (timer.atMs <= nowMs && timers.delete(timer)) timer.act()
    },
    runSoon: () => {
      for (const act of waiting.splice(0)) act()
    },
    [Symbol.dispose]: () => {
      Reflect.set(globalThis, 'setTimeout', later)
      Reflect.set(globalThis, 'clearTimeout', forget)
      Reflect.set(globalThis, 'setImmediate', soon)
    },
  }
}

interface Stage {
  readonly loop: Loop
  readonly announcer: Announcer
  /** What it performed, in order: kinds of messages and frames. */
  readonly done: string[]
  /** Of each advertisement that it was given: whether it may leave. */
  readonly mayLeave: (() => boolean)[]
  /** The kernel has a frame for it, which it reads; or reads when it looks at its sockets. */
  receive(frame: Uint8Array): void
  lay(frame: Uint8Array): void
  readable(): void
}

/** The announcer of n0 among n0, n1 and n2; `names` may own the addresses. */
function open(
  loop: Loop, names: readonly string[], texts = vip,
  { isOpen = () => true, metrics = createMetrics() }: { isOpen?: () => boolean; metrics?: Metrics } = {},
): Stage {
  const rig = lanOf(3)
  give(rig, [wishOf(texts, names)])
  const done: string[] = []
  const mayLeave: (() => boolean)[] = []
  const laid: Uint8Array[] = []
  let [receive, readable] = [(_: Uint8Array): void => undefined, (): void => undefined]
  const announcer = openAnnouncer({
    clock: loop.clock, metrics, node: 'n0',
    log: createLog({ level: 'none', write: () => undefined, wall: () => new Date(0) }),
    openPackets: (onFrame, onRead) => {
      receive = (frame) => onFrame(2, frame, 0)
      readable = onRead
      return {
        attach: () => undefined, detach: () => undefined, join: () => undefined, leave: () => undefined,
        send: (_, frame) => {
          done.push(nameOf(frame))
          const answer = kernelAnswer(frame)
          if (answer !== undefined) onFrame(2, answer, 0)
          return isOpen() ? undefined : 'Cannot send frame: the interface is gone'
        },
        sendNeighbour: (_, __, may) => void mayLeave.push(may),
        drain: () => laid.splice(0).forEach((frame) => onFrame(2, frame, 0)),
        [Symbol.asyncDispose]: async () => undefined,
      }
    },
    members: {
      tell: (_, __, bytes) => void done.push(decodeMessage(bytes)?.kind ?? 'malformed'),
      gossip: () => undefined,
    },
  })
  announcer.setLinks([link])
  announcer.setWorld(nodeOf(rig, 'n0').world)
  return {
    loop, announcer, done, mayLeave, receive: (frame) => receive(frame),
    lay: (frame) => void laid.push(frame), readable: () => readable(),
  }
}

const { name, mac, addresses } = legAt(0)
const link: LinkState = {
  index: 2, name, mac, mtuBytes: 1_500, isUp: true, hasCarrier: true, master: undefined, isLoopback: false,
  isNoArp: false, isBroadcast: true, addresses: addresses.map((own) => ({ ...own, isTentative: false })),
}

/** The others answer for their own addresses, whatever their processes do. */
function kernelAnswer(frame: Uint8Array): Uint8Array | undefined {
  const packet = decodeArp(frame)
  const asked = [1, 2].map((i) => legAt(i)).find(({ addresses }) =>
    typeof packet !== 'string' && packet.target.bits === addresses[0]?.address.bits)
  return asked === undefined ? undefined : answerFrame(frame, asked.mac)
}

function nameOf(frame: Uint8Array): string {
  const packet = decodeArp(frame)
  if (typeof packet === 'string') return packet
  if (packet.sender.bits === packet.target.bits) return 'announcement'
  return packet.operation === arpReply ? 'answer' : 'ask'
}

/** Lets time pass in which all that is due happens at once. */
function idle({ loop }: Stage, ms: Millis): void {
  for (let i = 0; i < ms; i++) {
    loop.pass(1)
    loop.runTimers()
    loop.runSoon()
  }
}

function from(who: string, bytes: Uint8Array, receivedAtMs: Millis): ReceivedMessage {
  return { from: who, isGossip: false, bytes, receivedAtMs }
}

/** A beat of n1, which owns the address with this term. */
function beatOf(term: number): Uint8Array {
  return encodeMessage(messageOf('beat', {
    incarnation: 7, revision: 1, digest: itemDigest(vip, term, 0) >>> 0, mac: legAt(1).mac,
    entries: [entryOf(vip, { term })],
  }))
}

/** So many datagrams that more may wait in the socket. */
function fill({ announcer, loop }: Stage): void {
  const nothing = encodeMessage(messageOf('query', {}))
  announcer.hear(Array.from({ length: 32 }, () => from('n2', nothing, loop.clock.now())))
}

const causes: readonly { it: string; wake: (stage: Stage) => void }[] = [
  { it: 'nothing else happens', wake: () => undefined },
  { it: 'frames are read', wake: ({ readable }) => readable() },
  { it: 'the instant comes at which it wanted to look', wake: ({ loop }) => loop.runTimers() },
]

for (const { it, wake } of causes) {
  for (const isThere of [true, false]) {
    const last = isThere ? 'a beat behind them is read first' : 'without a beat, its owner is suspected'
    test(`datagrams wait, and ${it}: ${last}`, () => {
      using loop = openLoop()
      const stage = open(loop, ['n1', 'n2'])
      idle(stage, 1_000)
      const { announcer, done } = stage
      announcer.hear([from('n1', beatOf(1), loop.clock.now())])
      idle(stage, suspectMs - 5)
      done.length = 0
      loop.pass(10)
      fill(stage)
      loop.runSoon()
      wake(stage)
      if (isThere) announcer.hear([from('n1', beatOf(1), loop.clock.now() - 10)])
      assert.not.ok(done.includes('suspicion'), 'nothing is concluded yet')
      loop.runSoon()
      loop.runTimers()
      assert.is(done.includes('suspicion'), !isThere)
    })
  }
}

test('what did not leave while an interface was gone is told until that is opened anew', async () => {
  using loop = openLoop()
  const metrics = createMetrics()
  let isThere = false
  const stage = open(loop, ['n0'], vip, { metrics, isOpen: () => isThere })
  const { announcer } = stage
  idle(stage, 500)
  const gone = 'Cannot send frame: the interface is gone'
  assert.is(metrics.lastSendFailure(), gone)
  isThere = true
  idle(stage, 3_000)
  assert.is(metrics.lastSendFailure(), gone, 'not opened anew')
  announcer.setLinks([{ ...link, generation: 2 }])
  assert.is(metrics.lastSendFailure(), undefined)
  assert.match(await metrics.text(), /^arpeggio_send_failures_total [1-9]/m)
  isThere = false
  idle(stage, 3_000)
  assert.is(metrics.lastSendFailure(), gone)
})

/** Somebody's question, from 192.168.1.12. */
const question = controlFrame(legAt(2), addressOf(vip))

function owning(loop: Loop, texts = vip): Stage {
  const stage = open(loop, ['n0'], texts)
  for (let i = 0; i < 4_000 && stage.announcer.rights().length === 0; i++) idle(stage, 1)
  assert.is(stage.announcer.rights().length, texts.split(' ').length)
  stage.done.length = 0
  return stage
}

test('a question is answered', () => {
  using loop = openLoop()
  const stage = owning(loop)
  stage.receive(question)
  stage.readable()
  assert.is(stage.done[0], 'answer')
})

test('a question that waits beside datagrams is answered by what is left when those are read', () => {
  using loop = openLoop()
  const stage = owning(loop)
  fill(stage)
  loop.runSoon()
  stage.receive(question)
  stage.readable()
  stage.announcer.hear([from('n1', beatOf(9), loop.clock.now())])
  assert.equal(stage.done, [])
  loop.runSoon()
  assert.not.ok(stage.done.includes('answer'), stage.done.join())
})

test('after a stall the sockets are read to their end before anything is answered', () => {
  using loop = openLoop()
  const stage = owning(loop)
  loop.pass(100)
  stage.receive(question)
  const [voice] = announceArp(addressOf(vip), legAt(1).mac)
  stage.lay(voice)
  stage.readable()
  assert.not.ok(stage.done.includes('answer'), stage.done.join())
})

const ends: readonly { it: string; end: (stage: Stage) => void }[] = [
  { it: 'the deadline has passed', end: ({ loop }) => loop.pass(301) },
  { it: 'another has claimed it', end: ({ announcer, loop }) => announcer.hear([
    from('n1', beatOf(9), loop.clock.now()),
  ]) },
]

for (const { it, end } of ends) {
  test(`an advertisement that waits to leave may not any more: ${it}`, () => {
    using loop = openLoop()
    const stage = owning(loop, `${vip} 2001:db8::100`)
    const last = stage.mayLeave.at(-1)
    assert.is(last?.(), true)
    end(stage)
    loop.runSoon()
    assert.is(last?.(), false)
  })
}

test('in one turn answers leave first, then the beats that are due', () => {
  using loop = openLoop()
  const stage = owning(loop)
  const { done } = stage
  for (let i = 0; i < 1_000 && done.at(-1) !== 'beat'; i++) idle(stage, 1)
  done.length = 0
  loop.pass(100)
  stage.receive(question)
  stage.readable()
  loop.runTimers()
  assert.equal(done.slice(0, 3), ['answer', 'beat', 'beat'])
})

test.run()
