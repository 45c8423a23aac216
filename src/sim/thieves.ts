/** Named histories of machines that take an address of ours without a word: its owner finds them. */
import { takeAddress } from './faults.ts'
import { notesOf, type Scenario, type Stage } from './scenario.ts'

/** The way of a question and of its answer, and a turn of a loop. */
const turnMs = 10

/** Its owner has asked for all that it has by then: a second for each. */
function late({ cluster: { record } }: Stage, units: number): readonly string[] {
  const theft = record.deeds.find(({ kind }) => kind.startsWith('foreign host takes'))
  const found = record.notes.find(({ atMs, note }) => note.kind === 'silenced' && atMs > (theft?.atMs ?? 0))
  const lastedMs = (found?.atMs ?? Infinity) - (theft?.atMs ?? 0)
  return lastedMs <= 1_000 * units + turnMs ? [] : [`both answered for ${lastedMs} ms`]
}

export const thieves: readonly Scenario[] = [1, 6].map((units): Scenario => ({
  it: `a host takes one of ${units} addresses and announces nothing: it is found, and nothing moves`,
  options: { nodes: 3, units },
  seeds: 8,
  // The first announcements are over.
  warmUpMs: 12_000,
  story: ({ cluster, unit, pass }) => {
    const [client] = cluster.clients
    if (client === undefined) return
    const end = takeAddress(cluster, client, unit(), true)
    pass(1_000 * units + 3_000)
    end()
    pass(75_000)
  },
  most: { moves: 0 },
  also: (stage) => [
    ...late(stage, units),
    ...(notesOf(stage, 'inConflict').length > 0 ? [] : ['nobody reported the conflict']),
    ...(notesOf(stage, 'conflictEnded').length > 0 ? [] : ['the conflict did not end']),
  ],
}))
