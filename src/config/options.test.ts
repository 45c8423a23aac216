/** Command lines and environment: what is refused, what becomes of the rest. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { commands, helpText } from './option-specs.ts'
import { type Command, parseCommand } from './options.ts'

const refused = [
  { argv: ['chek', 'x'],
    want: /^Unknown command "chek": want one of controller, speaker, standalone, check/ },
  { argv: ['check'], want: /^Missing file or folder: arpeggio check PATH/ },
  { argv: ['check', '-o', 'xml', 'f'], want: /^Bad value "xml" of --output: want table, json, yaml$/ },
  { argv: ['convert', '-o', 'table', 'f'], want: /^Bad value "table" of --output: want yaml, json$/ },
  { argv: ['convert', '-o', 'wide', 'f'], want: /^Bad value "wide" of --output: want yaml, json$/ },
  { argv: ['convert', '-o', 'yaml'], want: /^Missing file or folder: arpeggio convert PATH…$/ },
  { argv: ['status', '192.0.2.1'], want: /^Unexpected "192.0.2.1": status takes options only$/ },
  ...['', 'http://', '192.0.2.1:99999', 'http://[2001:db8::1', 'ftp://192.0.2.1', 'a b'].map((url) => ({
    argv: ['status', '--url', url], want: /^Bad value ".*" of --url: want http:\/\/HOST:PORT$/,
  })),
  { argv: ['version', 'x'], want: /^Unexpected "x": version takes options only$/ },
  { argv: ['help', 'chek'], want: /^Unknown command "chek"/ },
  { argv: ['check', '--placement', 'hash', 'f'], want: /^Unknown option '--placement'/ },
  { argv: ['plan', '--placement', 'best', 'f'], want: /^Bad value "best" of --placement/ },
  { argv: ['standalone', '--http-port', '70000', 'f'], want: /^Bad value "70000" of --http-port/ },
  { argv: ['standalone', '--http-port', 'x', 'f'], want: /^Bad value "x" of --http-port/ },
  { argv: ['standalone', '--join', '192.0.2.1,here', 'f'], want: /^Bad value "here" of --join/ },
  { argv: ['standalone', '--join', '', 'f'], want: /^Bad value "" of --join: want addresses of hosts/ },
  { argv: ['standalone', '--join', '0.0.0.0', 'f'], want: /^Bad value "0.0.0.0" of --join/ },
  { argv: ['standalone', '--join', '192.0.2.1,127.0.0.1', 'f'],
    want: /^Bad value "127.0.0.1" of --join: there each host meets itself, and no other; give the/ },
  { argv: ['standalone', '--join', '::1', '--ml-bindaddr', '2001:db8::1', 'f'],
    want: /^Bad value "::1" of --join: there each host meets itself/ },
  { argv: ['standalone', '--join', '192.0.2.1', '--ml-bindaddr', 'x', 'f'],
    want: /^Bad value "x" of --ml-bindaddr/ },
  { argv: ['standalone', '--join', '192.0.2.1', '--ml-bindport', 'x', 'f'],
    want: /^Bad value "x" of --ml-bindport/ },
  ...[['standalone', '--join', '192.0.2.1', 'f'], ['speaker', '--node-name', 'n']].map((argv) => ({
    argv: [...argv, '--ml-bindport', '0'],
    want: /^Bad value "0" of --ml-bindport: want a port number from 1 to 65535$/,
  })),
  ...['Bad Name!', 'Node', '-a', 'a-', 'a..b', 'a.', 'a_b', 'ä', `${'a'.repeat(254)}`].flatMap((name) =>
    [['standalone', 'f'], ['speaker']].map((argv) => ({
      argv: [...argv, `--node-name=${name}`],
      want: /^Bad value ".*" of --node-name: want the name of a Node, .*lower-case letters, digits/,
    }))),
  { argv: ['standalone', '--join', '192.0.2.1', '--forget', '', 'f'],
    want: /^Bad value "" of --forget: want/ },
  { argv: ['standalone', '--join', '192.0.2.1', '--node-name', 'a', '--forget', 'a', 'f'],
    want: /^Bad value "a" of --forget: it is this host; tell another one$/ },
  { argv: ['standalone', '--forget', 'a', 'f'], want: /^--forget means nothing without --join/ },
  { argv: ['standalone', '--ml-bindaddr', '192.0.2.1', 'f'],
    want: /^--ml-bindaddr means nothing without --join/ },
  { argv: ['standalone', '--ml-bindport', '7946', 'f'], want: /^--ml-bindport means nothing without --join/ },
  { argv: ['standalone', '--ml-secret-key-path', 'd', 'f'],
    want: /^--ml-secret-key-path means nothing without --join/ },
  { argv: ['standalone', '-'], want: /^Standard input can be read once only/ },
  { argv: ['standalone', '--node-label', 'edge', 'f'], want: /^Bad value "edge" of --node-label/ },
  { argv: ['standalone', '--log-level', 'loud', 'f'], want: /^Bad value "loud" of --log-level/ },
]
for (const { argv, want } of refused) {
  test(`parseCommand refuses: ${argv.join(' ')}`, () => {
    const command = parseCommand(argv, {})
    assert.is(command.kind, 'usage')
    assert.match(command.kind === 'usage' ? command.message : '', want)
  })
}

test('parseCommand: no arguments and help forms', () => {
  for (const argv of [[], ['help'], ['--help'], ['-h'], ['check', '--help'], ['help', 'check']]) {
    assert.is(parseCommand(argv, {}).kind, 'help')
  }
  assert.equal(parseCommand(['help', 'check'], {}), parseCommand(['check', '--help'], {}))
  assert.is(parseCommand(['--version'], {}).kind, 'version')
})

test('the help text lists every command, and no other', () => {
  // The compiler asks for each kind of a command here.
  const kinds: Readonly<Record<Command['kind'], true>> = {
    controller: true, speaker: true, standalone: true, check: true, plan: true, convert: true, status: true,
    version: true, help: true,
  }
  const listed = [...helpText().matchAll(/^ {2}arpeggio (\S+)/gm)].map(([, name]) => name)
  assert.equal(listed, Object.keys(commands))
  assert.equal(listed.toSorted(), Object.keys(kinds).toSorted())
  for (const name of Object.keys(commands)) {
    const command = parseCommand([name, '--help'], {})
    assert.ok(command.kind === 'help' && command.text !== '', name)
    const bare = parseCommand([name, ...name === 'speaker' ? ['--node-name', 'n'] : []], {})
    const found = bare.kind === 'usage' ? bare.message : bare.kind
    assert.ok([name, `Missing file or folder: arpeggio ${name} PATH…`].includes(found), found)
  }
})

test('parseCommand: convert writes YAML unless told otherwise', () => {
  const outputs = [[], ['-o', 'yaml'], ['-o', 'json']].map((argv) => {
    const command = parseCommand(['convert', ...argv, 'f'], {})
    return command.kind === 'convert' ? command.options.output : command.kind
  })
  assert.equal(outputs, ['yaml', 'yaml', 'json'])
  assert.ok(helpText('convert').includes('-o, --output yaml|json '))
})

test('parseCommand: standalone with its defaults', () => {
  assert.equal(parseCommand(['standalone', 'conf'], {}), {
    kind: 'standalone',
    options: {
      paths: ['conf'], namespace: undefined, placement: 'sticky', loadBalancerClass: '',
      announceEverywhere: false, ignoreExcludeLabel: false, nodeName: undefined, nodeLabels: {},
      stateDir: '/var/lib/arpeggio', httpHost: undefined, httpPort: 7472, logLevel: 'info',
      setSysctls: false, forward: true, group: undefined,
    },
  })
})

test('parseCommand: every option of standalone', () => {
  const command = parseCommand([
    'standalone', '-http-port=8080', '--http-host', '192.0.2.1', '--no-forward', '--set-sysctls',
    '--node-name=n', '--node-label', 'a=b', '--node-label', 'edge=', '--state-dir', 's',
    '--log-level', 'debug', '--placement=hash', '--lb-class', 'x/y', '--announce-everywhere=true',
    '-ignore-exclude-lb', '--namespace', 'ns', 'f', 'g',
  ], {})
  assert.equal(command.kind === 'standalone' ? command.options : command, {
    paths: ['f', 'g'], namespace: 'ns', placement: 'hash', loadBalancerClass: 'x/y',
    announceEverywhere: true, ignoreExcludeLabel: true, nodeName: 'n',
    nodeLabels: { a: 'b', edge: '' }, stateDir: 's', httpHost: '192.0.2.1', httpPort: 8080,
    logLevel: 'debug', setSysctls: true, forward: false, group: undefined,
  })
})

test('parseCommand: switches in Go\'s form, also one with a digit in its name', () => {
  for (const value of ['true', 'false']) {
    const argv = ['standalone', `--set-sysctls=${value}`, '-announce-everywhere=false', 'f']
    const command = parseCommand(argv, {})
    assert.equal(command.kind === 'standalone'
      ? [command.options.setSysctls, command.options.announceEverywhere]
      : command, [value === 'true', false])
    assert.is(parseCommand(['controller', `--webhook-http2=${value}`], {}).kind, 'controller')
  }
})

test('parseCommand: standalone with others', () => {
  const group = (...argv: readonly string[]): unknown => {
    const command = parseCommand(['standalone', 'conf', ...argv], {})
    return command.kind === 'standalone' ? command.options.group : command
  }
  const [a, b] = [{ family: 'ipv4', bits: 0xc0000201n }, { family: 'ipv4', bits: 0xc0000202n }]
  assert.equal(group('--join', '192.0.2.1, 192.0.2.2'), {
    join: [a, b], bindAddress: undefined, bindPort: 7946, secretKeyPath: undefined, forgets: [],
  })
  const [here, there] = [{ family: 'ipv4', bits: 0x7f000002n }, { family: 'ipv4', bits: 0x7f000003n }]
  assert.equal(group('--join', '127.0.0.2,127.0.0.3', '--ml-bindaddr', '127.0.0.2'), {
    join: [here, there], bindAddress: here, bindPort: 7946, secretKeyPath: undefined, forgets: [],
  })
  const all = ['--join=192.0.2.1', '--ml-bindaddr', '192.0.2.2', '--ml-bindport=7947',
    '--ml-secret-key-path', 'k', '--forget', 'x', '--forget=y']
  assert.equal(group(...all), {
    join: [a], bindAddress: b, bindPort: 7947, secretKeyPath: 'k', forgets: ['x', 'y'],
  })
})

test('parseCommand: environment fills in, flags win, empty values are absent', () => {
  const env = { METALLB_NODE_NAME: 'from-env', METALLB_NAMESPACE: '' }
  const byEnv = parseCommand(['standalone', 'f'], env)
  assert.is(byEnv.kind === 'standalone' ? byEnv.options.nodeName : '', 'from-env')
  assert.is(byEnv.kind === 'standalone' ? byEnv.options.namespace : '', undefined)
  const byFlag = parseCommand(['standalone', '--node-name', 'n', 'f'], env)
  assert.is(byFlag.kind === 'standalone' ? byFlag.options.nodeName : '', 'n')
})

test('parseCommand: where to ask for the status', () => {
  const urls = [[], ['--url', '192.0.2.1:7473'], ['--url=https://[2001:db8::1]:7472/']].map((argv) => {
    const command = parseCommand(['status', ...argv], {})
    return command.kind === 'status' ? command.url : command.kind
  })
  assert.equal(urls, ['http://127.0.0.1:7472', 'http://192.0.2.1:7473', 'https://[2001:db8::1]:7472/'])
})

test('parseCommand: the output form, as kubectl takes it', () => {
  for (const argv of [['-o', 'json'], ['-ojson'], ['-o=json'], ['--output', 'json'], ['--output=json']]) {
    const command = parseCommand(['check', ...argv, 'f'], {})
    assert.is(command.kind === 'check' ? command.options.output : command.kind, 'json', argv.join(' '))
  }
})

test('parseCommand: check is told whose Services it is to look at', () => {
  const command = parseCommand(['check', 'f', '--lb-class', 'example.com/x'], {})
  assert.is(command.kind === 'check' ? command.options.loadBalancerClass : command.kind, 'example.com/x')
})

test('parseCommand: a dash is standard input, -o a short option', () => {
  const command = parseCommand(['check', '-o', 'json', '-'], {})
  assert.equal(command, {
    kind: 'check', options: { output: 'json', namespace: undefined, paths: ['-'], loadBalancerClass: '' },
  })
})

const memberships: readonly (readonly [it: string, argv: readonly string[], want: unknown])[] = [
  ['without an address: the Pod\'s', [], {
    bindAddress: undefined, bindPort: 7946, secretKeyPath: undefined, profile: 'lan',
  }],
  ['without an address: port and secret as given', ['--ml-bindport=7000', '--ml-secret-key-path=keys'], {
    bindAddress: undefined, bindPort: 7000, secretKeyPath: 'keys', profile: 'lan',
  }],
  ['MetalLB\'s defaults', ['--ml-bindaddr', '192.0.2.1'], {
    bindAddress: { family: 'ipv4', bits: 0xc0000201n }, bindPort: 7946, secretKeyPath: undefined,
    profile: 'lan',
  }],
  ['every option', [
    '-ml-bindaddr=2001:db8::1', '-ml-bindport=7000', '-ml-secret-key-path=keys', '-ml-wan-config',
  ], {
    bindAddress: { family: 'ipv6', bits: (0x20010db8n << 96n) + 1n }, bindPort: 7000, secretKeyPath: 'keys',
    profile: 'wan',
  }],
]
for (const [it, argv, want] of memberships) {
  test(`parseCommand: membership of a speaker: ${it}`, () => {
    const command = parseCommand(['speaker', '--node-name', 'n', ...argv], {})
    assert.equal(command.kind === 'speaker' ? command.options.membership : command, want)
  })
}

test('parseCommand: membership of a speaker comes from the environment of MetalLB\'s manifests', () => {
  const env = {
    METALLB_NODE_NAME: 'n', METALLB_ML_BIND_ADDR: '192.0.2.1', METALLB_ML_BIND_PORT: '7947',
    METALLB_ML_SECRET_KEY_PATH: '/etc/ml_secret_key',
  }
  const command = parseCommand(['speaker'], env)
  assert.equal(command.kind === 'speaker' ? command.options.membership : command, {
    bindAddress: { family: 'ipv4', bits: 0xc0000201n }, bindPort: 7947,
    secretKeyPath: '/etc/ml_secret_key', profile: 'lan',
  })
})

for (const address of ['host', '0.0.0.0', '192.0.2.1:7946']) {
  test(`parseCommand: a speaker cannot be reached at ${address}`, () => {
    const command = parseCommand(['speaker', '--node-name', 'n', '--ml-bindaddr', address], {})
    assert.match(command.kind === 'usage' ? command.message : '', /of --ml-bindaddr: want an address/)
  })
}

const hour = 3_600_000
const hooks: readonly (readonly [it: string, argv: readonly string[], want: unknown])[] = [
  ['off unless asked for', [], undefined],
  ['off, as MetalLB says it', ['--webhook-mode=disabled', '--webhook-port=1'], undefined],
  ['on, with MetalLB\'s names and port', ['--webhook-mode=enabled'], {
    port: 9443, secret: 'metallb-webhook-cert', service: 'metallb-webhook-service', validityMs: 8760 * hour,
  }],
  ['every option', [
    '-webhook-mode=enabled', '-webhook-port=10250', '-webhook-secret=s', '-cert-service-name=n',
    '-webhook-cert-hours=1',
  ], { port: 10_250, secret: 's', service: 'n', validityMs: hour }],
  ['a mode that would not allocate', ['--webhook-mode=onlywebhook'],
    'Bad value "onlywebhook" of --webhook-mode: want enabled, disabled'],
  ['no port', ['--webhook-port=x'],
    'Bad value "x" of --webhook-port: want a port number from 0 to 65535'],
  ...['0', 'x', '87601'].map((hours) => [`a life of ${hours}`, [`--webhook-cert-hours=${hours}`],
    `Bad value "${hours}" of --webhook-cert-hours: want a number from 1 to 87600`] as const),
]
for (const [it, argv, want] of hooks) {
  test(`parseCommand: webhook of a controller: ${it}`, () => {
    const command = parseCommand(['controller', ...argv], {})
    const found = command.kind === 'usage' ? command.message
      : command.kind === 'controller' ? command.options.webhook : command.kind
    assert.equal(found, want)
  })
}

test('parseCommand: names of Nodes as Kubernetes has them', () => {
  for (const name of ['n', '1', 'node-1', 'a--b', 'node.example.com', 'a'.repeat(253)]) {
    const command = parseCommand(['standalone', '--node-name', name, 'f'], {})
    assert.is(command.kind === 'standalone' ? command.options.nodeName : '', name)
  }
})

test('helpText: a default that differs between the roles is told by each for itself', () => {
  assert.match(helpText('speaker'), /--ml-bindaddr ADDRESS +own address.* \(default: the Pod's\) \[MET/)
  assert.match(helpText('standalone'), /--ml-bindaddr ADDRESS +own address.*: the one beside --join's\)/)
  assert.match(helpText('speaker'), /--node-name NAME +name of the Node this runs on \[METALLB_NODE_NAME\]/)
})

test('helpText: every option of a command, with its environment variable', () => {
  const text = helpText('standalone')
  for (const word of ['--state-dir DIR', '--http-port PORT', '[METALLB_NODE_NAME]', '--no-forward']) {
    assert.ok(text.includes(word), word)
  }
  assert.not.ok(text.includes('--output'), 'not an option of standalone')
})

test.run()
