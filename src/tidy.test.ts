/** What is forbidden in this repository: each finding names the file, the line and the rule. */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import ts from 'typescript'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

/**
 * The import rule: each part (a folder of src, or a file at its top) with the parts it may import
 * and why. What is not written here is forbidden; a new part is a new line.
 */
const imports: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'net': {},
  'config': { net: 'addresses in documents become values while they are read' },
  'ipam': { net: 'ranges are searched', config: 'pools and intents are planned' },
  'l2': { net: 'addresses are announced', config: 'advertisements select nodes and Services' },
  'plan': {
    net: 'addresses are printed', config: 'the world is its input', ipam: 'one half of a decision',
    l2: 'the other half', ownership: 'rights are shown as announcements',
  },
  'ownership': {
    net: 'addresses are owned', l2: 'frames are built and read, and its election reused',
    config: 'its tests name addresses',
  },
  'group': {
    net: 'addresses are printed', config: 'objects are compared and read', ipam: 'addresses are given',
    l2: 'an allocator is elected as an owner is',
  },
  'membership/wire': { l2: 'its test reads golden bytes as hex' },
  'membership': {
    net: 'instants are Millis', l2: 'timers are a schedule', 'membership/wire': 'messages are heard and sent',
  },
  'membership/net': {
    net: 'addresses are values', membership: 'it performs what the ring wants',
    'membership/wire': 'frames are read', l2: 'its test reads golden bytes as hex',
  },
  'l2/linux': { net: 'interfaces have addresses', l2: 'it performs what the engine wants' },
  'forward': {
    net: 'rules name addresses', config: 'Services and endpoints become rules',
    l2: 'the state of interfaces decides what blocks', 'log.ts': 'it tells what it could not set',
    'finding.ts': 'what it could not do is shown',
  },
  'kube': {
    net: 'instants are Millis', config: 'live objects are narrowed by its readers',
    l2: 'what nodes tell of their wire is read',
    'log.ts': 'it tells what it waits for',
  },
  'cluster': {
    net: 'Pods have addresses', config: 'live objects become a Config', l2: 'nodes tell of their interfaces',
    kube: 'it follows and writes objects', http: 'it serves status', cli: 'errors are described alike',
    'log.ts': 'it tells', 'metrics.ts': 'it counts', 'finding.ts': 'what is wrong is counted',
  },
  'admission': {
    config: 'live objects are narrowed', plan: 'it decides', kube: 'it follows and writes objects',
    cluster: 'pools are read alike', 'log.ts': 'it tells',
  },
  'controller': {
    admission: 'it serves the webhook',
    net: 'addresses are printed', config: 'objects become a world', ipam: 'verdicts are written',
    l2: 'placement is told', plan: 'it decides', kube: 'it follows and writes objects',
    cluster: 'what both roles do', http: 'it serves status', cli: 'errors are described alike',
    'journal.ts': 'changes are logged', 'heap.ts': 'it may hold much', 'finding.ts': 'it has some',
    'clock.ts': 'now', 'log.ts': 'it tells', 'loop.ts': 'it turns', 'metrics.ts': 'it counts',
    'version.ts': 'status names it',
  },
  'speaker': {
    'namesake.ts': 'its test names hosts alike', 'finding.ts': 'it has some',
    net: 'Pods have addresses', ownership: 'it decides who announces', 'ring.ts': 'members are met',
    'membership/net': 'its files are read', membership: 'its test sets one up',
    config: 'objects become a world', l2: 'it places',
    'l2/linux': 'it opens links and sockets',
    plan: 'changes are compared', kube: 'it follows and writes objects', cluster: 'what both roles do',
    http: 'it serves status', cli: 'errors are described alike', 'journal.ts': 'changes are logged',
    'announcer.ts': 'it announces', 'clock.ts': 'now', 'log.ts': 'it tells', 'loop.ts': 'it turns',
    'drain.ts': 'it hands over when it stops', 'heap.ts': 'it may hold much',
    'metrics.ts': 'it counts', 'priority.ts': 'beats must not wait', 'version.ts': 'status names it',
  },
  'journal.ts': { plan: 'changes are its input', 'log.ts': 'where they go' },
  'clock.ts': { net: 'instants are Millis' },
  'log.ts': {},
  'finding.ts': {},
  'priority.ts': {},
  'loop.ts': {},
  'heap.ts': {},
  'version.ts': {},
  'drain.ts': {
    net: 'times are Millis', 'announcer.ts': 'it answers still', 'ring.ts': 'the others are told',
  },
  'metrics.ts': { l2: 'drops are labels' },
  'namesake.ts': {
    net: 'hosts have addresses', membership: 'it decides who yields',
    'membership/net': 'addresses are bytes there', ownership: 'metadata tells who goes', 'clock.ts': 'now',
  },
  'ring.ts': {
    'namesake.ts': 'one name may be two hosts',
    net: 'members have addresses', ownership: 'its messages are carried',
    'announcer.ts': 'it carries them for it', membership: 'how it is set up',
    'membership/net': 'it opens it', 'clock.ts': 'now',
  },
  'announcer.ts': {
    'inflow.ts': 'what members send comes in batches',
    net: 'instants are Millis', l2: 'interfaces are given', ownership: 'it performs its decisions',
    'clock.ts': 'now',
    'log.ts': 'sockets that fail are told', 'metrics.ts': 'frames are counted',
    config: 'its test announces addresses', 'l2/linux': 'its test runs on a real wire',
  },
  'cli': {
    'finding.ts': 'some are bad news',
    net: 'ranges are printed', config: 'files become a world', ipam: 'capacities are printed',
    plan: 'rows are printed',
  },
  'http': {
    config: 'problems are shown', plan: 'rows are shown', cli: 'text for curl is the same table',
    'finding.ts': 'findings are shown', l2: 'announcements are shown', net: 'addresses are printed',
    ownership: 'owners are shown', 'ring.ts': 'members are shown', 'namesake.ts': 'so are hosts of one name',
  },
  'standalone': {
    net: 'addresses are printed', config: 'files become a world', ipam: 'the ledger is kept',
    l2: 'links are filtered', plan: 'it decides', ownership: 'it owns what it announces',
    'l2/linux': 'it opens links and sockets',
    forward: 'it applies rules', cli: 'input files are read alike', http: 'it serves status',
    group: 'hosts agree on one input', 'ring.ts': 'they are met',
    speaker: 'ring and news of several hosts are the same in a cluster',
    'finding.ts': 'it has some',
    'journal.ts': 'changes are logged',
    'announcer.ts': 'it announces', 'clock.ts': 'now', 'log.ts': 'it tells', 'loop.ts': 'it turns',
    'drain.ts': 'it hands over when it stops',
    'metrics.ts': 'it counts', 'priority.ts': 'answers must not wait', 'version.ts': 'status names it',
  },
  'sim': {
    config: 'values are compared', net: 'addresses are planned', l2: 'frames are read, queues are ordered',
    ownership: 'it is what is simulated', membership: 'so is it',
  },
  'main.ts': {
    config: 'arguments are parsed', cli: 'commands that print', standalone: 'the role of one host',
    controller: 'a role in a cluster', speaker: 'the other',
    'log.ts': 'where lines go', 'version.ts': 'it is printed',
  },
  'reference.ts': {
    config: 'names are documented', cluster: 'so are events', ipam: 'and refusals', plan: 'and silence',
    'metrics.ts': 'and metrics', 'finding.ts': 'and findings',
  },
  'tidy.test.ts': {},
}

