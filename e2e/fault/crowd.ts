/** A node with 100 of 1,000 addresses dies, or hands over 450 of them: how long, and at what cost. */
import type { Watch } from '../bench/trial.ts'
import {
  advertisement, type Fields, ingressOf, listAt, node, pool, service, slice,
} from '../kube/objects.ts'
import { until } from '../lab/command.ts'
import { countFrames, failuresOf, type Fault, type Outcome } from './fault.ts'
import { darkOf, type Instruments, openInstruments, wallMs } from './instruments.ts'
import { makeAll } from './load.ts'
import type { Frame } from './pcap.ts'
import { lasting, nodes, type Stage } from './stage.ts'
import { handedMs, restMs } from './strikes.ts'
import { judge, voicesByAddress } from './voices.ts'

const few = Array.from({ length: 100 }, (_, i) => `192.168.1.${60 + i}`)
const six = Array.from({ length: 350 }, (_, i) => `2001:db8:1::2:${(i + 1).toString(16)}`)
const many = Array.from({ length: 550 }, (_, i) => `2001:db8:1::1:${(i + 1).toString(16)}`)
const total = few.length + six.length + many.length
const victim = 'a'
const others = nodes.filter((name) => name !== victim)
/** Design §9: all of them. */
const allWithinMs = 2_000
const makingCapMs = 240_000
const capMs = 15_000
/** Of processes: the least niceness. */
const foremost = -20
/** Asking for status costs what is measured. */
const lookMs = 1_000

/** What a fault of many addresses is. */
export interface Mass extends Omit<Fault, 'strike'> {
  /** What the victim has. */
  readonly addresses: readonly string[]
  /** Asked for in one turn of a millisecond. */
  readonly together: number
  readonly called: readonly string[]
  readonly signal: 'SIGKILL' | 'SIGTERM'
  readonly withinMs: number
}

export const crowd: Mass = {
  name: 'crowd', peer: '',
  about: `SIGKILL of a node with ${few.length} of ${total + 2} addresses; ` +
    'mute = until the last of them is announced',
  bounds: { moves: [1, 1], overlapMs: 0 },
  addresses: few, together: 1, called: few.slice(0, 1), signal: 'SIGKILL', withinMs: allWithinMs,
}

export const exodus: Mass = {
  name: 'exodus', peer: '',
  about: `graceful stop of a node with ${few.length + six.length} of ${total + 2} addresses, ` +
    'in as many units',
  bounds: { moves: [1, 1], overlapMs: handedMs, isSeamless: true },
  addresses: [...few, ...six], together: 3, called: few, signal: 'SIGTERM', withinMs: capMs,
}

export interface Trials extends AsyncDisposable {
  /** One of them. */
  strike(watch: Watch): Promise<Outcome>
}

/** A stage with 1,000 Services more. */
export interface Crowd {
  /** Starts to measure one fault. */
  watch(fault: Mass): Promise<Trials>
}

