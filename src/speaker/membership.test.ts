/** The ring on real sockets: how old messages are, hosts with one name, hosts with two secrets. */
import { createSocket } from 'node:dgram'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { systemClock } from '../clock.ts'
import { lastAge } from '../l2/linux/age.ts'
import { lanSettings } from '../membership/settings.ts'
import type { NameConflict } from '../namesake.ts'
import { formatAddress, parseAddress } from '../net/address.ts'
import type { Address } from '../net/model.ts'
import type { ReceivedMessage } from '../ownership/model.ts'
import { openRing, type Ring } from '../ring.ts'

const clock = systemClock()
const stillMs = 300
const port = 7946

interface Heard {
  readonly message: ReceivedMessage
  readonly readAtMs: number
}

interface Place {
  readonly at: string
  readonly key: Uint8Array
  readonly onConflicts: (conflicts: readonly NameConflict[]) => void
  readonly onUnreadable: (fresh: readonly Address[]) => void
}

/** On loopback, and used by nobody else on this machine. */
function addressOf(name: string): Address {
  const last = { a: 201, b: 202 }[name] ?? 203
  const address = parseAddress(`127.${1 + process.pid % 250}.${(process.pid >> 8) % 256}.${last}`)
  if (address === undefined) throw new Error('it is no address')
  return address
}

async function open(
  name: string, heard: Heard[],
  { at = name, key, onConflicts = () => undefined, onUnreadable = () => undefined }: Partial<Place> = {},
): Promise<Ring> {
  const address = addressOf(at)
  const ring = await openRing({
    name, address, port, settings: lanSettings, key, clock, ageOf: lastAge,
    onMessages: (messages) => {
      for (const message of messages) heard.push({ message, readAtMs: clock.now() })
    },
    onChange: () => undefined, onMember: () => undefined, onUnreadable, onConflicts,
  })
  ring.setPeers(['a', 'b', 'c'].map(addressOf))
  return ring
}

async function until(what: string, isDone: () => boolean): Promise<void> {
  const endMs = clock.now() + 5_000
  while (!isDone()) {
    if (clock.now() > endMs) throw new Error(`Not within 5 s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

test('hosts with two secrets: each lists the other, once told, until they can read each other', async () => {
  const [one, two] = [new Uint8Array(16).fill(1), new Uint8Array(16).fill(2)]
  const told: string[] = []
  const tell = (who: string) => (fresh: readonly Address[]): void =>
    void told.push(`${who} ${fresh.map(formatAddress).join()}`)
  await using a = await open('a', [], { key: one, onUnreadable: tell('a') })
  const [atA, atB] = ['a', 'b'].map((name) => formatAddress(addressOf(name)))
  const list = (ring: Ring): string => ring.unreadable().map(formatAddress).join()
  {
    await using b = await open('b', [], { key: two, onUnreadable: tell('b') })
    await until('both list the other', () => list(a) === atB && list(b) === atA)
    // A stranger, who has no address that anybody ought to have, is heard and adds nothing.
    const stranger = createSocket('udp4')
    const before = a.membership.counts().drops.get('undecryptable') ?? 0
    for (let i = 0; i < 100; i++) stranger.send('nonsense', port, atA)
    await until('it is counted', () => (a.membership.counts().drops.get('undecryptable') ?? 0) > before + 50)
    await new Promise<void>((resolve) => stranger.close(() => resolve()))
    assert.equal([list(a), list(b)], [atB, atA])
    assert.equal(told.toSorted(), [`a ${atB}`, `b ${atA}`])
  }
  await using b = await open('b', [], { key: one })
  await until('they have met', () => [a, b].every((ring) => ring.members().length === 2))
  assert.equal([list(a), list(b)], ['', ''])
  assert.equal([told.length, told.at(-1)], [3, 'a '])
})

test('a message has the time of its arrival, not that of its reading', async () => {
  const heard: Heard[] = []
  await using a = await open('a', [])
  await using b = await open('b', heard)
  await until('they have met', () => [a, b].every((ring) => ring.members().length === 2))
  a.tell('b', undefined, new Uint8Array([1]))
  const sentAtMs = clock.now()
  // The process stands still, as when it is frozen.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, stillMs)
  a.tell('b', undefined, new Uint8Array([2]))
  const wokeAtMs = clock.now()
  const find = (first: number): Heard | undefined => heard.find(({ message }) => message.bytes[0] === first)
  await until('both are heard', () => find(1) !== undefined && find(2) !== undefined)
  const [old, fresh] = [find(1), find(2)]
  if (old === undefined || fresh === undefined) throw new Error('nothing was heard')
  assert.ok(old.readAtMs >= wokeAtMs, 'it was read after the pause')
  // Deno does not give away the descriptor to ask for: there it is as old as it looks.
  const came = (heardAtMs: number): string => heardAtMs < sentAtMs + stillMs / 2 ? 'before' : 'after'
  assert.is(came(old.message.receivedAtMs), 'Deno' in globalThis ? 'after' : 'before')
  assert.is(came(fresh.message.receivedAtMs), 'after')
})

test('two hosts with one name: the later one is muted, and all three know of both', async () => {
  const [heardByB, told]: [Heard[], NameConflict['here'][]] = [[], []]
  await using a = await open('a', [])
  await using b = await open('b', heardByB)
  await until('they have met', () => [a, b].every((ring) => ring.members().length === 2))
  // This host has just started as well; once the other one yields it does no more.
  const onConflicts: Place['onConflicts'] = (list) => told.push(...list.map((each) => each.here))
  const late = await open('a', [], { at: 'c', onConflicts })
  const here = (ring: Ring): string => ring.conflicts().map((each) =>
    [each.name, formatAddress(each.first), formatAddress(each.second), each.here].join(' ')).join()
  const pair = ['a', formatAddress(addressOf('a')), formatAddress(addressOf('c'))].join(' ')
  await until('the first is itself again', () => here(a) === `${pair} first`)
  assert.is(here(late), `${pair} second`)
  assert.is(here(b), `${pair} neither`)
  assert.equal([a, b, late].map((ring) => ring.isYielding()), [false, false, true])
  assert.is(told.at(-1), 'second')
  late.tell('b', undefined, new Uint8Array([66]))
  late.deliver('b', new Uint8Array([66]))
  late.gossip(new Uint8Array([66]))
  a.tell('b', undefined, new Uint8Array([7]))
  await until('the first is heard', () => heardByB.some(({ message }) => message.bytes[0] === 7))
  // It says goodbye to nobody, who would take it for the first's.
  await late[Symbol.asyncDispose]()
  a.tell('b', undefined, new Uint8Array([8]))
  await until('the first is heard on', () => heardByB.some(({ message }) => message.bytes[0] === 8))
  assert.equal(heardByB.map(({ message }) => message.bytes[0]).filter((byte) => byte === 66), [])
  assert.is(b.members().find(({ name }) => name === 'a')?.state, 'alive')
})

test.run()