/** Each package, and each part of the runtime that core uses, is imported in one file. */
const vendors: Readonly<Record<string, string>> = {
  'ipaddr.js': 'src/net/address.ts',
  'js-yaml': 'src/config/yaml.ts',
  'node:util': 'src/config/options.ts',
  'node:crypto': 'src/l2/placement.ts',
  'koffi': 'src/l2/linux/libc.ts',
  'raw-socket': 'src/l2/linux/icmp6.ts',
  'prom-client': 'src/metrics.ts',
  'hono': 'src/http/app.ts',
  '@kubernetes/client-node': 'src/kube/kubeconfig.ts',
  '@hono/node-server': 'src/http/serve.ts',
  'typescript': 'src/tidy.test.ts',
}

/** Parts without I/O, clock, randomness or state of their own: decisions only. */
const core = new Set([
  'net', 'config', 'ipam', 'l2', 'ownership', 'plan', 'membership', 'membership/wire', 'group',
])

/** `as`, `!` and `any` are allowed where foreign memory and foreign objects are narrowed. */
const narrowing = /^src\/(l2\/linux\/\w+|kube\/api)\.ts$/

const impure = new Set([
  'Date', 'process', 'console', 'performance', 'fetch', 'crypto', 'setTimeout', 'setInterval',
  'setImmediate', 'queueMicrotask', 'Math.random',
])
/** These read no clock. */
const pureDate = new Set(['Date.parse', 'Date.UTC'])

