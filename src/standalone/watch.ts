/** Notices that input files changed: inotify through the runtime, folders rather than files. */
import { type FSWatcher, watch } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import type { Millis } from '../net/model.ts'

/** Editors write in several steps: changes closer together than this are one. */
const quietMs: Millis = 150
/** A file that never rests is read all the same. */
const patienceMs: Millis = 1_000

export interface Watcher extends Disposable {
  /** Paths that cannot be watched, with the reason; SIGHUP reloads them. */
  readonly failures: readonly string[]
}

/**
 * Calls `onChange` once after each burst of changes to `paths`. A file is watched through its
 * folder, since editors replace files and ConfigMap mounts swap links; a folder also through its
 * parent, since it may be replaced as a whole.
 */
export async function watchPaths(
  paths: readonly string[], onChange: () => void,
): Promise<Watcher> {
  let watchers: readonly FSWatcher[] = []
  let failures: readonly string[] = []
  let timer: ReturnType<typeof setTimeout> | undefined
  let firstMs: Millis | undefined
  const schedule = (): void => {
    const now = performance.now()
    firstMs ??= now
    clearTimeout(timer)
    timer = setTimeout(() => {
      firstMs = undefined
      onChange()
    }, Math.min(quietMs, Math.max(0, firstMs + patienceMs - now)))
  }
  const open = async (): Promise<void> => {
    const places = await placesOf(paths)
    for (const watcher of watchers) watcher.close()
    const opened = places.map((place) => openWatch(place, schedule, () => void open().then(schedule)))
    watchers = opened.filter((one) => typeof one !== 'string')
    failures = opened.filter((one) => typeof one === 'string')
  }
  await open()
  return {
    get failures() {
      return failures
    },
    [Symbol.dispose]: () => {
      clearTimeout(timer)
      for (const watcher of watchers) watcher.close()
    },
  }
}

/** A folder, and the names in it that are input; undefined = all are. */
interface Place {
  readonly folder: string
  readonly entry: string | undefined
}

function openWatch(
  { folder, entry }: Place, changed: () => void, replaced: () => void,
): FSWatcher | string {
  try {
    const watcher = watch(folder, (_, name) => {
      if (entry === undefined) return changed()
      if (name === entry) replaced()
    })
    watcher.on('error', replaced)
    return watcher
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return `Cannot watch "${folder}": ${reason}; send SIGHUP after a change`
  }
}

async function placesOf(paths: readonly string[]): Promise<readonly Place[]> {
  const places: Place[] = []
  for (const path of paths.map((each) => resolve(each))) {
    const isFolder = await stat(path).then((found) => found.isDirectory(), () => false)
    if (isFolder) {
      places.push({ folder: path, entry: undefined })
      places.push({ folder: dirname(path), entry: basename(path) })
    } else {
      places.push({ folder: dirname(path), entry: undefined })
    }
  }
  return places
}
