/** Notices that input files changed: inotify through the runtime, folders rather than files. */
import { type FSWatcher, watch } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Editors write in several steps: changes within this time are one. */
const settleMs = 150

export interface Watcher extends Disposable {
  /** Paths that cannot be watched, with the reason; SIGHUP reloads them. */
  readonly failures: readonly string[]
}

/**
 * Calls `onChange` after any of `paths` changed, once per burst of changes. A file is watched
 * through its folder, since editors replace files and ConfigMap mounts swap links.
 */
export async function watchPaths(
  paths: readonly string[], onChange: () => void,
): Promise<Watcher> {
  const watchers: FSWatcher[] = []
  const failures: string[] = []
  let timer: ReturnType<typeof setTimeout> | undefined
  const schedule = (): void => {
    timer ??= setTimeout(() => {
      timer = undefined
      onChange()
    }, settleMs)
  }
  for (const folder of await foldersOf(paths)) {
    try {
      const watcher = watch(folder, schedule)
      watcher.on('error', schedule)
      watchers.push(watcher)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      failures.push(`Cannot watch "${folder}": ${reason}; send SIGHUP after a change`)
    }
  }
  return {
    failures,
    [Symbol.dispose]: () => {
      clearTimeout(timer)
      for (const watcher of watchers) watcher.close()
    },
  }
}

async function foldersOf(paths: readonly string[]): Promise<ReadonlySet<string>> {
  const folders = new Set<string>()
  for (const path of paths) {
    if (path === '-') continue
    const isFolder = await stat(path).then((found) => found.isDirectory(), () => false)
    folders.add(isFolder ? path : dirname(path))
  }
  return folders
}