const vagueWords = new Set([
  'manager', 'helper', 'helpers', 'util', 'utils', 'common', 'misc', 'data', 'info', 'process',
  'handle', 'do',
])

const limits = { sourceLines: 400, testLines: 500, functionLines: 70, columns: 110, parameters: 4 }

/** Unions of literal reasons: a test must provoke every literal of each. */
const reasons: Readonly<Record<string, readonly string[]>> = {
  'src/config/model.ts': ['IntentRefusal', 'ProblemReason'],
  'src/ipam/model.ts': ['Refusal', 'Release', 'Ignored'],
  'src/l2/model.ts': ['Silence', 'Drop'],
  'src/ownership/model.ts': ['Cause', 'Postponement'],
  'src/plan/held.ts': ['Unheld'],
  'src/finding.ts': ['findingReasons'],
  'src/group/model.ts': ['Standstill'],
  'src/plan/withdrawal.ts': ['Withdrawal'],
  'src/membership/model.ts': ['MemberChange', 'RingDrop', 'ShellDrop'],
  'src/membership/wire/message.ts': ['MessageFailure'],
  'src/membership/wire/packet.ts': ['PacketFailure'],
  'src/membership/wire/stream.ts': ['StreamFailure'],
  'src/membership/wire/lzw.ts': ['LzwFailure'],
}

interface File {
  /** Relative to the repository, with slashes. */
  readonly path: string
  readonly part: string
  readonly isTest: boolean
  readonly isCore: boolean
  readonly text: string
  readonly tree: ts.SourceFile
  readonly imports: readonly { readonly from: string; readonly line: number }[]
}

/** Programs: nothing imports them. The second is what e2e/membership starts, the third hack/sim. */
const programs = new Set(['src/main.ts', 'src/membership/net/peer.ts', 'src/sim/command.ts'])

const root = dirname(import.meta.dirname)
const files = globSync(['src/**/*.ts', 'e2e/**/*.ts', 'hack/**/*.ts'], { cwd: root })
  .map((path) => path.replaceAll('\\', '/')).toSorted().map(readSource)
const sources = files.filter(({ path, isTest }) => path.startsWith('src/') && !isTest)

function readSource(path: string): File {
  const text = readFileSync(join(root, path), 'utf8')
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const part = partOf(path)
  const found = everyNode(tree).flatMap((node) => {
    const from = importOf(node)
    return from === undefined ? [] : [{ from, line: lineOf(tree, node) }]
  })
  const isTest = path.endsWith('.test.ts')
  return { path, part, isTest, isCore: core.has(part) && !isTest, text, tree, imports: found }
}

