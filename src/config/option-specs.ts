/** The table of commands and options: parsing, help text and environment come from it. */

export interface OptionSpec {
  readonly type: 'string' | 'boolean'
  readonly commands: readonly string[]
  /** What stands after the name in the help text. */
  readonly value?: string
  readonly about: string
  readonly short?: string
  readonly multiple?: boolean
  readonly env?: string
  /** Of a command whose value differs. */
  readonly variants?: Readonly<Record<string, { readonly value: string; readonly about: string }>>
  /** Taken, and without effect: not in the help text, and a warning where it is given. */
  readonly isIgnored?: true
}

const readers = ['check', 'plan', 'convert', 'standalone']
const roles = ['controller', 'speaker']
/** Programs that meet others of their kind. */
const meeters = ['standalone', 'speaker']
const servers = ['standalone', ...roles]

/** Options of MetalLB that have no effect here, taken so that its manifests start this program. */
function silent(
  commands: readonly string[], names: { string: readonly string[]; boolean: readonly string[] },
): Readonly<Record<string, OptionSpec>> {
  const spec = (type: OptionSpec['type']) => (name: string): [string, OptionSpec] =>
    [name, { type, commands, about: '', isIgnored: true, ...(type === 'string' ? { value: 'TEXT' } : {}) }]
  return Object.fromEntries([
    ...names.string.map(spec('string')), ...names.boolean.map(spec('boolean')),
  ])
}

/** Each option once; `commands` says who takes it. */
export const specs: Readonly<Record<string, OptionSpec>> = {
  output: {
    type: 'string', short: 'o', value: 'table|json|yaml', about: 'output form (default table)',
    commands: ['check', 'plan', 'convert', 'status'],
    variants: { convert: { value: 'yaml|json', about: 'output form (default yaml)' } },
  },
  namespace: {
    type: 'string', value: 'NAME', env: 'METALLB_NAMESPACE', commands: [...readers, ...roles],
    about: 'release namespace: pools and advertisements elsewhere are ignored',
  },
  placement: {
    type: 'string', value: 'sticky|hash', commands: ['plan', ...servers],
    about: 'who owns an address: kept and balanced, or MetalLB\'s election (default sticky)',
  },
  'lb-class': {
    type: 'string', value: 'CLASS', commands: ['check', 'plan', ...servers],
    about: 'serve only Services of this loadBalancerClass (default: only those without)',
  },
  'announce-everywhere': {
    type: 'boolean', commands: ['plan', ...servers],
    about: 'announce also on interfaces without a prefix that covers the address',
  },
  'ignore-exclude-lb': {
    type: 'boolean', commands: ['plan', ...servers],
    about: 'announce also from nodes labelled exclude-from-external-load-balancers',
  },
  'node-name': {
    type: 'string', value: 'NAME', env: 'METALLB_NODE_NAME', commands: ['standalone', 'speaker'],
    about: 'name of the Node this runs on',
    variants: { standalone: { value: 'NAME', about: 'name of this host (default: its hostname)' } },
  },
  'node-label': {
    type: 'string', multiple: true, value: 'KEY=VALUE', commands: ['standalone'],
    about: 'label of this host for node selectors; may be repeated',
  },
  'state-dir': {
    type: 'string', value: 'DIR', commands: ['standalone'],
    about: 'where assigned addresses are remembered (default /var/lib/arpeggio)',
  },
  join: {
    type: 'string', value: 'ADDRESS,…', commands: ['standalone'],
    about: 'share the addresses with these hosts; the same list may stand on each',
  },
  forget: {
    type: 'string', multiple: true, value: 'HOST', commands: ['standalone'],
    about: 'count this host of the group no more, it does not come back; see the log; may be repeated',
  },
  'http-port': {
    type: 'string', value: 'PORT', commands: servers,
    about: 'port of status, metrics and probes (default 7472)',
  },
  'http-host': {
    type: 'string', value: 'ADDRESS', commands: servers,
    about: 'address to listen on (default: all)',
  },
  'no-forward': {
    type: 'boolean', commands: ['standalone'],
    about: 'announce only; leave nftables alone',
  },
  'set-sysctls': {
    type: 'boolean', commands: ['standalone'], about: 'switch on IP forwarding where it is off',
  },
  'log-level': {
    type: 'string', value: 'LEVEL', commands: servers,
    about: 'all, debug, info, warn, error or none (default info)',
  },
  kubeconfig: {
    type: 'string', value: 'FILE', env: 'KUBECONFIG', commands: roles,
    about: 'how to reach the API server (default: the Pod\'s service account)',
  },
  'pod-name': {
    type: 'string', value: 'NAME', env: 'METALLB_POD_NAME', commands: roles,
    about: 'own Pod: names who leads, and owns what is written about this process',
  },
  'health-probe-port': {
    type: 'string', value: 'PORT', commands: roles,
    about: 'port of /healthz and /readyz for the kubelet; 0 = none (default 17472)',
  },
  'ml-secret-name': {
    type: 'string', value: 'NAME', env: 'METALLB_ML_SECRET_NAME', commands: ['controller'],
    about: 'secret to make for the speakers (default: none)',
  },
  deployment: {
    type: 'string', value: 'NAME', env: 'METALLB_DEPLOYMENT', commands: ['controller'],
    about: 'Deployment that owns the secret',
  },
  'ml-labels': {
    type: 'string', value: 'SELECTOR', env: 'METALLB_ML_LABELS', commands: roles,
    about: 'labels of the speakers\' Pods (default app=metallb,component=speaker)',
  },
  'ml-bindaddr': {
    type: 'string', value: 'ADDRESS', env: 'METALLB_ML_BIND_ADDR', commands: meeters,
    about: 'own address, which the others dial (default: the Pod\'s)',
    variants: {
      standalone: {
        value: 'ADDRESS', about: 'own address, which the others dial (default: the one beside --join\'s)',
      },
    },
  },
  'ml-bindport': {
    type: 'string', value: 'PORT', env: 'METALLB_ML_BIND_PORT', commands: meeters,
    about: 'TCP and UDP port of membership, the same on all nodes (default 7946)',
  },
  'ml-secret-key-path': {
    type: 'string', value: 'DIR', env: 'METALLB_ML_SECRET_KEY_PATH', commands: meeters,
    about: 'folder whose file "secretkey" encrypts membership (default: plain text)',
  },
  'ml-wan-config': {
    type: 'boolean', commands: ['speaker'],
    about: 'slower membership timers, for nodes that are far apart',
  },
  port: {
    type: 'string', value: 'PORT', commands: roles,
    about: 'MetalLB\'s name of --http-port',
  },
  'webhook-mode': {
    type: 'string', value: 'enabled|disabled', commands: ['controller'],
    about: 'refuse pools that overlap, and edits that drop addresses in use (default disabled)',
  },
  'webhook-port': {
    type: 'string', value: 'PORT', commands: ['controller'],
    about: 'HTTPS port of the webhook (default 9443)',
  },
  'webhook-secret': {
    type: 'string', value: 'NAME', commands: ['controller'],
    about: 'secret of its certificate, made here (default metallb-webhook-cert)',
  },
  'cert-service-name': {
    type: 'string', value: 'NAME', commands: ['controller'],
    about: 'Service that leads to it (default metallb-webhook-service)',
  },
  'webhook-cert-hours': {
    type: 'string', value: 'HOURS', commands: ['controller'],
    about: 'how long a certificate is good; replaced after two thirds (default 8760)',
  },
  ...silent(['controller'], {
    string: ['cert-dir'], boolean: ['disable-cert-rotation', 'webhook-http2'],
  }),
  ...silent(['speaker'], {
    string: ['host', 'bgp-debounce-timeout', 'frrk8s-namespace'],
    boolean: ['frrk8s-secret-passthrough'],
  }),
  ...silent(roles, {
    string: [
      'pprof-bind-address', 'tls-min-version', 'tls-cipher-suites', 'tls-curve-preferences',
      'metrics-cert-dir',
    ],
    boolean: [],
  }),
  url: {
    type: 'string', value: 'URL', commands: ['status'],
    about: 'where to ask (default http://127.0.0.1:7472)',
  },
}

