/** Names the folders of API servers, and removes them with the programs that were started for them. */
import { appendFileSync, globSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isAlive } from '../lab/exit.ts'

let servers = 0

/** What the name of a new server's folder starts with: `arpk-<pid>-<n>-`. */
export function nextFolder(): string {
  servers += 1
  return `arpk-${process.pid}-${servers}-`
}

/** Remembers a program that works in the folder, so that it can be ended after a crash of ours. */
export function noteChild(folder: string, pid: number): void {
  appendFileSync(join(folder, 'pids'), `${pid}\n`)
}

/** Ends what was started for the folder, and deletes it. Synchronous: it also works at exit. */
export function removeFolder(folder: string): void {
  for (const pid of readPids(folder)) {
    if (worksIn(pid, folder)) process.kill(pid, 'SIGKILL')
  }
  // They may write on until the kernel has ended them.
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
}

/** Removes what programs that no longer run have left. */
export function sweepFolders(): void {
  for (const folder of globSync(join(tmpdir(), 'arpk-*'))) {
    const pid = Number(/arpk-(\d+)-/.exec(folder)?.[1])
    if (!isAlive(pid)) removeFolder(folder)
  }
}

function readPids(folder: string): readonly number[] {
  try {
    return readFileSync(join(folder, 'pids'), 'utf8').split('\n').filter((line) => line !== '').map(Number)
  } catch {
    return [] // none was started
  }
}

/** Whether the number still belongs to one of ours: its arguments name the folder. */
function worksIn(pid: number, folder: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`${folder}/`)
  } catch {
    return false
  }
}
