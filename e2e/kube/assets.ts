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
  const hack = join(import.meta.dirname, '../../hack/kube-assets')
  const { code, stdout, stderr } = await run([hack], { capMs: buildCapMs })
  if (code !== 0) return { lack: stderr.trim().split('\n').at(-1) ?? '' }
  const folder = stdout.trim()
  const missing = programs.map((name) => join(folder, name)).find((path) => !existsSync(path))
  return missing === undefined ? { folder } : { lack: `${missing} is not there` }
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
