/** Options of the two roles in a cluster: MetalLB's flags where they mean the same. */
import { parseAddress } from '../net/address.ts'
import type { Address } from '../net/model.ts'
import { specs } from './option-specs.ts'
import {
  choose, isUsage, type LogLevel, parseNodeName, parsePort, type Usage, usage, type Values,
} from './option-values.ts'

/** What both roles take. */
export interface RoleOptions {
  readonly kubeconfig: string | undefined
  /** undefined = that of the service account. */
  readonly namespace: string | undefined
  readonly podName: string | undefined
  readonly httpHost: string | undefined
  readonly httpPort: number
  /** undefined = every address. */
  readonly probeHost: string | undefined
  /** undefined = none. */
  readonly probePort: number | undefined
  readonly logLevel: LogLevel
  readonly loadBalancerClass: string
  readonly placement: 'sticky' | 'hash'
  readonly announceEverywhere: boolean
  readonly ignoreExcludeLabel: boolean
  /** Label selector of the speakers' Pods. */
  readonly speakerLabels: string
  /** Names of options that were given and have no effect. */
  readonly ignored: readonly string[]
}

export interface ControllerOptions extends RoleOptions {
  /** '' = no secret is made. */
  readonly memberlistSecret: string
  /** '' = nobody owns it. */
  readonly deployment: string
  /** undefined = none is served. */
  readonly webhook: WebhookChoice | undefined
}

export interface WebhookChoice {
  readonly port: number
  /** Name of the Secret with its certificate. */
  readonly secret: string
  /** Name of the Service that leads to it. */
  readonly service: string
  /** Of a new certificate. */
  readonly validityMs: number
}

export interface SpeakerOptions extends RoleOptions {
  readonly nodeName: string
  readonly membership: MembershipChoice
}

/** How a speaker meets the others. */
export interface MembershipChoice {
  /** undefined = that of the speaker's Pod. */
  readonly bindAddress: Address | undefined
  readonly bindPort: number
  /** Folder with the file `secretkey`; undefined = plain text. */
  readonly secretKeyPath: string | undefined
  readonly profile: 'lan' | 'wan'
}

export type RoleCommand =
  | { readonly kind: 'controller'; readonly options: ControllerOptions }
  | { readonly kind: 'speaker'; readonly options: SpeakerOptions }

const levels = ['all', 'debug', 'info', 'warn', 'error', 'none'] as const

/** The command of a role, or what is wrong with its options. */
export function buildRole(
  name: 'controller' | 'speaker', values: Values, positionals: readonly string[],
): RoleCommand | Usage {
  const text = (key: string): string => {
    const value = values[key]
    return typeof value === 'string' ? value : ''
  }
  if (positionals.length > 0) {
    return usage(`Unexpected "${positionals.join(' ')}": ${name} reads its configuration from the cluster`)
  }
  const logLevel = choose('log-level', text('log-level') || 'info', levels)
  if (isUsage(logLevel)) return logLevel
  const placement = choose('placement', text('placement') || 'sticky', ['sticky', 'hash'] as const)
  if (isUsage(placement)) return placement
  const httpPort = parsePort('http-port', text('http-port') || text('port') || '7472')
  if (isUsage(httpPort)) return httpPort
  const probePort = parsePort('health-probe-port', text('health-probe-port') || '17472')
  if (isUsage(probePort)) return probePort
  const shared: RoleOptions = {
    kubeconfig: text('kubeconfig') || undefined,
    namespace: text('namespace') || undefined,
    podName: text('pod-name') || undefined,
    httpHost: text('http-host') || undefined,
    httpPort,
    // As MetalLB: a speaker's Pod has the node's network, where others may look.
    probeHost: name === 'speaker' ? '127.0.0.1' : undefined,
    probePort: probePort === 0 ? undefined : probePort,
    logLevel,
    loadBalancerClass: text('lb-class'),
    placement,
    announceEverywhere: values['announce-everywhere'] === true,
    ignoreExcludeLabel: values['ignore-exclude-lb'] === true,
    speakerLabels: text('ml-labels') || 'app=metallb,component=speaker',
    ignored: Object.keys(values).filter((key) => specs[key]?.isIgnored === true),
  }
  if (name === 'controller') {
    const webhook = chooseWebhook(text)
    if (isUsage(webhook)) return webhook
    const memberlistSecret = text('ml-secret-name')
    return {
      kind: 'controller',
      options: { ...shared, memberlistSecret, deployment: text('deployment'), webhook: webhook.choice },
    }
  }
  const nodeName = parseNodeName(text('node-name'))
  if (isUsage(nodeName)) return nodeName
  if (nodeName === '') return usage('Missing --node-name (or METALLB_NODE_NAME): the name of this Node')
  const membership = chooseMembership(text, values['ml-wan-config'] === true ? 'wan' : 'lan')
  if (isUsage(membership)) return membership
  return { kind: 'speaker', options: { ...shared, nodeName, membership } }
}

/** Ten years; a longer life is no certificate but a habit. */
const maxHours = 87_600
const hourMs = 3_600_000

function chooseWebhook(
  text: (key: string) => string,
): { readonly choice: WebhookChoice | undefined } | Usage {
  const mode = choose('webhook-mode', text('webhook-mode') || 'disabled', ['enabled', 'disabled'] as const)
  if (isUsage(mode)) return mode
  const port = parsePort('webhook-port', text('webhook-port') || '9443')
  if (isUsage(port)) return port
  const hours = text('webhook-cert-hours') || '8760'
  if (!/^\d{1,5}$/.test(hours) || Number(hours) < 1 || Number(hours) > maxHours) {
    return usage(`Bad value "${hours}" of --webhook-cert-hours: want a number from 1 to ${maxHours}`)
  }
  const secret = text('webhook-secret') || 'metallb-webhook-cert'
  const service = text('cert-service-name') || 'metallb-webhook-service'
  const choice = { port, secret, service, validityMs: Number(hours) * hourMs }
  return { choice: mode === 'enabled' ? choice : undefined }
}

function chooseMembership(
  text: (key: string) => string, profile: MembershipChoice['profile'],
): MembershipChoice | Usage {
  const bindText = text('ml-bindaddr')
  const bindPort = parsePort('ml-bindport', text('ml-bindport') || '7946', 1)
  if (isUsage(bindPort)) return bindPort
  const bindAddress = bindText === '' ? undefined : parseAddress(bindText)
  if (bindText !== '' && (bindAddress === undefined || bindAddress.bits === 0n)) {
    return usage(`Bad value "${bindText}" of --ml-bindaddr: want an address of this node`)
  }
  return { bindAddress, bindPort, secretKeyPath: text('ml-secret-key-path') || undefined, profile }
}
