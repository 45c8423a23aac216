/** Names the lab's network namespaces, and removes them with everything that runs inside. */
import { spawnSync } from 'node:child_process'
import { globSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isAlive } from './exit.ts'

let labs = 0

/** What the names of a new lab's namespaces and of its folder start with: `arpl-<pid>-<n>-`. */
export function nextPrefix(): string {
  labs += 1
  return `arpl-${process.pid}-${labs}-`
}

/** Namespaces whose names start with `prefix`. */
export function findNamespaces(prefix: string): readonly string[] {
  try {
    return readdirSync('/run/netns').filter((name) => name.startsWith(prefix))
  } catch {
    return [] // the folder appears with the first namespace
  }
}

/**
 * Ends what runs in a lab's namespaces, deletes these and the lab's folder. Synchronous, so that
 * it also works while this program exits.
 */
export function removeLab(prefix: string): void {
  for (const name of findNamespaces(prefix)) {
    emptyNamespace(name)
    spawnSync('ip', ['netns', 'delete', name])
  }
  for (const folder of globSync(join(tmpdir(), `${prefix}*`))) {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Removes what labs of programs that no longer run have left. */
export function sweepLabs(): void {
  const folders = globSync(join(tmpdir(), 'arpl-*'), { withFileTypes: true })
  const names = [...findNamespaces('arpl-'), ...folders.map(({ name }) => name)]
  const prefixes = new Set(names.flatMap((name) => /^arpl-\d+-/.exec(name)?.[0] ?? []))
  for (const prefix of prefixes) {
    if (!isAlive(Number(prefix.split('-')[1]))) removeLab(prefix)
  }
}

/** Kills by process id, until the kernel says that the namespace is empty. */
function emptyNamespace(name: string): void {
  for (let round = 0; round < 100; round += 1) {
    const { stdout } = spawnSync('ip', ['netns', 'pids', name], { encoding: 'utf8' })
    const pids = (stdout ?? '').split('\n').filter((line) => line !== '').map(Number)
    if (pids.length === 0) return
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It has just ended by itself.
      }
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
  }
}
