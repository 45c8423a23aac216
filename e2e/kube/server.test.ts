/** The API server of the suites: it comes up, knows its users, survives an outage, leaves nothing. */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openChild, until } from '../lab/command.ts'
import { findAssets, testUnless } from './assets.ts'
import { openServer, serverPrograms } from './server.ts'

const assets = await findAssets(serverPrograms)
const lack = 'lack' in assets ? assets.lack : undefined
const folder = 'folder' in assets ? assets.folder : ''
const check = testUnless(lack, test)

check('users have the rights they are given, and an outage loses nothing', async () => {
  const reader = { name: 'reader', groups: ['readers'], token: 'let-me-read' }
  const auditPolicy = JSON.stringify({
    apiVersion: 'audit.k8s.io/v1', kind: 'Policy', omitStages: ['RequestReceived'],
    rules: [{ level: 'Metadata', users: ['reader'] }, { level: 'None' }],
  })
  await using server = await openServer({ assets: folder, users: [reader], auditPolicy })
  const asReader = ['--kubeconfig', server.kubeconfigOf('reader')]
  const refused = await server.kubectl([...asReader, 'get', 'configmaps'])
  assert.match(refused.stderr, /User "reader" cannot list resource "configmaps"/)
  // Roles like `view` are put together by a controller that may not be there.
  await server.kubectlOk(['create', 'clusterrole', 'r', '--verb=list', '--resource=configmaps'])
  await server.kubectlOk(['create', 'clusterrolebinding', 'r', '--clusterrole=r', '--group=readers'])
  await server.kubectlOk(['create', 'configmap', 'kept'])
  await server.stopApi()
  assert.is.not((await server.kubectl(['get', 'configmaps'])).code, 0)
  await server.startApi()
  const names = await server.kubectlOk([...asReader, 'get', 'configmaps', '-o', 'name'])
  assert.match(names, /^configmap\/kept$/m)
  const asked = JSON.stringify(server.audit())
  assert.match(asked, /"verb":"list"/)
  assert.not.match(asked, /"username":"admin"/)
})

check('a program that is ended leaves no server behind', async () => {
  const script = `
    const { openServer } = await import(${JSON.stringify(join(import.meta.dirname, 'server.ts'))})
    const server = await openServer({ assets: ${JSON.stringify(folder)} })
    console.log('folder ' + server.folder)
    setInterval(() => {}, 1_000)`
  const child = openChild([process.execPath, '--input-type=module', '-e', script])
  const line = await until('the server is up', () => {
    if (!child.isRunning()) throw new Error(child.lines.join('\n'))
    return child.lines.find((one) => one.startsWith('folder '))
  }, 90_000)
  const place = line.slice('folder '.length)
  assert.ok(existsSync(place))
  assert.is(await child.stop('SIGTERM'), 143)
  assert.is(existsSync(place), false)
  const working = (): readonly string[] => globSync('/proc/[0-9]*/cmdline').filter((path) =>
    readArguments(path).includes(place))
  await until('its programs have ended', () => working().length === 0)
})

/** Empty for one that has just ended. */
function readArguments(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

test.run()
