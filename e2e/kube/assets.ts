/** Finds the programs of Kubernetes for tests, which hack/kube-assets builds where it must. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../lab/command.ts'

/** Building Kubernetes once may be what is waited for. */
const buildCapMs = 220_000

/** The folder, or why there is none. */
export type Assets = { readonly folder: string } | { readonly lack: string }

/** A folder that holds all of `programs`. */
export async function findAssets(programs: readonly string[]): Promise<Assets> {
  const found = await askScript('kube-assets', [], buildCapMs)
  if ('lack' in found) return found
  const { folder } = found
  const missing = programs.map((name) => join(folder, name)).find((path) => !existsSync(path))
  return missing === undefined ? { folder } : { lack: `${missing} is not there` }
}

/** The folder that a script of hack/ prints, which builds what is not there, or why there is none. */
export async function askScript(name: string, args: readonly string[], capMs: number): Promise<Assets> {
  const program = join(import.meta.dirname, '../../hack', name)
  const { code, stdout, stderr } = await run([program, ...args], { capMs })
  return code === 0 ? { folder: stdout.trim() } : { lack: stderr.trim().split('\n').at(-1) ?? '' }
}

/** uvu's `test`, as far as it is used here. */
export interface Test {
  (name: string, body: () => void | Promise<void>): unknown
  skip(name: string): unknown
}

/** Makes tests with `test`; where something they need is lacking, ones that are skipped and say so. */
export function testUnless(
  lack: string | undefined, test: Test,
): (name: string, body: () => void | Promise<void>) => void {
  return (name, body) => {
    if (lack === undefined) return void test(name, body)
    console.log(`skipped ${name}: ${lack}`)
    test.skip(name)
  }
}
