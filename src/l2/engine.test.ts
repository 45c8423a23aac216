/** The engine as a timeline: what leaves, when, on which interface, and what is answered. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { address } from '../config/builders.ts'
import { createDice } from '../config/dice.ts'
import { formatAddress } from '../net/address.ts'
import { decodeArp } from './arp.ts'
import {
  burstMs, createEngine, type Effect, type Engine, refreshGridMs, refreshMs, step,
} from './engine.ts'
import type { Announcement, LinkState } from './model.ts'
import type { AnswerTable } from './responder.ts'
import { changesOf } from './span.ts'

const announcement = (text: string, interfaces: Announcement['interfaces'] = 'all') => ({
  address: address(text), text, interfaces, services: ['default/web'],
})

const link = (index: number, name: string, mac = `02:00:5e:00:53:0${index}`): LinkState => ({
  index, name, mac, mtuBytes: 1500, isUp: true, hasCarrier: true, master: undefined,
  isLoopback: false, isNoArp: false, isBroadcast: true,
  addresses: [{
    address: address('fe80::1'),
    prefix: { family: 'ipv6', bits: 0xfe80n << 112n, length: 64 },
    isTentative: false,
  }],
})

/** Steps through every wake up to `untilMs`; returns what was sent, with its instant. */
function run(engine: Engine, first: readonly Effect[], untilMs: number): string[] {
  const lines: string[] = []
  let nowMs = 0
  let effects = first
  for (;;) {
    lines.push(...effects.flatMap((effect) => describe(effect, nowMs)))
    const wake = effects.findLast((effect) => effect.kind === 'wake')
    if (wake === undefined || wake.atMs > untilMs) return lines
    nowMs = wake.atMs
    effects = step(engine, { kind: 'wake' }, nowMs)
  }
}

function describe(effect: Effect, nowMs: number): string[] {
  const at = Math.round(nowMs)
  switch (effect.kind) {
    case 'sendFrame': {
      const packet = decodeArp(effect.frame)
      const form = typeof packet === 'string' ? packet : packet.operation === 1 ? 'request' : 'reply'
      return [`${at} if${effect.ifindex} ${effect.text} ${form}`]
    }
    case 'sendNeighbour':
      return [`${at} if${effect.ifindex} ${effect.text} unsolicited`]
    case 'join':
    case 'leave':
      return [`${at} if${effect.ifindex} ${effect.kind} ${formatAddress(effect.group)}`]
    case 'answer':
    case 'wake':
      return []
  }
}

function tableOf(effects: readonly Effect[]): AnswerTable | undefined {
  const found = effects.findLast((effect) => effect.kind === 'answer')
  return found?.table
}

function started(links: readonly LinkState[], announcements: readonly Announcement[]) {
  const engine = createEngine()
  step(engine, { kind: 'links', links }, 0)
  return { engine, effects: step(engine, { kind: 'desired', announcements }, 0) }
}

test('a new IPv4 address: request and reply form at every instant of the burst', () => {
  const { engine, effects } = started([link(2, 'eth0')], [announcement('192.0.2.5')])
  const want = burstMs.flatMap((ms) => [
    `${ms} if2 192.0.2.5 request`, `${ms} if2 192.0.2.5 reply`,
  ])
  assert.equal(run(engine, effects, 5_000), want)
})

test('a new IPv6 address: its group is joined before the first advertisement', () => {
  const { engine, effects } = started([link(2, 'eth0')], [announcement('2001:db8::5')])
  const lines = run(engine, effects, 100)
  assert.equal(lines, [
    '0 if2 join ff02::1:ff00:5', '0 if2 2001:db8::5 unsolicited',
    '20 if2 2001:db8::5 unsolicited', '60 if2 2001:db8::5 unsolicited',
  ])
})

test('answers are in force before the first frame leaves', () => {
  const { effects } = started([link(2, 'eth0')], [announcement('192.0.2.5')])
  const kinds = effects.map((effect) => effect.kind)
  assert.equal(kinds, ['answer', 'sendFrame', 'sendFrame', 'wake'])
})

test('a selected interface: nothing is sent or answered on another', () => {
  const links = [link(2, 'eth0'), link(3, 'eth1')]
  const { engine, effects } = started(links, [announcement('192.0.2.5', ['eth1'])])
  assert.equal(run(engine, effects, 0), ['0 if3 192.0.2.5 request', '0 if3 192.0.2.5 reply'])
  const answers = [...tableOf(effects)?.answers.values() ?? []]
  assert.equal(answers.map((answer) => [...answer.ifindexes]), [[3]])
})

