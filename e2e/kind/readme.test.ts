/** README's quick start in a kind cluster, behind its installation, which hack/e2e runs: as typed. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { blockOf } from '../kube/readme.ts'
import { runOk } from '../lab/command.ts'
import { eventually, kubectl, openCluster, patienceMs } from './cluster.ts'
import { loadPage } from './guide/page.ts'
import { translate } from './guide/model.ts'
import { answerers, namesOf } from './voice.ts'

const closing = new AsyncDisposableStack()
const cluster = closing.use(await openCluster())
const standIn = await loadPage(process.env['ARPEGGIO_CLUSTER'] ?? '')
const lan = cluster.ipv4(0).replace(/\d+$/, '')
/** What stands here in the place of README's words. */
const substitutions = [['172.18.255.', lan]] as const
const folder = mkdtempSync(join(tmpdir(), 'arpeggio-readme-'))
closing.defer(() => rmSync(folder, { recursive: true }))
closing.defer(async () => {
  await kubectl(['delete', '--ignore-not-found', 'service/web', 'deployment/web'])
  await kubectl(['-n', 'metallb-system', 'delete', 'l2advertisements,ipaddresspools', '--all'])
})

/** Runs commands in one shell, from the repository's folder; what they print. */
async function type(block: string): Promise<string> {
  const script = join(folder, 'typed.sh')
  writeFileSync(script, translate(block, substitutions))
  const root = join(import.meta.dirname, '../..')
  return runOk(['env', '-C', root, 'bash', '-eu', script], { capMs: patienceMs })
}

const serving = await blockOf('README.md', 'kubectl apply -f - <<EOF')

test('the network that docker names is the one whose upper end the pool takes', async () => {
  const networks = await type(await blockOf('README.md', 'docker network inspect kind'))
  const beginnings = networks.split(/\s+/).map((network) => network.replace(/(\.0)+\/\d+$/, '.'))
  assert.ok(beginnings.some((beginning) => beginning !== '' && lan.startsWith(beginning)), networks)
  for (const [readme, here] of substitutions) console.log(`substituted: ${readme} by ${here}`)
  if (standIn !== undefined) console.log(`substituted: ${standIn}`)
})

test('a pool, a deployment, a Service: its page is there', async () => {
  // Who types is not as fast as this: the last two only look, and look again.
  const at = serving.indexOf('kubectl get service')
  await type(serving.slice(0, at))
  const seen = await eventually('the page', async () => {
    const text = await type(serving.slice(at)).catch(() => '')
    return text.includes('nginx') && text
  })
  const row = new RegExp(`^web +LoadBalancer +\\S+ +${lan.replaceAll('.', '[.]')}200 +80:`, 'm')
  assert.match(seen, row)
  const machines = await cluster.machines()
  const answers = namesOf(await answerers(cluster.client, cluster.ipv4(200)), machines)
  assert.equal([answers.length, machines.some(({ name }) => name === answers[0])], [1, true])
})

test.after(() => closing.disposeAsync())
test.run()
