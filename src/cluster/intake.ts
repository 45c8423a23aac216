/** The configuration in force: the last one without problems, whatever the cluster says now. */
import { describeError } from '../cli/input.ts'
import { isFields, isSameValue, type Fields } from '../config/fields.ts'
import { type LiveReading, readLiveConfig } from '../config/live.ts'
import type { Config, Problem } from '../config/model.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'

export interface Intake {
  /**
   * Takes the objects of the cluster as they are now; true if the configuration in force is
   * another afterwards. `lastGood` is used where nothing good was ever read.
   */
  take(objects: readonly Fields[], lastGood: string | undefined): boolean
  /** undefined = nothing good was ever read. */
  readonly config: Config | undefined
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
  readonly loadedAt: Date | undefined
  /** The configuration in force as text that `take` accepts as `lastGood`; undefined = restored. */
  readonly good: string | undefined
}

export interface IntakeOptions {
  readonly namespace: string
  readonly log: Log
  readonly metrics: Metrics
  readonly wall: () => Date
}

/** Problems that one reading writes to the log; status has all. */
const maxLogged = 20
/** Raised when the meaning of the text changes. */
const goodVersion = 1

export function createIntake(options: IntakeOptions): Intake {
  const { namespace, log, metrics, wall } = options
  let taken: readonly Fields[] | undefined
  let reading: LiveReading | undefined
  let config: Config | undefined
  let loadedAt: Date | undefined
  let good: string | undefined

  const restore = (text: string): boolean => {
    const objects = parseGood(text)
    if (objects === undefined) return false
    const old = readLiveConfig(objects, namespace)
    if (old.problems.length > 0) return false
    config = old.config
    loadedAt = wall()
    log.warn('last good configuration restored', { event: 'configRestored' })
    return true
  }
  const report = (now: LiveReading): void => {
    const isStale = now.problems.length > 0
    metrics.countUpdate(isStale)
    metrics.setConfig({ isLoaded: config !== undefined, isStale })
    for (const problem of now.problems.slice(0, maxLogged)) {
      log.error('failed to parse the configuration', { ...problem })
    }
    for (const warning of isStale ? [] : now.warnings.slice(0, maxLogged)) {
      log.warn('configuration warning', { ...warning })
    }
    if (config === undefined) {
      log.error('configuration is missing, MetalLB will not function', { event: 'noConfig' })
    }
  }
  return {
    take: (objects, lastGood) => {
      if (taken !== undefined && isSameValue(taken, objects)) return false
      taken = objects
      const wasBad = (reading?.problems.length ?? 0) > 0
      reading = read(objects, namespace)
      const isGood = reading.problems.length === 0
      let isNew = isGood
      if (isGood) {
        if (wasBad) log.info('configuration is good again', { event: 'configAccepted' })
        config = reading.config
        loadedAt = wall()
        good = JSON.stringify({ version: goodVersion, objects })
      } else if (config === undefined && lastGood !== undefined) {
        isNew = restore(lastGood)
      }
      report(reading)
      return isNew
    },
    get config() {
      return config
    },
    get problems() {
      return reading?.problems ?? []
    },
    get warnings() {
      return reading?.warnings ?? []
    },
    get loadedAt() {
      return loadedAt
    },
    get good() {
      return good
    },
  }
}

/** A bug in a reader must not take the program down with one object. */
function read(objects: readonly Fields[], namespace: string): LiveReading {
  try {
    return readLiveConfig(objects, namespace)
  } catch (error) {
    const problem: Problem = {
      file: 'cluster', document: 1, object: '', path: '', reason: 'Unreadable',
      message: `The configuration cannot be read: ${describeError(error)}`,
    }
    const config = { pools: [], advertisements: [], bgpOnlyPools: new Set<string>() }
    return { config, problems: [problem], warnings: [] }
  }
}

function parseGood(text: string): readonly Fields[] | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (!isFields(value) || value['version'] !== goodVersion) return undefined
    const { objects } = value
    return Array.isArray(objects) && objects.every(isFields) ? objects : undefined
  } catch {
    return undefined
  }
}
