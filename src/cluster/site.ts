/** The two HTTP ports of a role in a cluster: status and metrics, and the probes of the kubelet. */
import type { HostFinding } from '../finding.ts'
import { type Listener, openListener } from '../http/listen.ts'
import type { Site } from '../http/probes.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'

export interface SiteOptions extends Site {
  readonly options: {
    readonly httpHost: string | undefined
    readonly httpPort: number
    readonly probeHost: string | undefined
    /** undefined = no second port. */
    readonly probePort: number | undefined
  }
  readonly log: Log
  /** Those of its status, without the rest of it. */
  readonly findings: () => readonly HostFinding[]
  readonly metrics: Site['metrics'] & Pick<Metrics, 'watchFindings'>
}

/** Opens both. Throws an Error that names the port and the cause. */
export async function openSite(site: SiteOptions): Promise<AsyncDisposable & { readonly port: number }> {
  const { options, log } = site
  site.metrics.watchFindings(site.findings)
  const main = await openListener({ site, host: options.httpHost, port: options.httpPort })
  let probes: Listener | undefined
  try {
    probes = options.probePort === undefined
      ? undefined
      : await openListener({
        site, host: options.probeHost, port: options.probePort, flag: '--health-probe-port',
      })
  } catch (error) {
    await main[Symbol.asyncDispose]()
    throw error
  }
  log.info('listening', { port: main.port, probes: probes?.port ?? 0 })
  return {
    port: main.port,
    [Symbol.asyncDispose]: async () => {
      await probes?.[Symbol.asyncDispose]()
      await main[Symbol.asyncDispose]()
    },
  }
}