/** Puts 1,000 Services on a stage while no speaker runs: what is slow is not what is measured. */
export async function openCrowd(stage: Stage): Promise<Crowd> {
  const { rig } = stage
  await Promise.all(nodes.map((name) => stage.stop(name)))
  await rig.apply(
    ...nodes.map((name) => node(name, { 'kubernetes.io/hostname': name })),
    ...[['few', few], ['six', six], ['many', many]].map(([name, addresses]) =>
      pool(String(name), [`${addresses?.[0]}-${addresses?.at(-1)}`], { autoAssign: false })),
    ...['few', 'six', 'many'].map((name) => advertise(name, others)),
  )
  const madeFromMs = wallMs()
  const endpoints = nodes.map((name) => ({ node: name }))
  await makeAll(rig, [...few, ...six, ...many].flatMap((address, i) => [
    service(`crowd-${i}`, { ipFamilies: [address.includes(':') ? 'IPv6' : 'IPv4'] }, {
      'metallb.io/loadBalancerIPs': address,
    }),
    slice(`crowd-${i}`, endpoints),
  ]))
  await until('all have their addresses', async () => {
    const list = await rig.read('/api/v1/namespaces/default/services')
    const given = listAt(list, 'items').filter((item) => ingressOf(item).length > 0)
    await lasting(lookMs)
    return given.length > total
  }, makingCapMs)
  console.log(`${total} Services with addresses made in ${secondsSince(madeFromMs)} s`)
  return {
    watch: async (fault) => {
      const { addresses, together, called } = fault
      const turns = Array.from({ length: Math.ceil(addresses.length / together) }, (_, i) =>
        addresses.slice(i * together, (i + 1) * together))
      const instruments = await openInstruments({
        lab: rig.lab, turns, called, askEveryMs: 1, capture: stage.instruments,
      })
      return {
        strike: async (watch) => {
          await gather(stage, fault)
          // Speakers that are busy at their raised priority are no reason to call a trial void.
          watch.begin(foremost)
          return strike(stage, { fault, instruments, watch })
        },
        [Symbol.asyncDispose]: () => instruments[Symbol.asyncDispose](),
      }
    },
  }
}

function secondsSince(instantMs: number): string {
  return ((wallMs() - instantMs) / 1_000).toFixed(0)
}

function advertise(pool: string, on: readonly string[]): Fields {
  return advertisement(pool, {
    ipAddressPools: [pool],
    nodeSelectors: on.map((name) => ({ matchLabels: { 'kubernetes.io/hostname': name } })),
  })
}

/**
 * The victim has all it shall have, and the others may take them over. It gets them by hand-over from
 * others that may not announce them any more: what is placed at a start may move for a minute.
 */
async function gather(stage: Stage, { addresses }: Mass): Promise<void> {
  const { rig } = stage
  const hasSix = addresses.length > few.length
  const sinceMs = wallMs()
  for (const name of nodes) if (!stage.speakers.has(name)) stage.start(name)
  await untilOwned(stage, () => true)
  await calm(stage)
  await rig.apply(advertise('few', [victim]), advertise('six', hasSix ? [victim] : others))
  await untilOwned(stage, (own) => addresses.every((address) => own.has(address)))
  await rig.apply(advertise('few', nodes), advertise('six', hasSix ? nodes : others))
  const gatheredS = secondsSince(sinceMs)
  await calm(stage)
  await untilOwned(stage, (own) => addresses.every((address) => own.has(address)))
  console.log(`gathered in ${gatheredS} s, calm after ${secondsSince(sinceMs)} s`)
}

/** All units have an owner, and the addresses that the victim answers for are as wanted. */
async function untilOwned(
  stage: Stage, isWanted: (own: ReadonlySet<string>) => boolean,
): Promise<void> {
  let mine = 0
  const isOwned = async (): Promise<boolean> => {
    await lasting(lookMs)
    const { alive, units } = await stage.seen(victim)
    const own = new Set(units.flatMap((unit) => unit.isOurs && !unit.isQuiet ? unit.addresses : []))
    mine = own.size
    return alive === nodes.length && units.length > total &&
      units.every(({ owner }) => owner !== '') && isWanted(own)
  }
  await until('the victim owns all it shall', () => isOwned().catch(() => false), makingCapMs)
    .catch(() => { throw new Error(`The victim owns ${mine} addresses, which is not what it shall`) })
}

const calmMs = 5_000
const unrest = /became leader|gave up address|not answered for the time being|withdrawing/

/** Settles when no speaker has started or stopped announcing anything for a while. */
async function calm({ speakers }: Stage): Promise<void> {
  const isRestless = (from: ReadonlyMap<string, number>): boolean => [...speakers].some(([name, { child }]) =>
    child.lines.slice(from.get(name)).some((line) => unrest.test(line)))
  await until('nothing moves any more', async () => {
    const from = new Map([...speakers].map(([name, { child }]) => [name, child.lines.length]))
    await lasting(calmMs)
    return !isRestless(from)
  }, makingCapMs)
}

