/** Reads the configuration that lives in a cluster: objects that the API server has accepted. */
import type { Fields, Findings } from './fields.ts'
import type { Config, Problem } from './model.ts'
import { readObjects } from './object.ts'
import { readConfig, sortByRole } from './read.ts'

/** What `file` says of findings in live objects. */
export const liveFile = 'cluster'

export interface LiveReading {
  /** What could be read; to be used only where there are no problems. */
  readonly config: Config
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
}

/**
 * Pools, advertisements, legacy ConfigMap and Namespaces as the API server holds them. Unknown
 * fields are warnings: the server prunes them, so they cannot do what they seem to say. So is what
 * MetalLB's definitions let in and ours do not, where it can be read: repeated interfaces, long lists.
 */
export function readLiveConfig(values: readonly Fields[], namespace: string): LiveReading {
  const findings: Findings = { problems: [], warnings: [] }
  const objects = values.flatMap((value) =>
    readObjects(findings, liveFile, { document: 1, value }).objects
  )
  const config = readConfig(sortByRole(objects, namespace), [])
  const isHarmless = ({ reason, path }: Problem): boolean =>
    reason === 'UnknownField' || reason === 'TooLarge' ||
    (reason === 'DuplicateEntry' && path.startsWith('spec.interfaces['))
  return {
    config,
    problems: findings.problems.filter((problem) => !isHarmless(problem)),
    warnings: [...findings.warnings, ...findings.problems.filter(isHarmless)],
  }
}