/** Each command once, as the help text lists them. */
export const commands: Readonly<Record<string, { readonly takes?: string; readonly about: string }>> = {
  controller: { about: 'assign addresses to the Services of a cluster' },
  speaker: { about: 'announce the addresses of a cluster from this node' },
  standalone: {
    takes: 'PATH…', about: 'serve Services from YAML files on this host, without a cluster',
  },
  check: {
    takes: 'PATH…',
    about: 'validate configuration, and what Services ask for; exit 1 and every problem if it is bad',
  },
  plan: {
    takes: 'PATH…', about: 'which address each Service would get and which node would announce it',
  },
  convert: { takes: 'PATH…', about: 'legacy ConfigMap to IPAddressPool and L2Advertisement manifests' },
  status: {
    about: 'ask a running program; exit 1 if its configuration is not in force, or it tells of trouble',
  },
  version: { about: 'which version this is' },
  help: { takes: '[COMMAND]', about: 'this text, or the options of a command' },
}

/** How a command is written, without its options. */
export function synopsis(command: string): string {
  const takes = commands[command]?.takes
  return `arpeggio ${command}${takes === undefined ? '' : ` ${takes}`}`
}

/** The help text of the program, or of one command. */
export function helpText(command?: string): string {
  if (command === undefined) {
    const names = Object.keys(commands)
    const width = Math.max(...names.map((name) => synopsis(name).length))
    const rows = names.map((name) => `  ${synopsis(name).padEnd(width)}  ${commands[name]?.about}`)
    return ['Arpeggio, a layer-2 load balancer', '', ...rows, '',
      'PATH is a file, a folder (its *.yaml, *.yml and *.json) or - for standard input.',
      'Exit codes: 0 good; 1 bad news: input that is wrong, empty or not to be read, a Service refused or',
      'silent in plan, a status that tells of trouble (README.md: of which), nobody who answers;',
      '2 wrong usage.',
      'Options of a command: arpeggio COMMAND --help'].join('\n')
  }
  const rows = Object.entries(specs)
    .filter(([, spec]) => spec.commands.includes(command) && spec.isIgnored !== true)
    .map(([name, spec]) => {
      const { value, about } = spec.variants?.[command] ?? spec
      const short = spec.short === undefined ? '' : `-${spec.short}, `
      const left = `  ${short}--${name}${value === undefined ? '' : ` ${value}`}`
      const env = spec.env === undefined ? '' : ` [${spec.env}]`
      return `${left.padEnd(34)} ${about}${env}`
    })
  const head = `${synopsis(command)}  ${commands[command]?.about}`
  return rows.length === 0 ? head : [head, '', ...rows].join('\n')
}
