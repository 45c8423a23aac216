/** Finds the engines that apply manifests, which hack/gitops-tools builds where it must. */
import { join } from 'node:path'
import { findAssets } from '../kube/assets.ts'
import { serverPrograms } from '../kube/server.ts'
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

/** The folder of promtool, which judges alerts, or why there is none. */
export async function findPromtool(): Promise<{ readonly folder: string } | { readonly lack: string }> {
  const program = join(import.meta.dirname, '../../hack/promtool')
  const { code, stdout, stderr } = await run([program], { capMs: buildCapMs })
  return code === 0 ? { folder: stdout.trim() } : { lack: stderr.trim().split('\n').at(-1) ?? '' }
}

export interface Engines {
  /** Why a suite cannot run; undefined = both folders are there. */
  readonly lack: string | undefined
  /** Of the engines; '' where something is lacking, as below. */
  readonly folder: string
  /** Of the API server's programs. */
  readonly kubeFolder: string
}

/** The engines, and the programs of an API server to try them with. */
export async function findEngines(
  tools: readonly Tool[], programs: readonly string[] = serverPrograms,
): Promise<Engines> {
  const assets = await findAssets(programs)
  const found = await findTools(tools)
  return {
    lack: 'lack' in assets ? assets.lack : 'lack' in found ? found.lack : undefined,
    folder: 'folder' in found ? found.folder : '',
    kubeFolder: 'folder' in assets ? assets.folder : '',
  }
}
