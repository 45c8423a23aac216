/** Finds the engines that apply manifests, which hack/gitops-tools builds where it must. */
import { askScript, findAssets } from '../kube/assets.ts'
import { serverPrograms } from '../kube/server.ts'

/** Building may be what is waited for; hack/gitops has built before, where it could. */
const buildCapMs = 400_000

export type Tool =
  | 'helm3' | 'helm4' | 'kustomize-controller' | 'helm-controller' | 'argo-diff' | 'definitions'

/** The folder that holds all of `tools`, or why there is none. */
export async function findTools(
  tools: readonly Tool[],
): ReturnType<typeof askScript> {
  return await askScript('gitops-tools', tools, buildCapMs)
}

/** The folder of promtool, which judges alerts, or why there is none. */
export async function findPromtool(): ReturnType<typeof askScript> {
  return await askScript('promtool', [], buildCapMs)
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