test('withdrawal: nothing more leaves, nothing is answered, the group is left', () => {
  const { engine } = started([link(2, 'eth0')], [announcement('2001:db8::5')])
  const effects = step(engine, { kind: 'desired', announcements: [] }, 30)
  assert.equal(run(engine, effects, 10_000), ['0 if2 leave ff02::1:ff00:5'])
  assert.is(tableOf(effects)?.answers.size, 0)
})

test('two addresses of one group: it is left with the last', () => {
  const pair = [announcement('2001:db8::5'), announcement('2001:db8:1::5')]
  const { engine, effects } = started([link(2, 'eth0')], pair)
  assert.is(effects.filter((effect) => effect.kind === 'join').length, 1)
  const one = step(engine, { kind: 'desired', announcements: pair.slice(1) }, 10)
  assert.is(one.some((effect) => effect.kind === 'leave'), false)
})

test('an interface that appears later gets group, answers and a burst of its own', () => {
  const { engine } = started([link(2, 'eth0')], [announcement('2001:db8::5')])
  const links = [link(2, 'eth0'), link(3, 'eth1')]
  const effects = step(engine, { kind: 'links', links }, 10)
  const lines = effects.flatMap((effect) => describe(effect, 10))
  assert.equal(lines, ['10 if3 join ff02::1:ff00:5', '10 if3 2001:db8::5 unsolicited'])
})

test('a changed MAC starts the burst again, with the new one', () => {
  const { engine } = started([link(2, 'eth0')], [announcement('192.0.2.5')])
  const links = [link(2, 'eth0', '02:00:5e:00:53:99')]
  const effects = step(engine, { kind: 'links', links }, 10_000)
  const macs = effects.flatMap((effect) => {
    if (effect.kind !== 'sendFrame') return []
    const packet = decodeArp(effect.frame)
    return typeof packet === 'string' ? packet : packet.senderMac
  })
  assert.equal(macs, ['02:00:5e:00:53:99', '02:00:5e:00:53:99'])
})

test('an interface that left and came back under its index gets group and burst again', () => {
  const { engine } = started([{ ...link(2, 'eth0'), generation: 1 }], [announcement('2001:db8::5')])
  const links = [{ ...link(2, 'eth0'), generation: 2 }]
  const lines = step(engine, { kind: 'links', links }, 50).flatMap((effect) => describe(effect, 50))
  assert.equal(lines, ['50 if2 leave ff02::1:ff00:5', '50 if2 join ff02::1:ff00:5',
    '50 if2 2001:db8::5 unsolicited'])
})

test('an unchanged set sends nothing beyond the schedule', () => {
  const { engine } = started([link(2, 'eth0')], [announcement('192.0.2.5')])
  const again = step(engine, { kind: 'desired', announcements: [announcement('192.0.2.5')] }, 5)
  assert.equal(again.flatMap((effect) => describe(effect, 5)), [])
})

test('refresh: every 30 s ± 20 % after the burst, never in step for all addresses', () => {
  const texts = ['192.0.2.5', '192.0.2.6', '192.0.2.7']
  const { engine, effects } = started([link(2, 'eth0')], texts.map((text) => announcement(text)))
  const lines = run(engine, effects, 300_000).filter((line) => line.endsWith('reply'))
  for (const text of texts) {
    const instants = lines.filter((line) => line.includes(text)).map((line) => Number.parseInt(line))
    const gaps = instants.slice(burstMs.length - 1).map((ms, i, all) => ms - (all[i - 1] ?? ms))
    const refreshes = gaps.slice(1)
    assert.ok(refreshes.length >= 8, `${text} refreshed ${refreshes.length} times`)
    const outside = refreshes.filter((gap) => gap < refreshMs * 0.79 || gap > refreshMs * 1.21)
    assert.equal(outside, [])
    assert.ok(new Set(refreshes).size > 3, 'gaps differ')
  }
})

test('refresh: 300 addresses wake a host at most twice a second', () => {
  const announcements = Array.from({ length: 300 }, (_, i) => announcement(`198.51.100.${i & 255}`))
    .map((one, i) => i < 256 ? one : announcement(`203.0.113.${i - 256}`))
  const { engine, effects } = started([link(2, 'eth0')], announcements)
  const instants = run(engine, effects, 90_000).filter((line) => line.endsWith('reply'))
    .map((line) => Number.parseInt(line)).filter((ms) => ms > 10_000)
  assert.ok(instants.length > 500, `${instants.length} refreshes`)
  assert.equal(instants.filter((ms) => ms % refreshGridMs !== 0), [])
})

