/** Gathers the image's file system: run by Containerfile, inside the base, as ARCH FOLDER. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync, cpSync, existsSync, globSync, mkdirSync, readdirSync, readFileSync, realpathSync,
  symlinkSync, writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { type Component, describeContents } from './sbom.ts'

const cpus: Readonly<Record<string, string>> = { amd64: 'x64', arm64: 'arm64' }
const loaders: Readonly<Record<string, string>> = {
  x64: '/lib64/ld-linux-x86-64.so.2', arm64: '/lib/ld-linux-aarch64.so.1',
}

/**
 * Small before fast: a speaker's table is small, and each node pays for its memory. Young objects die in
 * a megabyte, and no thread waits for work that V8 rarely has.
 */
const nodeFlags = ['--optimize-for-size', '--max-semi-space-size=1', '--v8-pool-size=0'] as const

/**
 * For glibc: it gives back what it no longer needs. By default each thread keeps memory of its own, and
 * the thresholds grow with the largest block ever freed: after a list of 1,000 Services 10 MiB stayed.
 */
const mallocSettings = {
  MALLOC_ARENA_MAX: '1', MALLOC_TRIM_THRESHOLD_: '131072', MALLOC_MMAP_THRESHOLD_: '131072',
} as const

const [arch = '', out = ''] = process.argv.slice(2)
const cpu = cpus[arch] ?? fail(`Cannot build for "${arch}": want amd64 or arm64`)
if (cpu !== process.arch) fail(`Cannot build for ${arch} on ${process.arch}`)

const busybox = realpathSync(which('busybox'))
const nft = realpathSync(which('nft'))
const programs = [process.execPath, busybox, nft]
const libraries = new Set(programs.flatMap(librariesOf))

for (const folder of ['bin', 'sbin', 'lib', 'lib64']) {
  mkdirSync(join(out, 'usr', folder), { recursive: true })
  symlinkSync(`usr/${folder}`, join(out, folder))
}
for (const folder of ['etc', 'proc', 'sys', 'dev', 'run', 'opt/arpeggio']) {
  mkdirSync(join(out, folder), { recursive: true })
}
mkdirSync(join(out, 'tmp'))
chmodSync(join(out, 'tmp'), 0o1777)

copy(process.execPath, '/usr/bin/node')
if (existsSync('/usr/bin/strip')) execFileSync('/usr/bin/strip', [join(out, 'usr/bin/node')])
copy(busybox, '/usr/bin/busybox')
copy(nft, '/usr/sbin/nft')
for (const name of execFileSync(busybox, ['--list'], { encoding: 'utf8' }).trim().split('\n')) {
  const link = join(out, 'usr/bin', name)
  if (!existsSync(link)) symlinkSync('busybox', link)
}
for (const path of libraries) copy(realpathSync(path), path)

