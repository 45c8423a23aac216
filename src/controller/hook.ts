/** Opens the admission webhook where it is asked for; nothing of it is loaded otherwise. */
import type { Webhook } from '../admission/webhook.ts'
import type { Feed } from '../cluster/feed.ts'
import type { Intake } from '../cluster/intake.ts'
import type { ControllerOptions } from '../config/role-options.ts'
import type { Api } from '../kube/api.ts'
import { whenAnswered } from '../kube/patience.ts'
import type { Writer } from '../kube/writer.ts'
import type { Log } from '../log.ts'
import { ownersOf } from './secret.ts'

export interface HookOptions {
  readonly options: Pick<ControllerOptions, 'webhook' | 'deployment' | 'loadBalancerClass'>
  readonly api: Api
  readonly log: Log
  readonly namespace: string
  readonly feed: Feed
  readonly intake: Intake
  /** Writes while this process leads. */
  readonly writer: Writer
  readonly wall: () => Date
  readonly stopped: Promise<unknown>
  /** A turn is wanted. */
  readonly onChange: () => void
}

/** undefined = it is off, or the end came before the API server answered. */
export async function openHook(parts: HookOptions): Promise<Webhook | undefined> {
  const { api, log, namespace, feed, intake, writer, wall, stopped, onChange } = parts
  const { webhook, deployment, loadBalancerClass } = parts.options
  if (webhook === undefined) return undefined
  const owners = await whenAnswered(log, stopped, () => ownersOf({ api, namespace, deployment }))
  if (owners === undefined) return undefined
  const { openWebhook } = await import('../admission/webhook.ts')
  return openWebhook({
    ...webhook, api, log, writer, namespace, owners, loadBalancerClass, wall, onChange,
    isReady: () => feed.isSynced, configObjects: feed.configObjects, inForce: () => intake.config,
    services: () => [...feed.services.values()].map(({ intent }) => intent),
  })
}
