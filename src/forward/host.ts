/** What else on this host decides about forwarding: sysctls, and other tables' FORWARD chains. */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { isFields } from '../config/fields.ts'
import type { HostFinding } from '../finding.ts'
import type { Family } from '../net/model.ts'
import { tableName } from './ruleset.ts'

const switches = {
  ipv4: { path: '/proc/sys/net/ipv4/ip_forward', name: 'net.ipv4.ip_forward' },
  ipv6: { path: '/proc/sys/net/ipv6/conf/all/forwarding', name: 'net.ipv6.conf.all.forwarding' },
} as const

/** A finding with its fix for each family that needs forwarding and has it off. */
export async function checkSysctls(families: ReadonlySet<Family>): Promise<readonly HostFinding[]> {
  const findings: HostFinding[] = []
  for (const family of families) {
    const { path, name } = switches[family]
    const value = await readFile(path, 'utf8').catch(() => '')
    if (value.trim() === '1') continue
    const message = `Endpoints on other hosts or containers need ${name}=1: run ` +
      `"sysctl -w ${name}=1", or start with --set-sysctls`
    findings.push({ reason: 'forwardingOff', message })
  }
  return findings
}

/**
 * Switches forwarding on for these families. IPv6 forwarding makes the kernel ignore router
 * advertisements where accept_ra is 1: those interfaces get 2 first.
 */
export async function setSysctls(families: ReadonlySet<Family>): Promise<readonly HostFinding[]> {
  const findings: HostFinding[] = []
  for (const family of families) {
    const { path, name } = switches[family]
    const value = await readFile(path, 'utf8').catch(() => '')
    if (value.trim() === '1') continue
    try {
      if (family === 'ipv6') await keepRouterAdvertisements()
      await writeFile(path, '1')
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      findings.push({ reason: 'forwardingOff', message: `Cannot set ${name}=1: ${why}` })
    }
  }
  return findings
}

async function keepRouterAdvertisements(): Promise<void> {
  const folder = '/proc/sys/net/ipv6/conf'
  for (const name of await readdir(folder)) {
    const path = `${folder}/${name}/accept_ra`
    const value = await readFile(path, 'utf8').catch(() => '')
    if (value.trim() === '1') await writeFile(path, '2')
  }
}

/**
 * FORWARD chains of other tables whose policy drops what nobody accepts, as Docker's: our table
 * cannot overrule them. `listing` is the output of `nft -j list table`, or of all of them together.
 */
export function findBlockers(
  listing: string, families: ReadonlySet<Family>,
): readonly HostFinding[] {
  const chains = readChains(listing)
  const hasDockerUser = chains.some((chain) => chain['name'] === 'DOCKER-USER')
  const accepted = readAccepted(listing)
  const isOpen = (chain: Chain): boolean => accepted.has(`${chain['family']} ${chain['table']}`)
  return chains.filter((chain) => isBlocking(chain, families) && !isOpen(chain)).map((chain) => {
    const place = `${String(chain['family'])} ${String(chain['table'])}`
    const own = hasDockerUser && chain['table'] === 'filter' ? 'DOCKER-USER' : String(chain['name'])
    const message = `Chain "${String(chain['name'])}" of table "${place}" drops forwarded ` +
      `packets by its policy: run "nft insert rule ${place} ${own} ct status dnat accept"`
    return { reason: 'forwardBlocked', message }
  })
}

type Chain = Readonly<Record<string, unknown>>

function readChains(listing: string): readonly Chain[] {
  return readRows(listing, 'chain')
}

/** Tables with a rule that accepts `ct status dnat`: the fix that a finding names is in place. */
function readAccepted(listing: string): ReadonlySet<string> {
  const rules = readRows(listing, 'rule').filter(({ expr }) => {
    const text = JSON.stringify(expr)
    return text.includes('"key":"status"') && text.includes('dnat') && text.includes('"accept"')
  })
  return new Set(rules.map((rule) => `${rule['family']} ${rule['table']}`))
}

function readRows(listing: string, kind: string): readonly Chain[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(listing)
  } catch {
    return []
  }
  const rows = isFields(parsed) && Array.isArray(parsed['nftables']) ? parsed['nftables'] : []
  return rows.flatMap((row: unknown) => {
    const found = isFields(row) ? row[kind] : undefined
    return isFields(found) ? [found] : []
  })
}

function isBlocking(chain: Chain, families: ReadonlySet<Family>): boolean {
  if (chain['hook'] !== 'forward' || chain['policy'] !== 'drop') return false
  if (chain['table'] === tableName) return false
  switch (chain['family']) {
    case 'ip':
      return families.has('ipv4')
    case 'ip6':
      return families.has('ipv6')
    default:
      return chain['family'] === 'inet' && families.size > 0
  }
}
