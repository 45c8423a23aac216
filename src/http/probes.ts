/** The answers that are asked for every few seconds: probes and metrics. */
import type { StatusDocument } from './status.ts'

export interface Site {
  /** Why the program is not ready yet; undefined = ready. */
  readonly notReady: () => string | undefined
  readonly status: () => StatusDocument
  readonly metrics: { readonly contentType: string; text(): Promise<string> }
}

export interface Answer {
  readonly status: 200 | 503
  readonly contentType: string
  readonly text: string
}

const plain = 'text/plain; charset=UTF-8'

export const probePaths = ['/healthz', '/readyz', '/metrics'] as const
export type ProbePath = typeof probePaths[number]

/** What is answered at one of these paths. */
export async function answerProbe(site: Site, path: ProbePath): Promise<Answer> {
  switch (path) {
    case '/healthz':
      return { status: 200, contentType: plain, text: 'ok\n' }
    case '/readyz': {
      const reason = site.notReady()
      return { status: reason === undefined ? 200 : 503, contentType: plain, text: `${reason ?? 'ok'}\n` }
    }
    case '/metrics':
      return { status: 200, contentType: site.metrics.contentType, text: await site.metrics.text() }
  }
}
