/** The world of the guide as a lab: its configuration and Services, a node, a client, pages. */
import { cp, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Host, type Lab, lan, openLab } from './lab.ts'
import { type Arpeggio, openArpeggio } from './program.ts'

export interface World extends AsyncDisposable {
  readonly lab: Lab
  readonly node: Host
  readonly client: Host
  /** Folder that the program reads. */
  readonly input: string
  /** Puts a file there in one step, as editors do. */
  write(name: string, text: string): Promise<void>
  remove(name: string): Promise<void>
  /** Starts the program on the node. */
  start(): Promise<Arpeggio>
}

/** What the guide promises each Service, and where its page is. */
export const promised = [
  { name: 'nginx-lb', address: '192.168.1.240', port: 80, pool: 'primary-pool' },
  { name: 'nginx-specific-ip', address: '192.168.1.245', port: 80, pool: 'primary-pool' },
  { name: 'priority-service', address: '192.168.1.200', port: 443, pool: 'priority-pool' },
] as const

/** A LAN with a node, a client and a bystander; behind the node, a host with pages. */
export async function openWorld(): Promise<World> {
  const lab = await openLab({
    hosts: {
      node: { lan: lan(10), pods: ['10.244.1.1/24'] },
      client: { lan: lan(20) },
      bystander: { lan: lan(30) },
      backend: { pods: ['10.244.1.2/24'] },
    },
    routes: { backend: ['default via 10.244.1.1'] },
  })
  try {
    return await fill(lab)
  } catch (error) {
    await lab[Symbol.asyncDispose]()
    throw error
  }
}

async function fill(lab: Lab): Promise<World> {
  const node = lab.host('node')
  const input = join(lab.folder, 'input')
  await cp(join(import.meta.dirname, 'guide'), input, { recursive: true })
  await mkdir(join(lab.folder, 'state'))
  const page = [process.execPath, join(import.meta.dirname, 'page.ts')]
  const pages = [
    node.spawn([...page, '80=nginx-lb', '8081=late-service']),
    lab.host('backend').spawn([...page, '80=nginx-specific-ip', '8443=priority-service']),
  ]
  await Promise.all(pages.map((child) => child.line(/^ready$/)))
  return {
    lab,
    node,
    client: lab.host('client'),
    input,
    write: async (name, text) => {
      const draft = join(lab.folder, name)
      await writeFile(draft, text)
      await rename(draft, join(input, name))
    },
    remove: (name) => rm(join(input, name)),
    start: () =>
      openArpeggio(node, [
        '--node-name', 'node', '--node-label', 'node-role.kubernetes.io/worker=true',
        '--state-dir', join(lab.folder, 'state'), '--set-sysctls', input,
      ]),
    [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose](),
  }
}