function partOf(path: string): string {
  const folder = dirname(path)
  if (folder === 'src') {
    // A test is part of what it tests; this file tests the whole.
    return basename(path).replace(/(?<!tidy)\.test\.ts$/, '.ts')
  }
  return folder.startsWith('src/') ? folder.slice('src/'.length) : folder
}

function everyNode(node: ts.Node): ts.Node[] {
  return [node, ...node.getChildren().flatMap(everyNode)]
}

function importOf(node: ts.Node): string | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
    const { moduleSpecifier } = node
    return moduleSpecifier !== undefined && ts.isStringLiteral(moduleSpecifier)
      ? moduleSpecifier.text
      : undefined
  }
  if (!ts.isCallExpression(node) || node.expression.kind !== ts.SyntaxKind.ImportKeyword) return
  const [from] = node.arguments
  if (from !== undefined && ts.isStringLiteral(from)) return from.text
  // `import(name)`, so that an optional package is not resolved before it is wanted.
  const constant = new RegExp(`\\bconst ${from?.getText()} = '([^']+)'`)
  return constant.exec(node.getSourceFile().text)?.[1] ?? '(computed)'
}

function lineOf(tree: ts.SourceFile, node: ts.Node): number {
  return tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1
}

/** What `rule` says of the nodes of `of`, as `path:line: sentence`. */
function inspect(
  of: readonly File[], rule: (node: ts.Node, file: File) => string | undefined,
): string[] {
  return of.flatMap((file) =>
    everyNode(file.tree).flatMap((node) => {
      const finding = rule(node, file)
      return finding === undefined ? [] : [`${file.path}:${lineOf(file.tree, node)}: ${finding}`]
    })
  )
}

function targetOf(file: File, from: string): string {
  return join(dirname(file.path), from).replaceAll('\\', '/')
}

function none(it: string, findings: () => readonly string[]): void {
  test(it, () => assert.equal(findings(), []))
}

none('an import crosses parts only where the table says why', () =>
  files.filter(({ path }) => path.startsWith('src/')).flatMap((file) =>
    file.imports.filter(({ from }) => from.startsWith('.')).flatMap(({ from, line }) => {
      const target = partOf(targetOf(file, from))
      const isDrawn = target === file.part || imports[file.part]?.[target] !== undefined
      return isDrawn ? [] : [`${file.path}:${line}: ${file.part} may not import ${target}`]
    })
  ))

none('the table of imports has no line or edge that nothing needs', () => {
  const parts = new Set(files.map(({ part }) => part))
  const edges = new Set(files.flatMap((file) =>
    file.imports.map(({ from }) => `${file.part} ${partOf(targetOf(file, from))}`)
  ))
  return Object.entries(imports).flatMap(([part, to]) => [
    ...(parts.has(part) ? [] : [`${part} does not exist`]),
    ...Object.keys(to).filter((target) => !edges.has(`${part} ${target}`))
      .map((target) => `${part} does not import ${target}`),
  ])
})

none('src, e2e and hack do not import each other', () =>
  files.flatMap((file) =>
    file.imports.filter(({ from }) => from.startsWith('.')).flatMap(({ from, line }) => {
      const target = targetOf(file, from)
      const isSame = target.split('/')[0] === file.path.split('/')[0]
      return isSame ? [] : [`${file.path}:${line}: imports ${target}`]
    })
  ))

none('a package is imported in its one file', () =>
  files.flatMap((file) =>
    file.imports.flatMap(({ from, line }) => {
      if (from.startsWith('.') || from === vendors[from]) return []
      if (from.startsWith('node:') && !file.isCore) return []
      if (/^uvu(\/assert)?$/.test(from) && file.isTest) return []
      return vendors[from] === file.path
        ? []
        : [`${file.path}:${line}: "${from}" belongs to ${vendors[from] ?? 'no file'}`]
    })
  ))