test('refresh: at most 50 rounds a second on one interface, however many addresses', () => {
  const announcements = Array.from({ length: 3_000 }, (_, i) =>
    announcement(`198.51.${100 + (i >> 8)}.${i & 255}`)
  )
  const { engine, effects } = started([link(2, 'eth0')], announcements)
  const lines = run(engine, effects, 90_000).filter((line) => line.endsWith('reply'))
  const perSecond = new Map<number, number>()
  for (const line of lines) {
    const second = Math.floor(Number.parseInt(line) / 1_000)
    if (second >= 10) perSecond.set(second, (perSecond.get(second) ?? 0) + 1)
  }
  assert.ok(Math.max(...perSecond.values()) <= 51, 'capped')
  assert.ok(Math.max(...perSecond.values()) >= 49, 'the cap is reached, so the test bites')
})

test('burst: 100 addresses leave at once, 10,000 at most 5,000 rounds a second', () => {
  const many = (count: number) => {
    const announcements = Array.from({ length: count }, (_, i) =>
      announcement(`198.51.${100 + (i >> 8)}.${i & 255}`)
    )
    const { engine, effects } = started([link(2, 'eth0')], announcements)
    return run(engine, effects, 1_000).filter((line) => line.endsWith('reply'))
  }
  assert.is(many(100).filter((line) => line.startsWith('0 ')).length, 100)
  const rounds = many(10_000).length
  assert.ok(rounds <= 5_101, `${rounds} rounds in the first second`)
  assert.ok(rounds >= 4_900, `${rounds} rounds: the cap is reached, so the test bites`)
})

test('one change after another: groups, answers and voices are those of the last list', () => {
  const roll = createDice(7)
  const links = [link(2, 'eth0'), link(3, 'eth1')]
  const engine = createEngine()
  /** Is told of changes only. */
  const told = createEngine()
  step(engine, { kind: 'links', links }, 0)
  const joined = new Set<string>()
  const follow = (effects: readonly Effect[], at: string): void => {
    for (const effect of effects) {
      if (effect.kind !== 'join' && effect.kind !== 'leave') continue
      const key = `${effect.ifindex} ${formatAddress(effect.group)}`
      assert.is(joined.has(key), effect.kind === 'leave', at)
      if (effect.kind === 'join') joined.add(key)
      else joined.delete(key)
    }
  }
  let list: readonly Announcement[] = []
  for (let round = 1; round <= 200; round++) {
    // Two prefixes: addresses with the same end share a group.
    const text = roll(3) === 0 ? `192.0.2.${roll(4)}` : `2001:db8:${roll(2)}::${roll(3)}`
    const before = list
    const rest = list.filter((one) => one.text !== text)
    const one = announcement(text, roll(3) === 0 ? 'all' : [`eth${roll(2)}`])
    list = roll(3) === 0 ? rest : rest.toSpliced(roll(rest.length + 1), 0, one)
    const given = roll(10) === 0 ? [link(2, 'eth0', `02:00:5e:00:53:1${roll(9)}`)] : links
    const at = `round ${round}`
    follow(step(engine, { kind: 'links', links: given }, round), at)
    const effects = step(engine, { kind: 'desired', announcements: list }, round)
    follow(effects, at)
    const fresh = createEngine()
    step(fresh, { kind: 'links', links: given }, round)
    const scratch = step(fresh, { kind: 'desired', announcements: list }, round)
    const wanted = scratch.flatMap((effect) =>
      effect.kind === 'join' ? [`${effect.ifindex} ${formatAddress(effect.group)}`] : [])
    assert.equal([...joined].toSorted(), wanted.toSorted(), at)
    const rows = (table: AnswerTable | undefined): unknown =>
      [...table?.answers.values() ?? []].map((row) => [row.text, [...row.ifindexes]]).toSorted()
    assert.equal(rows(tableOf(effects)), rows(tableOf(scratch)), at)
    assert.equal([...engine.voices.keys()].toSorted(), [...fresh.voices.keys()].toSorted(), at)
    step(told, { kind: 'links', links: given }, round)
    const change = step(told, { kind: 'changed', changes: changesOf(before, list) }, round)
    assert.equal(rows(tableOf(change)), rows(tableOf(scratch)), at)
    assert.equal([...told.voices.keys()].toSorted(), [...fresh.voices.keys()].toSorted(), at)
  }
})

test.run()
