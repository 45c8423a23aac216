/** Asks the docker network who has an address, and says with which hardware address each answers. */
import type { Machine, Place } from './cluster.ts'

/** A broadcast question is repeated, so that a second answerer has its chance. */
const questions = 3

/** Hardware addresses of all that answer, sorted, each once. None answering is an empty list. */
export async function answerers({ exec, link }: Place, address: string): Promise<readonly string[]> {
  const count = String(questions)
  const command = address.includes(':')
    ? ['ndisc6', '-m', '-r', count, '-w', '500', address, link]
    : ['arping', '-b', '-c', count, '-w', count, '-I', link, address]
  // Both programs exit with an error where nobody answers.
  const output = await exec(['sh', '-c', '"$@" 2>&1 || :', 'sh', ...command], { capMs: 20_000 })
  const found = output.match(/\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b/gi) ?? []
  return [...new Set(found.map((mac) => mac.toLowerCase()))].toSorted()
}

/** The names of the nodes that answer; a hardware address that is no node's stands for itself. */
export function namesOf(macs: readonly string[], machines: readonly Machine[]): readonly string[] {
  return macs.map((mac) => machines.find((machine) => machine.mac === mac)?.name ?? mac)
}

/** Fetches the page at an address: what the endpoint says of itself and of who asked. */
export async function fetchPage({ exec }: Place, address: string, port = 80): Promise<string> {
  const host = address.includes(':') ? `[${address}]` : address
  const command = ['curl', '-sS', '-m', '5', `http://${host}:${port}/`]
  return exec(['sh', '-c', '"$@" 2>&1 || :', 'sh', ...command], { capMs: 20_000 })
}