none('imports carry .ts, and no export is a default or a barrel', () =>
  inspect(files, (node) => {
    const from = importOf(node)
    if (from?.startsWith('.') === true && !from.endsWith('.ts')) return `"${from}" lacks .ts`
    if (from === '(computed)') return 'the imported path is not a constant'
    if (node.kind === ts.SyntaxKind.DefaultKeyword && !ts.isDefaultClause(node.parent)) {
      return 'default export'
    }
    if (ts.isExportDeclaration(node) && node.exportClause === undefined) return 'export *'
    return undefined
  }))

none('files do not import each other in a circle', () => {
  const graph = new Map(sources.map((file) => [
    file.path,
    file.imports.filter(({ from }) => from.startsWith('.')).map(({ from }) => targetOf(file, from)),
  ]))
  const reach = (path: string, seen: Set<string>): Set<string> => {
    for (const next of graph.get(path) ?? []) {
      if (seen.has(next)) continue
      seen.add(next)
      reach(next, seen)
    }
    return seen
  }
  return [...graph.keys()].filter((path) => reach(path, new Set()).has(path))
})

none('every source file is used', () => {
  const used = new Set(files.flatMap((file) =>
    file.imports.map(({ from }) => targetOf(file, from))
  ))
  return sources.map(({ path }) => path).filter((path) => !programs.has(path) && !used.has(path))
})

none('core has no clock, no randomness, no waiting and no output', () =>
  inspect(files.filter(({ isCore }) => isCore), (node) => {
    if (node.kind === ts.SyntaxKind.AsyncKeyword || ts.isAwaitExpression(node)) return 'async'
    if (ts.isPropertyAccessExpression(node)) {
      const text = node.getText()
      return impure.has(text) ? `${text} in core` : undefined
    }
    if (!ts.isIdentifier(node) || !impure.has(node.text)) return undefined
    const { parent } = node
    const isProperty = (ts.isPropertyAccessExpression(parent) && parent.name === node) ||
      ts.isPropertyAssignment(parent) || ts.isPropertySignature(parent)
    return isProperty || pureDate.has(parent.getText()) ? undefined : `${node.text} in core`
  }))

none('core has no classes', () =>
  inspect(files.filter(({ isCore }) => isCore), (node) =>
    ts.isClassLike(node) ? 'a class in core' : undefined))

none('types are narrowed, not asserted', () =>
  inspect(files.filter(({ path }) => !narrowing.test(path)), (node) => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) return 'any'
    if (ts.isNonNullExpression(node)) return 'an exclamation mark'
    if (!ts.isAsExpression(node)) return undefined
    return node.type.getText() === 'const' ? undefined : `"${node.getText()}"`
  }))

none('names say what a thing is', () =>
  [
    ...files.flatMap(({ path }) => path.split(/[/.]/).filter((word) => vagueWords.has(word))
      .map((word) => `${path}: "${word}"`)),
    ...inspect(files, (node) => {
      const isNamed = ts.isVariableDeclaration(node) || ts.isParameter(node) ||
        ts.isFunctionDeclaration(node) || ts.isInterfaceDeclaration(node) ||
        ts.isTypeAliasDeclaration(node) || ts.isClassDeclaration(node)
      if (!isNamed || node.name === undefined || !ts.isIdentifier(node.name)) return undefined
      const words = node.name.text.split(/(?=[A-Z])|[_-]/).map((word) => word.toLowerCase())
      const vague = words.find((word) => vagueWords.has(word))
      return vague === undefined ? undefined : `"${vague}" in the name ${node.name.text}`
    }),
  ])

