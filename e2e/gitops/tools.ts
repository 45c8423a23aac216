/** Finds the engines that apply manifests, which hack/gitops-tools builds where it must. */
import { join } from 'node:path'
import { run } from '../lab/command.ts'

/** Building may be what is waited for; hack/gitops has built before, where it could. */
const buildCapMs = 400_000

export type Tool =
  | 'helm3' | 'helm4' | 'kustomize-controller' | 'helm-controller' | 'argo-diff' | 'definitions'

/** The folder that holds all of `tools`, or why there is none. */
export async function findTools(
  tools: readonly Tool[],
): Promise<{ readonly folder: string } | { readonly lack: string }> {
  const hack = join(import.meta.dirname, '../../hack/gitops-tools')
  const { code, stdout, stderr } = await run([hack, ...tools], { capMs: buildCapMs })
  return code === 0 ? { folder: stdout.trim() } : { lack: stderr.trim().split('\n').at(-1) ?? '' }
}
