/** What is installed for the guide: the manifest, or one that differs, to see that the suite notices. */
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { docker, kubectl, patienceMs } from '../cluster.ts'
import { run, runOk } from '../../lab/command.ts'
import { alter } from './model.ts'

const installFile = join(import.meta.dirname, '../../../deploy/arpeggio.yaml')
const alteredImage = 'arpeggio:altered'
const system = ['-n', 'metallb-system']

/** `OLD=>NEW`, in the manifest or, where that does not have it, in the program; undefined = as it is. */
const rule = process.env['ARPEGGIO_GUIDE_ALTER'] || undefined
export const isAltered = rule !== undefined

/** How long a step that only looks is repeated. What was altered on purpose does not come later. */
export const stepPatienceMs = isAltered ? 30_000 : patienceMs

export interface Installed extends AsyncDisposable {
  /** Path of the manifest. */
  readonly manifest: string
}

/** Makes it in `folder`; disposing puts what hack/e2e has installed back. */
export async function openInstalled(folder: string): Promise<Installed> {
  if (rule === undefined) return { manifest: installFile, [Symbol.asyncDispose]: async () => undefined }
  const text = readFileSync(installFile, 'utf8')
  const isInManifest = text.includes(rule.split('=>')[0] ?? '')
  const image = /image: (arpeggio:\S+)/.exec(text)?.[1] ?? ''
  if (!isInManifest) await makeImage(image, join(folder, 'program'))
  const manifest = join(folder, 'altered.yaml')
  writeFileSync(manifest, alter(text, isInManifest ? rule : `image: ${image}=>image: ${alteredImage}`))
  console.log(`altered in the ${isInManifest ? 'manifest' : 'program'}, so this suite must fail: ${rule}`)
  await removeWorkloads()
  return {
    manifest,
    [Symbol.asyncDispose]: async () => {
      await removeWorkloads()
      await kubectl(['apply', '-f', installFile])
      for (const workload of ['deployment/controller', 'daemonset/speaker']) {
        await kubectl([...system, 'rollout', 'status', workload, '--timeout=150s'])
      }
      await run(['docker', 'rmi', alteredImage])
    },
  }
}

/** A workload's selector cannot be changed. */
async function removeWorkloads(): Promise<void> {
  await kubectl([...system, 'delete', '--cascade=foreground', 'deployment/controller', 'daemonset/speaker'])
}

/** The image with another word in its program, on every node. */
async function makeImage(from: string, folder: string): Promise<void> {
  const place = '/opt/arpeggio'
  mkdirSync(folder)
  const id = (await docker('create', from)).trim()
  await docker('cp', `${id}:${place}/.`, folder)
  const files = globSync(['*.js', 'chunks/*.js'], { cwd: folder }).map((name) => join(folder, name))
  const old = rule?.split('=>')[0] ?? ''
  const found = files.filter((file) => readFileSync(file, 'utf8').includes(old))
  if (found.length === 0) throw new Error(`"${rule}": nothing to alter in manifest or program`)
  for (const file of found) writeFileSync(file, alter(readFileSync(file, 'utf8'), rule ?? ''))
  await docker('cp', `${folder}/.`, `${id}:${place}`)
  await docker('commit', id, alteredImage)
  await docker('rm', id)
  const cluster = process.env['ARPEGGIO_CLUSTER'] ?? ''
  await runOk(['kind', 'load', 'docker-image', '--name', cluster, alteredImage], { capMs: patienceMs })
}
