/** Reads manifests as kubectl does, without a server. */
import { runOk } from '../lab/command.ts'
import { at, type Fields, textAt } from '../kube/objects.ts'

/** Reads YAML texts with a kubectl, by its path. */
export function openReader(kubectl: string): {
  /** All objects of a text, in its order. */
  readonly read: (yaml: string) => Promise<readonly Fields[]>
  /** What an overlay makes. */
  readonly build: (folder: string) => Promise<readonly Fields[]>
} {
  const words = ['env', 'KUBECONFIG=/dev/null', kubectl]
  const read = async (yaml: string): Promise<readonly Fields[]> => {
    // An empty patch, applied here: kubectl's way of printing a file as JSON without a server.
    const args = ['patch', '--local', '-f', '-', '--type=merge', '-p', '{}', '-o', 'json']
    const json = await runOk([...words, ...args], { stdin: yaml })
    return json.split(/(?<=^\})\n/m).filter((text) => text.trim() !== '')
      .map((text): Fields => JSON.parse(text))
  }
  return { read, build: async (folder) => read(await runOk([...words, 'kustomize', folder])) }
}

/** `Deployment metallb-system/controller`. */
export function idOf(object: unknown): string {
  const name = textAt(object, 'metadata', 'name')
  const namespace = at(object, 'metadata', 'namespace')
  return `${textAt(object, 'kind')} ${namespace === undefined ? '' : `${String(namespace)}/`}${name}`
}

/** The object of this id; throws where there is not exactly one. */
export function only(objects: readonly Fields[], id: string): Fields {
  const [found, second] = objects.filter((object) => idOf(object) === id)
  if (found === undefined || second !== undefined) throw new Error(`Not exactly one "${id}"`)
  return found
}

/** Objects in the order of their ids. */
export function byId(objects: readonly Fields[]): readonly Fields[] {
  return objects.toSorted((a, b) => (idOf(a) < idOf(b) ? -1 : 1))
}
