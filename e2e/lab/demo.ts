/** The demo: the guide's configuration on one host, then three hosts and a death; one line a step. */
import { basename } from 'node:path'
import { capMs } from './command.ts'
import { type BadEdit, badEdits, goodEdit, late, refusedService } from './edit.ts'
import type { Host } from './lab.ts'
import { findNamespaces } from './namespace.ts'
import type { Arpeggio, Status } from './program.ts'
import { playSecondAct } from './second-act.ts'
import { openWorld, promised, type World } from './world.ts'

interface Target {
  readonly name: string
  readonly address: string
  readonly port: number
}

const stays = process.stdout.isTTY && process.stdin.isTTY && !process.argv.includes('--exit')
let failures = 0

/** Runs one step, prints its line, then what it has to show. A failure does not end the demo. */
async function step(text: string, act: () => Promise<string | void>): Promise<void> {
  const begun = performance.now()
  const seconds = (): string => `(${((performance.now() - begun) / 1_000).toFixed(1)} s)`
  try {
    const shown = await act()
    console.log(`ok    ${text} ${seconds()}`)
    if (shown !== undefined) console.log(shown.trimEnd().replace(/^(?=.)/gm, '        '))
  } catch (error) {
    failures += 1
    console.log(`FAIL  ${text} ${seconds()}: ${error instanceof Error ? error.message : error}`)
  }
}

/** The hardware address that answers the client's ARP question. */
async function ask({ client }: World, address: string): Promise<string> {
  const text = await client.execOk(['arping', '-b', '-c', '1', '-w', '3', '-I', 'eth0', address])
  const mac = /\[([0-9A-Fa-f:]{17})\]/.exec(text)?.[1]
  if (mac === undefined) throw new Error(`nobody answers for ${address}`)
  return mac.toLowerCase()
}

async function fetchPage({ client }: World, { name, address, port }: Target): Promise<string> {
  const url = `http://${address}${port === 80 ? '' : `:${port}`}`
  const cap = String(capMs / 1_000)
  const text = await client.execOk(['curl', '-sS', '-m', cap, url], { capMs: 2 * capMs })
  if (!text.includes(`page of ${name},`)) throw new Error(`${url} gave another page: ${text}`)
  return `curl ${url}: ${text}`
}

async function table(world: World, status: Status): Promise<string> {
  const own = new Map(['eth0', 'eth1'].map((name) => [world.node.mac(name), name]))
  const rows = [['SERVICE', 'ADDRESS', 'POOL', 'NODE', 'INTERFACE', 'MAC THE CLIENT SAW']]
  for (const { name, address, pool } of promised) {
    const service = status.services.find((row) => row.name === name)
    const got = service?.addresses[0] ?? 'none'
    if (got !== address) throw new Error(`${name} has ${got}, the guide promises ${address}`)
    if (service?.pool !== pool) throw new Error(`${name} is from ${service?.pool ?? 'no pool'}`)
    const node = service.announcements[0]?.node ?? 'none'
    const mac = await ask(world, address)
    const link = own.get(mac)
    if (link !== 'eth0') throw new Error(`${address} is answered by ${mac}, not by the node's eth0`)
    rows.push([name, address, pool, node, link, mac])
  }
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)))
  return rows.map((row) =>
    row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('   ').trimEnd()
  ).join('\n')
}

async function refuse(world: World, program: Arpeggio): Promise<string> {
  await world.write('refused.yaml', refusedService)
  const isRefused = (row: Status['services'][number]): boolean => row.reason === 'addressNotInPool'
  const status = await program.statusWhen('a Service is refused with addressNotInPool',
    ({ services }) => services.some(isRefused))
  const refused = status.services.find(isRefused)
  const { code } = await world.client.exec(
    ['arping', '-c', '1', '-w', '1', '-I', 'eth0', '192.168.1.99'],
  )
  if (code === 0) throw new Error('192.168.1.99 is answered all the same')
  return `${refused?.name}: ${refused?.reason}: ${refused?.message}`
}

