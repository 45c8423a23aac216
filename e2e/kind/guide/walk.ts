/** Walks through the guide's blocks in a cluster: saves its files, runs its commands, compares. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Cluster, docker, kubectl, patienceMs } from '../cluster.ts'
import { run } from '../../lab/command.ts'
import { openInstalled, stepPatienceMs } from './altered.ts'
import { installAddress } from './blocks.ts'
import {
  type Block, judge, type Outcome, readBack, type Step, type Substitution, translate,
} from './model.ts'

const manifestFolder = join(import.meta.dirname, '../../kube/guide')
const address = '192.168.1.240'

/** A step as it went: what it gave, in the guide's words, and what was wrong with that. */
export interface Passage {
  readonly step: Step
  readonly outcome: Outcome
  readonly faults: readonly string[]
}

export interface Walk extends AsyncDisposable {
  /** Runs a block; one passage a step, in its order. */
  pass(block: Block): Promise<readonly Passage[]>
  /** What is put in the place of the guide's own names, as it is now. */
  substitutions(): Promise<readonly Substitution[]>
}

/** Disposing takes away all that the guide made, and its files. */
export async function openWalk(cluster: Cluster): Promise<Walk> {
  const folder = mkdtempSync(join(tmpdir(), 'arpeggio-guide-'))
  const installed = await openInstalled(folder)
  const lan = cluster.ipv4(0).replace(/\d+$/, '')
  const substitutions = async (): Promise<readonly Substitution[]> => [
    [installAddress, installed.manifest], ['192.168.1.', lan], ['node-1', await findLeader(cluster, lan)],
  ]
  return {
    substitutions,
    pass: async (block) => {
      if (block.isFresh) await clear()
      const words = await substitutions()
      save(folder, block, words)
      const pass = (step: Step): Promise<Passage> =>
        passStep({ folder, cluster, words, file: block.file }, step)
      const meanwhile = new Map(block.steps.filter(({ isMeanwhile }) => isMeanwhile)
        .map((step) => [step, pass(step)] as const))
      const passages: Passage[] = []
      for (const step of block.steps) passages.push(await (meanwhile.get(step) ?? pass(step)))
      return passages
    },
    [Symbol.asyncDispose]: async () => {
      await clear()
      await installed[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true })
    },
  }
}

/** The node that announces the guide's address; the first worker while nobody does. */
async function findLeader(cluster: Cluster, lan: string): Promise<string> {
  const { items }: { items: readonly { readonly status?: Readonly<Record<string, string>> }[] } = JSON.parse(
    await kubectl(['-n', 'metallb-system', 'get', 'servicel2statuses', '-o', 'json']))
  const service = JSON.parse(
    await kubectl(['get', 'service', 'nginx-lb', '--ignore-not-found', '-o', 'json']) || '{}')
  const held: unknown = service.status?.loadBalancer?.ingress?.[0]?.ip
  const row = items.find(({ status }) =>
    status?.['serviceNamespace'] === 'default' && status['serviceName'] === 'nginx-lb')
  const isHeld = held === address.replace('192.168.1.', lan)
  return (isHeld ? row?.status?.['node'] : undefined) ?? cluster.workers[0]?.name ?? ''
}

function save(folder: string, { file, manifests }: Block, words: readonly Substitution[]): void {
  if (file === undefined || manifests === undefined) return
  const texts = manifests.map((name) => readFileSync(join(manifestFolder, `${name}.yaml`), 'utf8'))
  writeFileSync(join(folder, file), translate(texts.join('---\n'), words))
}

interface Setting {
  readonly folder: string
  readonly cluster: Cluster
  readonly words: readonly Substitution[]
  readonly file: string | undefined
}

async function passStep(setting: Setting, step: Step): Promise<Passage> {
  const end = performance.now() + stepPatienceMs
  for (;;) {
    const outcome = await perform(setting, step)
    const faults = judge(step, outcome)
    if (faults.length === 0 || !step.isPatient || performance.now() > end) return { step, outcome, faults }
    await new Promise((resolve) => setTimeout(resolve, 1_000))
  }
}

async function perform({ folder, cluster, words, file }: Setting, step: Step): Promise<Outcome> {
  const text = translate(step.command, words)
  // What begins like a script is saved as one.
  const isScript = text.startsWith('#!') && file !== undefined
  if (isScript) writeFileSync(join(folder, file), `${text}\n`)
  const shell = isScript ? ['bash', file] : ['bash', '-c', text]
  const limited = step.endlessS === undefined
    ? shell
    : ['timeout', '-s', 'INT', '-k', '5', String(step.endlessS), ...shell]
  const argv = ['env', '-C', folder, ...step.isOnNode ? await enterOther(cluster) : [], ...limited]
  const beside = step.meanwhile === undefined
    ? undefined
    : run(['bash', '-c', `sleep 5; ${translate(step.meanwhile, words)}`], { capMs: patienceMs })
  const { code, stdout, stderr } = await run(argv, { capMs: patienceMs * 2 })
  await beside
  return { code, output: readBack(`${stdout}${stderr}`, words) }
}

/**
 * Into the network of the control plane, with this machine's programs: it leads nothing, and its interface
 * is eth0 also where a worker's was taken away and came back under another name.
 */
async function enterOther(cluster: Cluster): Promise<readonly string[]> {
  const other = (await cluster.machines()).find(({ name }) => name.includes('control-plane'))
  const pid = (await docker('inspect', '-f', '{{.State.Pid}}', other?.name ?? '')).trim()
  return ['nsenter', '-t', pid, '-n']
}

/** A fresh configuration: nothing of the guide is left. */
async function clear(): Promise<void> {
  const gone = ['delete', '--ignore-not-found']
  await kubectl([...gone, 'service', 'nginx-lb', 'nginx-specific-ip', 'priority-service'])
  await kubectl([...gone, 'deployment', 'nginx-demo'])
  await kubectl(['-n', 'metallb-system', ...gone, 'networkpolicy', 'metallb-speaker-policy'])
  await kubectl(['-n', 'metallb-system', 'delete', 'l2advertisements,ipaddresspools', '--all'])
}
