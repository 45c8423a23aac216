/** The image that the guide's Deployment asks for: the public one, or a page of ours under its name. */
import { docker, kubectl } from '../cluster.ts'
import { run, runOk } from '../../lab/command.ts'

const name = 'nginx:1.25'
const pullCapMs = 120_000
const program = 'process.on("SIGTERM", () => process.exit()); require("node:http").createServer(' +
  '(request, response) => response.end("a page in the place of nginx\\n")).listen(80, "::")'

/** Loads the image into the nodes. Says in whose place a page of ours stands; undefined = in nobody's. */
export async function loadPage(cluster: string): Promise<string | undefined> {
  const known = await run(['docker', 'image', 'inspect', name])
  const pulled = known.code === 0 ||
    (await run(['docker', 'pull', '-q', name], { capMs: pullCapMs })).code === 0
  if (!pulled) await makePage()
  await runOk(['kind', 'load', 'docker-image', '--name', cluster, name], { capMs: pullCapMs })
  const labels = await docker('inspect', '-f', '{{json .Config.Labels}}', name)
  return labels.includes('Arpeggio') ? `image ${name}: a page of ours, since no registry answers` : undefined
}

async function makePage(): Promise<void> {
  const image = (await kubectl([
    '-n', 'metallb-system', 'get', 'daemonset', 'speaker', '-o',
    'jsonpath={.spec.template.spec.containers[0].image}',
  ])).trim()
  const id = (await docker('create', image)).trim()
  const entrypoint = `ENTRYPOINT ${JSON.stringify(['node', '-e', program])}`
  await docker('commit', '--change', entrypoint, id, name)
  await docker('rm', id)
}
