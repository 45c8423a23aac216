/** When a host tells its log that options of its group differ, and that they do no more. */
import type { OptionTexts } from './model.ts'
import { compareOptions, type Difference } from './options.ts'

/** Mutable; owned by the shell, changed by `differingNews` alone. */
export interface Differing {
  /** By option, what was told of it last and has not ended. */
  readonly told: Map<string, string>
}

export function createDiffering(): Differing {
  return { told: new Map() }
}

export interface DifferingNews {
  readonly differences: readonly Difference[]
  /** All that was told has ended. */
  readonly isOver: boolean
}

/**
 * An option that differs is told once, and again when other hosts have other values. That a host comes and
 * goes is no news, and no end: what it told last counts. Nor is it news that all have the new value: that
 * comes into force with the next ledger, and is the end.
 */
export function differingNews(
  { told }: Differing, hosts: Parameters<typeof compareOptions>[0], inForce: OptionTexts | undefined,
): DifferingNews {
  const standing = new Map(compareOptions(hosts.map((host) => ({ ...host, isHeard: true })), inForce)
    .map((difference) => [difference.option, JSON.stringify(difference)]))
  const wasTold = told.size > 0
  for (const option of told.keys()) if (!standing.has(option)) told.delete(option)
  const isOver = wasTold && told.size === 0
  const differences = compareOptions(hosts, inForce).filter(({ option, values }) =>
    values.length > 1 && told.get(option) !== standing.get(option))
  for (const { option } of differences) told.set(option, standing.get(option) ?? '')
  return { differences, isOver }
}
