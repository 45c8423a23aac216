/** What is in the image, seen where it runs: rights, tools, and a list of contents that is true. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { docker, kubectl } from './cluster.ts'

const controller = ['exec', '-n', 'metallb-system', 'deployment/controller', '--']
const speaker = ['exec', '-n', 'metallb-system', 'daemonset/speaker', '--']

/** What a command prints inside, on either stream; whatever its exit code. */
function inside(pod: readonly string[], script: string): Promise<string> {
  return kubectl([...pod, 'sh', '-c', `{ ${script}; } 2>&1 || :`])
}

test('the controller is nobody, without any capability', async () => {
  assert.match(await inside(controller, 'id -u'), /^65534$/m)
  assert.match(await inside(controller, 'grep CapEff /proc/1/status'), /\t0{16}$/m)
})

test('a speaker has CAP_NET_RAW and nothing else', async () => {
  // Bit 13: linux/capability.h
  assert.match(await inside(speaker, 'grep CapEff /proc/1/status'), /\t0{12}2000$/m)
})

test('nothing can be written', async () => {
  for (const pod of [controller, speaker]) {
    assert.match(await inside(pod, 'touch /x /tmp/x'), /\/tmp\/x: Read-only file system/)
  }
})

test('the tools that people call are there', async () => {
  assert.match(await inside(speaker, 'wget -q -O - http://localhost:7472/metrics'), /^metallb_/m)
  assert.match(await inside(speaker, 'ip addr show'), /inet 127\.0\.0\.1\/8/)
  assert.match(await inside(speaker, 'arpeggio status'), / speaker on /)
})

test('the list of contents names what is there, in the versions that are there', async () => {
  const text = await inside(speaker, 'cat /usr/share/doc/arpeggio/sbom.spdx.json')
  const { spdxVersion, packages, relationships }: Spdx = JSON.parse(text)
  assert.is(spdxVersion, 'SPDX-2.3')
  assert.is(relationships.length, packages.length)
  const versions = new Map(packages.map(({ name, versionInfo }) => [name, versionInfo]))
  assert.is(`v${versions.get('node')}`, (await inside(speaker, 'node --version')).trim())
  assert.is(`arpeggio ${versions.get('arpeggio')}`, (await inside(speaker, 'arpeggio version')).trim())
  const koffi = await inside(speaker, 'cat /opt/arpeggio/node_modules/koffi/package.json')
  assert.is(versions.get('koffi'), JSON.parse(koffi).version)
  for (const name of ['hono', 'js-yaml', 'busybox', 'libc6']) assert.ok(versions.has(name), name)
  for (const name of ['typescript', 'uvu', 'esbuild']) assert.not.ok(versions.has(name), name)
})

test('the image says what it is', async () => {
  const image = (await kubectl([
    '-n', 'metallb-system', 'get', 'daemonset', 'speaker', '-o',
    'jsonpath={.spec.template.spec.containers[0].image}',
  ])).trim()
  const labels: object = JSON.parse(await docker('inspect', '-f', '{{json .Config.Labels}}', image))
  const keys = ['created', 'description', 'licenses', 'revision', 'title', 'version']
  assert.equal(Object.keys(labels).toSorted(), keys.map((key) => `org.opencontainers.image.${key}`))
})

interface Spdx {
  readonly spdxVersion: string
  readonly packages: readonly { readonly name: string; readonly versionInfo: string }[]
  readonly relationships: readonly object[]
}

test.run()
