/** The chart as a Helm renders it for some values, as objects. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Fields } from '../kube/objects.ts'
import { run, startCapMs } from '../lab/command.ts'
import { openReader } from './yaml.ts'

export const chart = join(import.meta.dirname, '../../deploy/chart')
/** Of the release. */
export const namespace = 'metallb-system'

export interface Rendering {
  readonly objects: readonly Fields[]
  /** What Helm says where it refuses. */
  readonly error: string
}

export interface Renderer {
  /** A folder of one's own. */
  readonly scratch: string
  /** What a Helm prints for these values; `-n` of the arguments counts. */
  render(program: string, values: unknown, ...args: readonly string[]): Promise<Rendering>
  /** What a Helm says to who installs it. */
  notes(program: string, values: unknown): Promise<string>
  close(): Promise<void>
}

/** Reads with a kubectl, by its path. */
export async function openRenderer(kubectl: string): Promise<Renderer> {
  const scratch = await mkdtemp(join(tmpdir(), 'arpeggio-chart-'))
  const { read } = openReader(kubectl)
  let files = 0
  const helm = async (words: readonly string[], values: unknown): ReturnType<typeof run> => {
    files += 1
    const file = join(scratch, `values-${files}.json`)
    await writeFile(file, JSON.stringify(values))
    return run([
      'env', `HELM_CACHE_HOME=${scratch}`, `HELM_CONFIG_HOME=${scratch}`, `HELM_DATA_HOME=${scratch}`,
      'KUBECONFIG=/dev/null', ...words, '-f', file,
    ], { capMs: startCapMs })
  }
  return {
    scratch,
    render: async (program, values, ...args) => {
      const words = [program, 'template', 'any', chart, '--kube-version', 'v1.34.0', '-n', namespace, ...args]
      const { code, stdout, stderr } = await helm(words, values)
      return code === 0 ? { objects: await read(stdout), error: '' } : { objects: [], error: stderr }
    },
    notes: async (program, values) => {
      const words = [program, 'install', 'any', chart, '-n', namespace, '--dry-run=client']
      const { stdout, stderr } = await helm(words, values)
      return stdout.split('\nNOTES:\n')[1] ?? stderr
    },
    close: () => rm(scratch, { recursive: true }),
  }
}