none('files, functions, parameter lists and lines are short', () =>
  [
    ...files.flatMap(({ path, text, isTest }) => {
      const lines = text.trimEnd().split('\n')
      const most = isTest ? limits.testLines : limits.sourceLines
      const long = lines.findIndex((line) => line.length > limits.columns)
      return [
        ...(lines.length > most ? [`${path}: ${lines.length} lines, ${most} allowed`] : []),
        ...(long < 0 ? [] : [`${path}:${long + 1}: more than ${limits.columns} columns`]),
      ]
    }),
    ...inspect(files, (node, { tree }) => {
      if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) return undefined
      const end = tree.getLineAndCharacterOfPosition(node.getEnd()).line + 1
      const length = end - lineOf(tree, node) + 1
      if (length > limits.functionLines) return `a function of ${length} lines`
      const count = node.parameters.length
      return count > limits.parameters ? `a function of ${count} parameters` : undefined
    }),
  ])

none('every file starts with what it owns, and leaves nothing open', () =>
  files.flatMap(({ path, text }) => {
    const body = text.replace(/^#!.*\n/, '')
    const open = /\b(?:FIX{1}ME|TO{1}DO(?!.*https?:\/\/))/.exec(text)
    return [
      ...(/^\/\*\*\s/.test(body) ? [] : [`${path}: no first sentence`]),
      ...(open === null ? [] : [`${path}: "${open[0]}"`]),
    ]
  }))

none('every test file runs its suites', () =>
  files.filter(({ isTest }) => isTest).flatMap(({ path, text }) => {
    const suites = ['test', ...[...text.matchAll(/const (\w+) = suite\(/g)].map(([, name]) => name)]
    const idle = suites.filter((name) =>
      new RegExp(`^ *${name}\\(`, 'm').test(text) && !text.includes(`${name}.run()`)
    )
    const isLast = /\b\w+\.run\(\)$/.test(text.trimEnd())
    return [
      ...idle.map((name) => `${path}: ${name}.run() is missing`),
      ...(isLast ? [] : [`${path}: does not end with .run()`]),
    ]
  }))

none('every literal reason is provoked by a test', () => {
  // A list that several tests run counts as one of them.
  const isList = (path: string): boolean => path.endsWith('/conformance.ts')
  const words = new Set(files.filter(({ path, isTest }) =>
    (isTest || isList(path)) && path !== 'src/tidy.test.ts')
    .flatMap(({ tree }) =>
      everyNode(tree).flatMap((node) =>
        ts.isStringLiteralLike(node) || ts.isTemplateLiteralToken(node)
          ? node.text.split(/[^A-Za-z0-9]+/)
          : []
      )
    ))
  return Object.entries(reasons).flatMap(([path, names]) =>
    names.flatMap((name) => {
      const literals = literalsOf(path, name)
      if (literals.length === 0) return [`${path}: no literals in ${name}`]
      return literals.filter((literal) => !words.has(literal))
        .map((literal) => `${path}: no test provokes ${name} "${literal}"`)
    })
  )
})

function literalsOf(path: string, name: string): readonly string[] {
  const nodes = files.filter((file) => file.path === path).flatMap(({ tree }) => everyNode(tree))
  // A union, or the list that one is made of.
  return nodes.flatMap((node) =>
    (ts.isTypeAliasDeclaration(node) || ts.isVariableDeclaration(node)) && node.name.getText() === name
      ? everyNode(node).flatMap((part) => ts.isStringLiteral(part) ? [part.text] : [])
      : []
  )
}

none('paths that documents name exist', () => {
  const documents = [
    'README.md', 'CONTRIBUTING.md', 'docs/architecture.md', 'docs/decisions.md', 'docs/reference.md',
  ]
  return documents.filter((path) => existsSync(join(root, path))).flatMap((document) => {
    const text = readFileSync(join(root, document), 'utf8')
    const named = text.matchAll(/\b(?:src|e2e|hack|docs)\/[\w./-]*\w/g)
    return [...new Set([...named].map(([path]) => path))]
      .filter((path) => !existsSync(join(root, path)))
      .map((path) => `${document}: ${path}`)
  })
})

test.run()
