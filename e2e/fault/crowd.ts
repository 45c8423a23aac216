/** A node with 100 of 1,000 addresses dies: how long until the last of them is announced again. */
import type { Watch } from '../bench/trial.ts'
import { advertisement, type Fields, node, pool, service, slice } from '../kube/objects.ts'
import { until } from '../lab/command.ts'
import type { Fault, Outcome } from './fault.ts'
import { askerAddress, darkOf, type Instruments, openInstruments, wallMs } from './instruments.ts'
import { lasting, nodes, type Stage } from './stage.ts'
import { judge, voicesOf } from './voices.ts'

const few = Array.from({ length: 100 }, (_, i) => `192.168.1.${101 + i}`)
const many = 900
const victim = 'a'
/** Design §9: all of them. */
const allWithinMs = 2_000
const makingCapMs = 600_000
const chunk = 100
/** Each of 100 addresses is asked for every 100 ms. */
const askEveryMs = 1
const capMs = 15_000
const restMs = 1_500

export const crowd: Omit<Fault, 'strike'> = {
  name: 'crowd', peer: '',
  about: 'SIGKILL of a node with 100 of 1,001 addresses; mute = until the last of them is announced',
  bounds: { moves: [1, 1], overlapMs: 0 },
}

export interface Crowd extends AsyncDisposable {
  /** One trial. */
  strike(watch: Watch): Promise<Outcome>
}

/** Puts 1,000 Services on a stage: 900 that the victim may not announce, 100 that it does. */
export async function openCrowd(stage: Stage): Promise<Crowd> {
  const { rig } = stage
  await rig.apply(
    ...nodes.map((name) => node(name, { 'kubernetes.io/hostname': name })),
    pool('few', [`${few[0]}-${few.at(-1)}`], { autoAssign: false }),
    pool('many', ['2001:db8:1::1:0/112'], { autoAssign: false }),
    advertisement('many', {
      ipAddressPools: ['many'], nodeSelectors: selectors(nodes.filter((name) => name !== victim)),
    }),
    advertisement('few', { ipAddressPools: ['few'], nodeSelectors: selectors([victim]) }),
  )
  const endpoints = nodes.map((name) => ({ node: name }))
  const inPool = (name: string, pool: string, spec: Fields): readonly Fields[] =>
    [service(name, spec, { 'metallb.io/address-pool': pool }), slice(name, endpoints)]
  const objects = [
    ...few.flatMap((_, i) => inPool(`few-${i}`, 'few', {})),
    ...Array.from({ length: many }, (_, i) => inPool(`many-${i}`, 'many', { ipFamilies: ['IPv6'] })).flat(),
  ]
  const madeFromMs = wallMs()
  for (let i = 0; i < objects.length; i += chunk) {
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects.slice(i, i + chunk) })
    await rig.server.kubectlOk(['create', '-f', '-'], { stdin: list, capMs: makingCapMs })
  }
  const madeS = (wallMs() - madeFromMs) / 1_000
  console.log(`crowd: ${few.length + many} Services made in ${madeS.toFixed(0)} s`)
  const instruments = await openInstruments({
    lab: rig.lab, addresses: few, called: few[0] ?? '', askEveryMs,
  })
  return {
    strike: async (watch) => {
      await gather(stage)
      watch.begin()
      const outcome = await strike(stage, instruments, watch)
      return outcome
    },
    [Symbol.asyncDispose]: () => instruments[Symbol.asyncDispose](),
  }
}

function selectors(names: readonly string[]): readonly Fields[] {
  return names.map((name) => ({ matchLabels: { 'kubernetes.io/hostname': name } }))
}

/** The victim has all of the few, and the others may take them over. */
async function gather(stage: Stage): Promise<void> {
  const { rig } = stage
  await rig.apply(advertisement('few', { ipAddressPools: ['few'], nodeSelectors: selectors([victim]) }))
  const owns = async (count: number): Promise<boolean> => {
    const { units } = await stage.seen(victim)
    const mine = units.filter(({ isOurs, addresses }) => isOurs && few.includes(addresses[0] ?? ''))
    await lasting(restMs / 3)
    return units.length > many + few.length && mine.length === count
  }
  if (!stage.speakers.has(victim)) stage.start(victim)
  const sinceMs = wallMs()
  await until('the victim owns the few', () => owns(few.length).catch(() => false), makingCapMs)
  console.log(`crowd: gathered in ${((wallMs() - sinceMs) / 1_000).toFixed(0)} s`)
  await rig.apply(advertisement('few', { ipAddressPools: ['few'], nodeSelectors: selectors(nodes) }))
  await stage.steady()
  await lasting(restMs)
}

async function strike(stage: Stage, instruments: Instruments, watch: Watch): Promise<Outcome> {
  const fromMs = wallMs()
  await lasting(restMs)
  const struckMs = wallMs()
  await stage.stop(victim, 'SIGKILL')
  const firsts = (): readonly number[] => {
    const frames = instruments.frames(struckMs, wallMs())
    return few.flatMap((address) => {
      const first = voicesOf(frames, address).find(({ mac }) => stage.nodeOf(mac) !== victim)
      return first === undefined ? [] : [first.atMs - struckMs]
    })
  }
  await until('all are announced again', () => firsts().length === few.length, capMs)
  await lasting(restMs)
  const toMs = wallMs()
  watch.end()
  const frames = instruments.frames(fromMs, toMs)
  const verdicts = few.map((address) => judge(voicesOf(frames, address), fromMs, toMs))
  await lasting(restMs)
  const calls = instruments.calls(fromMs, toMs)
  const muteMs = Math.max(...firsts())
  const moves = Math.max(...verdicts.map((verdict) => verdict.moves))
  const overlapMs = Math.max(...verdicts.map((verdict) => verdict.overlapMs))
  const names = new Set(verdicts.flatMap(({ owners }) => owners.map((mac) => stage.nodeOf(mac))))
  return {
    darkMs: darkOf(calls, toMs), failures: calls.filter(({ tookMs }) => tookMs < 0).length,
    muteMs, overlapMs, moves, owners: [...names], gapsMs: verdicts.flatMap(({ gapsMs }) => gapsMs),
    frames: frames.filter(({ source, isReply, target }) =>
      names.has(stage.nodeOf(source)) && !(isReply && target === askerAddress)).length,
    broken: [
      ...muteMs > allWithinMs ? [`the last after ${muteMs.toFixed(0)} ms`] : [],
      ...moves === 1 ? [] : [`${moves} moves of one address`],
      ...overlapMs > 0 ? [`overlap ${overlapMs.toFixed(1)} ms`] : [],
    ],
  }
}