const home = join(out, 'opt/arpeggio')
cpSync('build', home, {
  recursive: true, filter: (path) => !/^build\/(?:native|bundle\.json|LICENSE)/.test(path),
})
cpSync(`build/native/${arch}`, join(home, 'node_modules'), { recursive: true })
write('/usr/bin/arpeggio', `#!/bin/sh
export ${Object.entries(mallocSettings).map(([name, value]) => `${name}=${value}`).join(' ')}
exec node ${nodeFlags.join(' ')} /opt/arpeggio/arpeggio.js "$@"
`, 0o755)
write('/etc/passwd', 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n')
write('/etc/group', 'root:x:0:\nnogroup:x:65534:\n')
write('/etc/nsswitch.conf', 'hosts: files dns\n')
writeNotices()

function writeNotices(): void {
  const owners = ownersOf([busybox, nft, ...libraries])
  for (const { name } of owners) {
    const notice = `/usr/share/doc/${name}/copyright`
    if (existsSync(notice)) copy(realpathSync(notice), notice)
  }
  for (const path of ['/usr/local/LICENSE', '/usr/share/doc/nodejs/copyright']) {
    if (existsSync(path)) copy(path, '/usr/share/doc/node/LICENSE')
  }
  for (const name of ['LICENSE', 'LICENSES']) copy(`build/${name}`, `/usr/share/doc/arpeggio/${name}`)
  const { packages }: Lock = JSON.parse(readFileSync('package-lock.json', 'utf8'))
  const { name = '', version = '', license } = packages[''] ?? {}
  const created = process.env['CREATED'] ?? '1970-01-01T00:00:00Z'
  const node = process.version.slice(1)
  const contents = describeContents({
    program: { name, version, license, purl: `pkg:generic/${name}@${version}` },
    components: [
      { name: 'node', version: node, license: 'MIT', purl: `pkg:generic/node@${node}` },
      ...bundled(packages),
      ...owners,
    ],
    created,
  })
  write('/usr/share/doc/arpeggio/sbom.spdx.json', `${JSON.stringify(contents, undefined, 1)}\n`)
}

interface Locked {
  readonly name?: string
  readonly version?: string
  readonly license?: string
  readonly integrity?: string
}

interface Lock {
  readonly packages: Readonly<Record<string, Locked>>
}

/** Packages of which something is in the bundle or beside it, as package-lock.json has them. */
function bundled(packages: Lock['packages']): readonly Component[] {
  const { inputs }: { inputs: object } = JSON.parse(readFileSync('build/bundle.json', 'utf8'))
  const inside = Object.keys(inputs).flatMap((path) =>
    /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? [])
  const native = ['koffi', `@koromix/koffi-linux-${cpu}`].map((name) => `node_modules/${name}`)
  return [...new Set([...inside, ...native])].toSorted().map((path) => {
    const name = path.replace(/^.*node_modules\//, '')
    const { version, license, integrity } = packages[path] ?? {}
    if (version === undefined) return fail(`Cannot find "${path}" in package-lock.json`)
    return { name, version, license, integrity, purl: `pkg:npm/${name.replace('@', '%40')}@${version}` }
  })
}

/** The Debian packages that these files come from. */
function ownersOf(paths: readonly string[]): readonly Component[] {
  // Files are listed where they were before /lib became a link, or where they are.
  const plain = (path: string): string => path.replace(/^\/usr\/(?=lib|bin|sbin)/, '/')
  const wanted = new Set(paths.flatMap((path) => [plain(path), plain(realpathSync(path))]))
  const lists = '/var/lib/dpkg/info'
  const names = new Set(readdirSync(lists).filter((file) => file.endsWith('.list'))
    .filter((file) => readFileSync(join(lists, file), 'utf8').split('\n')
      .some((path) => wanted.has(plain(path))))
    .map((file) => basename(file, '.list').replace(/:.*$/, '')))
  const stanzas = readFileSync('/var/lib/dpkg/status', 'utf8').split(/\n\n+/)
  return stanzas.flatMap((stanza) => {
    const field = (key: string): string => new RegExp(`^${key}: (.*)$`, 'm').exec(stanza)?.[1] ?? ''
    const name = field('Package')
    if (!names.has(name)) return []
    const version = field('Version')
    const purl = `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${field('Architecture')}`
    return [{ name, version, license: undefined, purl }]
  })
}

/** Every library that the dynamic loader maps for a program, and the loader itself. */
function librariesOf(program: string): readonly string[] {
  const loader = loaders[cpu] ?? ''
  const list = execFileSync(loader, ['--list', program], { encoding: 'utf8' })
  return [loader, ...[...list.matchAll(/=> (\/\S+)/g)].map((match) => match[1] ?? '')]
}

function which(name: string): string {
  const folders = (process.env['PATH'] ?? '').split(':')
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path)) ??
    fail(`Cannot find ${name} in the base`)
}

/** To the same place under the new root, through its links: /lib is /usr/lib there. */
function copy(from: string, to: string): void {
  const target = join(out, to.replace(/^\/(?=lib|bin|sbin)/, '/usr/'))
  mkdirSync(dirname(target), { recursive: true })
  cpSync(from, target, { dereference: true })
}

function write(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(join(out, path)), { recursive: true })
  writeFileSync(join(out, path), text, { mode })
}

function fail(message: string): never {
  console.error(message)
  process.exit(1)
}

if (globSync(join(home, '*.js')).length === 0) fail('The bundle is missing: run hack/bundle --image')
