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
 * parent, since it may be replaced as a whole. What is not there is waited for in the nearest
 * folder above it.
 */
export async function watchPaths(
  paths: readonly string[], onChange: () => void,
): Promise<Watcher> {
  let watchers: readonly FSWatcher[] = []
  let failures: readonly string[] = []
  let timer: ReturnType<typeof setTimeout> | undefined
  let firstMs: Millis | undefined
  let isClosed = false
  const schedule = (): void => {
    if (isClosed) return
    const now = performance.now()
    firstMs ??= now
    clearTimeout(timer)
    timer = setTimeout(() => {
      firstMs = undefined
      onChange()
    }, Math.min(quietMs, Math.max(0, firstMs + patienceMs - now)))
  }
  const open = async (): Promise<void> => {
    let places = await placesOf(paths)
    while (!isClosed) {
      for (const watcher of watchers) watcher.close()
      const opened = places.map((place) => openWatch(place, schedule, () => void open().then(schedule)))
      watchers = opened.filter((one) => typeof one !== 'string')
      failures = opened.filter((one) => typeof one === 'string')
      // What came or went before the watch was open told nobody.
      const now = await placesOf(paths)
      if (JSON.stringify(now) === JSON.stringify(places)) return
      places = now
    }
  }
  await open()
  return {
    get failures() {
      return failures
    },
    [Symbol.dispose]: () => {
      isClosed = true
      clearTimeout(timer)
      for (const watcher of watchers) watcher.close()
    },
  }
}

/** A folder, and what a change in it means: input differs, or other folders are to be watched. */
interface Place {
  readonly folder: string
  /** 'all' = input may differ whatever the name; 'any' = whatever the name, look where to watch. */
  readonly entry: 'all' | 'any' | { readonly name: string }
}

function openWatch(
  { folder, entry }: Place, changed: () => void, replaced: () => void,
): FSWatcher | string {
  try {
    const watcher = watch(folder, (_, name) => {
      if (entry === 'all') return changed()
      if (entry === 'any' || name === entry.name) replaced()
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
    const folder = await isFolder(path) ? path : dirname(path)
    if (await isThere(path)) {
      places.push({ folder, entry: 'all' })
      places.push({ folder: dirname(folder), entry: { name: basename(folder) } })
    } else {
      places.push({ folder: await nearestFolder(folder), entry: 'any' })
    }
  }
  return places
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(() => true, () => false)
}

function isFolder(path: string): Promise<boolean> {
  return stat(path).then((found) => found.isDirectory(), () => false)
}

async function nearestFolder(path: string): Promise<string> {
  let folder = path
  while (!await isFolder(folder) && dirname(folder) !== folder) folder = dirname(folder)
  return folder
}
