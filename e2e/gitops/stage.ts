/** What an engine applies in these suites: the overlay with pools, and a Service as people keep in git. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { service } from '../kube/objects.ts'

const deploy = join(import.meta.dirname, '../../deploy')

/** Manifests that ask for what the program also writes: an annotation, and a label of ours beside. */
const web = service('web', { selector: { app: 'web' }, externalTrafficPolicy: 'Cluster' }, {
  'metallb.io/address-pool': 'lan', 'team.example/owner': 'lan',
})

/** Writes an overlay into `folder`, which names deploy/overlays/lan by its relative path. */
export async function writeOverlay(folder: string, lan = join(deploy, 'overlays/lan')): Promise<string> {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'web.json'), JSON.stringify(web))
  await writeFile(join(folder, 'kustomization.yaml'), JSON.stringify({
    resources: [relative(folder, lan), 'web.json'],
  }))
  return folder
}
