/** Random histories of one Service: what the server took is told, once, and nothing else. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { config, pool } from '../config/builders.ts'
import { createDice, type Dice } from '../config/dice.ts'
import { type Fate, openWorld, type World } from './news-stage.ts'

const first = Number(process.env['SEED'] ?? 1)
const seeds = Number(process.env['SEEDS'] ?? (process.env['SEED'] === undefined ? 500 : 1))

const lan = pool('lan', '192.0.2.0/29')
const other = pool('other', '198.51.100.1/32')
const pools = [config(lan), config(lan, other), config(other), config()] as const
const requests = ['', '192.0.2.1', '192.0.2.2', '198.51.100.1'] as const
const fates: readonly Fate[] = ['answered', 'answered', 'taken', 'late', 'cut', 'conflict', 'invalid']

/** What there is to tell of statuses: each that differs from the one before. */
function changesIn(statuses: readonly string[]): readonly string[] {
  return ['', ...statuses].flatMap((before, i, all) => {
    const now = all[i + 1] ?? before
    if (now === before) return []
    return [...before === '' ? [] : [`-${before}`], ...now === '' ? [] : [`+${now}`]]
  })
}

/** One step of a history; the words of it. */
function step(world: World, random: Dice, life: { leads: boolean }): string {
  const chance = random(100)
  if (chance < 20) {
    const address = requests[random(requests.length)] ?? ''
    world.ask(address)
    return `ask ${address}`
  }
  if (chance < 50) {
    const i = [0, 0, 0, 1, 2, 3][random(6)] ?? 0
    if (life.leads) world.turn(pools[i])
    return `turn ${i}`
  }
  if (chance < 75) {
    if (random(4) === 0) {
      const comes = random(3) > 0
      world.answer(comes)
      world.told()
      return `answer ${comes}`
    }
    const fate = fates[random(fates.length)] ?? 'answered'
    world.send(fate)
    world.told()
    return `send ${fate}`
  }
  if (chance < 94) {
    world.show()
    return 'show'
  }
  life.leads = !life.leads
  // Services are listed again before a term begins.
  if (life.leads) world.show()
  world.lead(life.leads)
  return `lead ${life.leads}`
}

/** Everything works, until nothing is left to do. */
function heal(world: World, { leads }: { readonly leads: boolean }): void {
  world.answer(true)
  world.show()
  if (!leads) world.lead(true)
  for (let i = 0; i < 6; i += 1) {
    world.show()
    world.turn(pools[0])
    world.send('answered')
    world.told()
  }
}

test(`${seeds} histories from seed ${first} on`, () => {
  for (let seed = first; seed < first + seeds; seed += 1) {
    const random = createDice(seed)
    const world = openWorld()
    const life = { leads: true }
    const steps = Array.from({ length: 30 }, () => step(world, random, life))
    heal(world, life)
    const told = world.told().filter((words) => /^[+-]/.test(words))
    const want = changesIn(world.statuses)
    assert.equal(told.toSorted(), want.toSorted(), `SEED=${seed}: ${steps.join('; ')}`)
  }
})

test('most histories have something to tell', () => {
  const lengths = Array.from({ length: 50 }, (_, i) => {
    const world = openWorld()
    const life = { leads: true }
    const random = createDice(i)
    for (let n = 0; n < 30; n += 1) step(world, random, life)
    return world.statuses.length
  })
  assert.ok(lengths.filter((length) => length >= 2).length >= 10, lengths.join())
})

test.run()
