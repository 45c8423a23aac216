/** Runs the real program on a host of the lab, and asks it over HTTP as anybody could. */
import { join } from 'node:path'
import { type Child, startCapMs, until } from './command.ts'
import type { Host } from './lab.ts'

/** A pool of the LAN's addresses from 240 to 249, and who announces it. */
export const lanPool = `
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: lan, namespace: metallb-system }
spec: { addresses: [192.168.1.240-192.168.1.249] }
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: { name: lan, namespace: metallb-system }
`

/** What tests read of `/status`: our own statement of the format, apart from the program's. */
export interface Status {
  readonly node: string
  readonly config: {
    readonly ok: boolean
    readonly problems: readonly Problem[]
    readonly warnings: readonly Problem[]
  }
  readonly services: readonly ServiceStatus[]
  readonly announcements: readonly {
    readonly address: string
    readonly interfaces: readonly string[]
    readonly since: string
    readonly requests: number
    readonly replies: number
    readonly gratuitous: number
  }[]
  readonly drops: Readonly<Record<string, number>>
  readonly forwarding: { readonly state: string }
  readonly findings: readonly { readonly reason: string; readonly message: string }[]
  readonly members?: readonly { readonly name: string; readonly state: string }[]
  readonly group?: {
    readonly members: readonly string[]
    readonly options: Readonly<Record<string, string>> | null
    readonly size: number
    readonly heard: number
    readonly needed: number
    readonly missing: readonly string[]
    readonly allocator: string | null
    readonly standstill: string | null
  }
  readonly ownership?: {
    readonly units: readonly { readonly unit: string; readonly owner?: string }[]
    readonly moves: readonly {
      readonly kind: string
      readonly unit: string
      readonly cause: string
      readonly from?: string
      readonly darkMs?: number
    }[]
    readonly pauses: readonly {
      readonly kind: string
      readonly unit: string
      readonly cause: string
      readonly lastedMs?: number
    }[]
  }
}

/** Finding about input, as `check -o json` prints it. */
export interface Problem {
  readonly file: string
  readonly document: number
  readonly object: string
  readonly path: string
  readonly reason: string
  readonly message: string
}

/** One Service, as `plan -o json` prints it, and the sentence that goes with it. */
export interface ServiceStatus {
  readonly namespace: string
  readonly name: string
  readonly verdict: string
  readonly reason: string
  readonly message: string
  readonly pool: string | null
  readonly addresses: readonly string[]
  readonly announcements: readonly { readonly address: string; readonly node: string }[]
  readonly silent: readonly {
    readonly address: string; readonly node: string | null; readonly reason: string
  }[]
}

/** The program on a host. Disposing sends SIGTERM. */
export interface Arpeggio extends AsyncDisposable {
  readonly child: Child
  status(): Promise<Status>
  /** The first status for which `holds` is true, now or within the cap. */
  statusWhen(what: string, holds: (status: Status) => boolean, cap?: number): Promise<Status>
}

/** What runs the program from its sources. */
export const arpeggio = [process.execPath, join(import.meta.dirname, '../../src/main.ts')]

const url = 'http://127.0.0.1:7472'

/** Starts `arpeggio standalone` on a host; it is ready when the promise fulfils. */
export async function openArpeggio(
  host: Host, args: readonly string[], cap = startCapMs,
): Promise<Arpeggio> {
  const program = spawnArpeggio(host, args)
  const { child } = program
  await until(`arpeggio on "${host.name}" is ready`, async () => {
    if (!child.isRunning()) throw new Error(`Arpeggio ended early: ${child.lines.join('\n')}`)
    return (await host.exec(['curl', '-sf', `${url}/readyz`])).code === 0
  }, cap)
  return program
}

/** The same without waiting: its status can be asked for after the line `standalone started`. */
export function spawnArpeggio(host: Host, args: readonly string[]): Arpeggio {
  const child = host.spawn([...arpeggio, 'standalone', ...args])
  const ask = ['curl', '-sS', '-H', 'accept: application/json', `${url}/status`]
  const status = async (): Promise<Status> => JSON.parse(await host.execOk(ask))
  return {
    child,
    status,
    statusWhen: (what, holds, most) =>
      until(what, async () => {
        const now = await status()
        return holds(now) && now
      }, most),
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  }
}
