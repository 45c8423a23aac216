/** Talks to the API server of a stage as fast as it goes: plain HTTPS from a process of its own. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Access, Made, Task } from '../bench/kube-client.ts'
import type { Fields } from '../kube/objects.ts'
import type { Rig } from '../kube/rig.ts'

const capMs = 240_000

/** Performs a task; what it printed, to be parsed. */
export async function load({ lab, server }: Rig, task: Task): Promise<string> {
  const ca = join(lab.folder, 'load.crt')
  writeFileSync(ca, server.ca)
  const access: Access = { url: server.url, ca, token: server.tokenOf('admin') }
  const program = join(import.meta.dirname, '../bench/kube-client.ts')
  const text = await lab.host('api').execOk([
    process.execPath, program, JSON.stringify({ access, task }),
  ], { capMs })
  return text.trim().split('\n').at(-1) ?? ''
}

/** Makes Services and their slices over several connections. */
export async function makeAll(rig: Rig, objects: readonly Fields[]): Promise<void> {
  const made = objects.map((body): Made => ({
    body,
    path: body['kind'] === 'Service'
      ? '/api/v1/namespaces/default/services'
      : '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices',
  }))
  const file = join(rig.lab.folder, 'load.json')
  writeFileSync(file, JSON.stringify(made))
  await load(rig, { kind: 'make', file })
}