interface Trial {
  readonly fault: Mass
  readonly instruments: Instruments
  readonly watch: Watch
}

async function strike(stage: Stage, { fault, instruments, watch }: Trial): Promise<Outcome> {
  const { addresses } = fault
  const fromMs = wallMs()
  await lasting(restMs)
  const struckMs = wallMs()
  const stopping = stage.stop(victim, fault.signal)
  const firsts = (): readonly number[] => {
    const voices = voicesByAddress(instruments.frames(struckMs, wallMs()))
    return addresses.flatMap((address) => {
      const first = voices.get(address)?.find(({ mac }) => stage.nodeOf(mac) !== victim)
      return first === undefined ? [] : [first.atMs - struckMs]
    })
  }
  await until('all are announced again', async () => {
    await lasting(restMs / 10)
    return firsts().length === addresses.length
  }, capMs).catch(() => {})
  await stopping
  await lasting(restMs)
  const toMs = wallMs()
  watch.end()
  await lasting(restMs)
  const lastMs = Math.max(...firsts())
  console.log(`    the last of ${firsts().length} spoke ${lastMs.toFixed(0)} ms after the strike`)
  return judgeAll(stage, { fault, instruments }, { fromMs, toMs, lastMs })
}

/** Each is asked for every 100 to 250 ms. */
const rarePauseMs = 1_000

interface Window {
  readonly fromMs: number
  readonly toMs: number
  readonly lastMs: number
}

function judgeAll(
  stage: Stage, { fault, instruments }: Omit<Trial, 'watch'>, { fromMs, toMs, lastMs }: Window,
): Outcome {
  const frames: readonly Frame[] = instruments.frames(fromMs, toMs)
  const voices = voicesByAddress(frames)
  const verdicts = fault.addresses.map((address) => ({
    address, ...judge(voices.get(address) ?? [], fromMs, toMs, rarePauseMs),
  }))
  const muteOf = (isSix: boolean): number => Math.max(0, ...verdicts
    .filter(({ address }) => address.includes(':') === isSix).map(({ muteMs }) => muteMs))
  const calls = instruments.calls(fromMs, toMs)
  const { failures, failed } = failuresOf(calls, fromMs)
  const overlapMs = Math.max(...verdicts.map((verdict) => verdict.overlapMs))
  const moves = verdicts.map((verdict) => verdict.moves)
  const astray = verdicts.filter((verdict) => verdict.moves !== 1)
  const { bounds: { isSeamless = false, overlapMs: boundMs }, withinMs, addresses } = fault
  return {
    darkMs: darkOf(calls, toMs), failures, failed,
    muteMs: fault.signal === 'SIGKILL' ? lastMs : muteOf(false),
    mute6Ms: addresses.length > few.length ? muteOf(true) : undefined,
    overlapMs, moves: Math.max(...moves),
    owners: [...new Set(verdicts.flatMap(({ owners }) => owners.map((mac) => stage.nodeOf(mac))))],
    gapsMs: verdicts.flatMap(({ gapsMs }) => gapsMs),
    frames: countFrames(frames, (name) => nodes.some((one) => one === name), stage),
    broken: [
      ...lastMs > withinMs ? [`the last after ${lastMs.toFixed(0)} ms`] : [],
      ...astray.length === 0 ? [] : [`${astray.length} not moved once, as ${astray[0]?.address}: ` +
        `${astray[0]?.owners.map((mac) => stage.nodeOf(mac)).join(' > ')}`],
      ...overlapMs > boundMs ? [`overlap ${overlapMs.toFixed(1)} ms`] : [],
      ...isSeamless && failures > 0 ? [`${failures} connections failed, first after ${failed[0]}`] : [],
    ],
  }
}
