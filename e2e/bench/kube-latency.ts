/** Measures one Service, from its creation to its address, its first announcement and the first ARP reply. */
import type { Host } from '../lab/lab.ts'
import type { FirstReply, FirstReplyTask } from './first-reply.ts'
import type { Trials } from './kube-client.ts'
import { load, type Rig } from './kube-rig.ts'
import { formatNumber, formatRatio, formatSpread, median, printTable } from './table.ts'

const trialCount = 9

/**
 * One row of the table. `third` is the third byte of the addresses. The floor is what the API server
 * itself takes: creation seen by a watch, and a bare status patch seen by that watch.
 */
export async function measureTrials(
  { lab, ...rig }: Rig, what: string, third: number,
): Promise<readonly string[]> {
  const addresses = Array.from({ length: trialCount }, (_, i) => `10.240.${third}.${i + 1}`)
  const client: Host = lab.host('client')
  const question: FirstReplyTask = {
    addresses, asker: { mac: client.mac('eth0'), ipv4: '10.240.200.1', ipv6: '2001:db8::1' },
  }
  const asking = client.spawn([
    process.execPath, `${import.meta.dirname}/first-reply.ts`, JSON.stringify(question),
  ])
  await asking.line(/^ready$/)
  const { born, floorsMs } = await load<Trials>({ lab, ...rig }, { kind: 'trials', addresses })
  const replies = new Map(asking.lines.slice(1).map((line) => {
    const reply: FirstReply = JSON.parse(line)
    return [reply.address, reply] as const
  }))
  await asking.stop('SIGKILL')
  const toAddress = born.map(({ createdAtMs, assignedAtMs }) => assignedAtMs - createdAtMs)
  const toReply = born.map(({ address, createdAtMs }) =>
    (replies.get(address)?.atMs ?? Number.NaN) - createdAtMs)
  const toVoice = born.map(({ address, createdAtMs }) =>
    (replies.get(address)?.announcedAtMs ?? Number.NaN) - createdAtMs)
  const text = (values: readonly number[]): string =>
    `${formatNumber(median(values))} (${formatSpread(values)})`
  return [
    what, text(floorsMs), text(toAddress), formatRatio(median(toAddress) / median(floorsMs)),
    text(toVoice), text(toReply),
    what === 'idle' ? '27 / 27' : '4200 / 4 of 9 none in 3 s',
  ]
}

/** Prints the rows that there are. */
export function printTrials(rows: readonly (readonly string[])[]): void {
  if (rows.length === 0) return
  printTable('Service created, until it has an address and until ARP is answered: ms, p50 (least-most)', [
    ['LOAD', 'API SERVER ALONE', 'TO ADDRESS', 'TO THAT', 'TO ANNOUNCEMENT', 'TO ARP REPLY', 'PEER P50'],
    ...rows,
  ])
}