async function editWell(world: World, program: Arpeggio): Promise<string> {
  await world.write('late.yaml', goodEdit)
  await program.statusWhen(`${late.name} is announced`, ({ announcements }) =>
    announcements.some(({ address, since }) => address === late.address && since !== ''))
  return fetchPage(world, late)
}

async function editBadly(world: World, program: Arpeggio, edit: BadEdit): Promise<string> {
  const before = addressesOf(await program.status())
  await world.write(edit.file, edit.text)
  try {
    const status = await program.statusWhen('the edit is reported', ({ config }) => !config.ok)
    const { problems } = status.config
    const problem = problems.find(({ reason }) => reason === edit.reason)
    if (problem === undefined) throw new Error(`no ${edit.reason}: ${JSON.stringify(problems)}`)
    if (addressesOf(status) !== before) throw new Error('what is announced has changed')
    for (const target of [...promised, late]) await fetchPage(world, target)
    const { file, document, object, path, reason, message } = problem
    const where = [object, path].filter((part) => part !== '').join(' ')
    return `${basename(file)}, document ${document}${where && `, ${where}`}: ${reason}: ${message}`
  } finally {
    await world.remove(edit.file)
    await program.statusWhen('the configuration is whole again', ({ config }) => config.ok)
  }
}

function addressesOf({ announcements }: Status): string {
  return announcements.map(({ address }) => address).join(' ')
}

async function askStatus({ client }: World): Promise<string> {
  const text = await client.execOk(['curl', '-sS', 'http://192.168.1.10:7472/status'])
  for (const { address } of [...promised, late]) {
    if (!text.includes(address)) throw new Error(`the status does not name ${address}`)
  }
  return text
}

function suggest({ client, node, input }: World): void {
  const at = ({ namespace }: Host): string => `    ip netns exec ${namespace}`
  const isRoot = process.getuid?.() === 0
  console.log(`
The lab stays up until Ctrl-C. The program reads its configuration from ${input}: edit it.
From another terminal${isRoot ? '' : ' (if the demo was started as root)'}:
${at(client)} curl http://192.168.1.240
${at(client)} arping -c 3 -I eth0 192.168.1.245
${at(client)} ip neigh
${at(client)} curl http://192.168.1.10:7472/status
${at(node)} tcpdump -n -e -i eth0 arp
${at(node)} nft list ruleset
`)
}

async function present(world: World, program: Arpeggio): Promise<void> {
  await step('each Service has the address that the guide promises; the client resolves it',
    async () => table(world, await program.status()))
  for (const target of promised) {
    await step(`the client fetches the page of ${target.name}`, () => fetchPage(world, target))
  }
  await step('a Service asking for an address of no pool is refused, with the reason',
    () => refuse(world, program))
  await step('live edit: one more pool, advertisement and Service', () => editWell(world, program))
  for (const edit of badEdits) {
    await step(`bad edit, ${edit.it}: reported, and every address still serves its page`,
      () => editBadly(world, program, edit))
  }
  await step('the client asks the status endpoint', () => askStatus(world))
  if (stays) {
    suggest(world)
    await new Promise((resolve) => process.once('SIGINT', resolve).once('SIGTERM', resolve))
    console.log()
  }
  await step('arpeggio stops when asked, with exit code 0', async () => {
    const code = await program.child.stop()
    if (code !== 0) throw new Error(`exit code ${code}`)
  })
}

let world: World | undefined
let program: Arpeggio | undefined
await step('build the lab: a node, a client, a bystander, and pages to fetch', async () => {
  world = await openWorld()
})
const { start } = world ?? {}
if (start !== undefined) {
  await step('start arpeggio standalone on the node', async () => {
    program = await start()
  })
}
if (world !== undefined && program !== undefined) await present(world, program)
await step('tear down the first lab', async () => void await world?.[Symbol.asyncDispose]())
await playSecondAct(step)
await step('nothing is left', async () => {
  const left = findNamespaces(`arpl-${process.pid}-`)
  if (left.length > 0) throw new Error(left.join(' '))
})
console.log(failures === 0 ? 'Every step held' : `${failures} steps failed`)
process.exitCode = failures === 0 ? 0 : 1
