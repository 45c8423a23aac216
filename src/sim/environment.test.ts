/** What random histories live in: each setting is drawn, and does what it says, no more. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { drawEnvironment } from './environment.ts'
import { createProduction } from './production.ts'
import { pass, startSimulation } from './simulation.ts'
import { drawOptions } from './swarm.ts'

const limits = { nodes: { from: 3, to: 20 } }
const drawn = Array.from({ length: 4_000 }, (_, i) => drawOptions(i + 1, limits))
  .map((before) => ({ before, environment: drawEnvironment(before) }))

/** Names of the options that the setting has changed. */
function changed(setting: string): readonly string[] {
  const names = drawn.filter(({ environment }) => environment.setting === setting)
    .flatMap(({ before, environment: { options } }) => {
      const was = new Map<string, unknown>(Object.entries(before))
      return Object.entries(options).filter(([name, value]) => value !== was.get(name)).map(([name]) => name)
    })
  return [...new Set(names)]
}

test('three of 100 seeds have each setting, and it changes nothing else', () => {
  const changes = {
    calm: [], peers: ['strangers'], fabric: ['isSuppressing'], foreign: ['clients'], slow: ['costs'],
    stalls: [],
  }
  for (const [setting, names] of Object.entries(changes)) {
    const part = drawn.filter(({ environment }) => environment.setting === setting).length / drawn.length
    assert.ok(part > 0.02 && part < 0.04, `${setting}: ${part}`)
    assert.equal(changed(setting), names)
  }
  assert.equal(changed('plain'), [])
})

test('MetalLB speakers are less than half, and somebody is there to take an address', () => {
  for (const { environment: { setting, options: { nodes, strangers, clients } } } of drawn) {
    if (setting === 'peers') assert.ok(strangers >= 1 && 2 * strangers < nodes, `${strangers} of ${nodes}`)
    if (setting === 'foreign') assert.ok(clients >= 1)
  }
})

/** What it does to a cluster in the 20 s after its start, by the first word. */
function deedsOf(setting: string): readonly string[] {
  const found = drawn.find(({ environment }) => environment.setting === setting)
  if (found === undefined) throw new RangeError(`No seed is ${setting}`)
  const { environment } = found
  const cluster = startSimulation(environment.options, {
    createBrain: createProduction(), isTold: false, spreadMs: 600,
  })
  pass(cluster, 6_000)
  environment.begin(cluster)
  pass(cluster, 20_000)
  return [...new Set(cluster.record.deeds.map(({ kind }) => kind.split(' ')[0] ?? ''))]
}

test('loops stand still, and a host takes an address', () => {
  assert.equal(deedsOf('stalls'), ['freeze'])
  assert.ok(deedsOf('foreign').includes('foreign'))
  assert.equal(deedsOf('slow'), [])
})

test.run()
