/** docs/reference.md against the code: every name is in it, and nothing else. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type EventReason, eventReasons } from './cluster/vocabulary.ts'
import {
  annotationKeys, conditionTypes, labelKeys, prefixes, serviceAnnotations,
} from './config/names.ts'
import { findingReasons, noteReasons } from './finding.ts'
import type { Refusal } from './ipam/model.ts'
import { createMetrics } from './metrics.ts'
import { silenceTexts } from './plan/why.ts'

const root = join(import.meta.dirname, '..')
const document = readFileSync(join(root, 'docs/reference.md'), 'utf8')

/** Cells of the rows of all tables below a heading, without their heads; a cell is its text. */
function rowsBelow(heading: string): readonly (readonly string[])[] {
  const [, part = ''] = document.split(`\n## ${heading}\n`)
  const [body = ''] = part.split('\n## ')
  const lines = body.split('\n').filter((line) => line.startsWith('|'))
  return lines.filter((line, i) => !/^\|-/.test(line) && !/^\|-/.test(lines[i + 1] ?? ''))
    .map((line) => line.slice(1, -1).split('|').map((cell) => cell.trim()))
}

function quoted(cell: string | undefined): readonly string[] {
  return [...(cell ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)
}

/** What stands in the first column, sorted; nothing stands twice. */
function namesBelow(heading: string): readonly string[] {
  const names = rowsBelow(heading).flatMap(([first]) => quoted(first)).toSorted()
  assert.equal(names, [...new Set(names)].toSorted(), heading)
  return names
}

test('annotations: all that the code names, those of Services with either prefix', () => {
  const ofServices = Object.values(serviceAnnotations)
    .flatMap((name) => prefixes.map((prefix) => prefix + name))
  const keys = [...new Set([...ofServices, ...Object.values(annotationKeys)])]
  assert.equal(namesBelow('Annotations'), keys.toSorted())
})

test('labels and conditions: all that the code names', () => {
  assert.equal(namesBelow('Labels'), Object.values(labelKeys).toSorted())
  const types = Object.values(conditionTypes)
  assert.equal(namesBelow('Conditions').filter((name) => types.some((type) => type === name)),
    types.toSorted())
})

test('such names stand in no other source', () => {
  const key = /['`](?:metallb\.io|metallb\.universe\.tf|arpeggio\.io|(?:node\.)?kubernetes\.io)\/(?!v\d|tls')/
  const own = join('src', 'config', 'names.ts')
  const sources = globSync('src/**/*.ts', { cwd: root })
    .filter((path) => !path.endsWith('.test.ts') && path !== own)
  assert.ok(sources.length > 100)
  const code = (path: string): string =>
    readFileSync(join(root, path), 'utf8').replaceAll(/\/\*[^]*?\*\/|\/\/.*$/gm, '')
  const found = sources.filter((path) => key.test(code(path)))
  assert.equal(found, [])
  assert.match(code(own), key)
})

/** The compiler wants each, and no other. */
const refusals: Readonly<Record<Refusal, true>> = {
  noPool: true, noAutoPool: true, poolExhausted: true, unknownPool: true, poolNotForService: true,
  addressNotInPool: true, addressesInTwoPools: true, addressNotInRequestedPool: true,
  addressExcluded: true, addressInUse: true, sharingKeyMismatch: true, portInUse: true,
  noClusterIP: true, badRequestedAddress: true, conflictingRequest: true, tooManyRequested: true,
  requestedFamilyMismatch: true, notEnoughClusterIPs: true,
}

test('reasons of the condition: silence in the words of the program, refusals, and announced', () => {
  const types: readonly string[] = Object.values(conditionTypes)
  const rows = rowsBelow('Conditions').filter(([first]) => !types.includes(quoted(first)[0] ?? ''))
  const reasons = rows.map(([first]) => quoted(first)[0] ?? '')
  assert.equal(reasons.toSorted(),
    [...Object.keys(silenceTexts), ...Object.keys(refusals), 'announced'].toSorted())
  const silent = rows.filter(([first]) => Object.hasOwn(silenceTexts, quoted(first)[0] ?? ''))
  assert.equal(Object.fromEntries(silent.map(([first, text]) => [quoted(first)[0], text])), silenceTexts)
})

test('events: reason, type and who writes it, as the roles have them', () => {
  const table = Object.entries(eventReasons).map(([reason, { type, by }]) => [reason, type, by])
  const rows = rowsBelow('Events').map(([reason, type, by]) => [quoted(reason)[0], type, by])
  assert.equal(rows.toSorted(), table.toSorted())
  const writers = { controller: '', speaker: '' }
  for (const role of ['controller', 'speaker'] as const) {
    for (const path of globSync(`src/${role}/*.ts`, { cwd: root })) {
      if (!path.endsWith('.test.ts')) writers[role] += readFileSync(join(root, path), 'utf8')
    }
    assert.not.match(writers[role], /type: '(?:Normal|Warning)'/, `an event of the ${role} beside the table`)
  }
  const reasons: readonly string[] = Object.keys(eventReasons)
  const isReason = (text: string): text is EventReason => reasons.includes(text)
  for (const reason of reasons.filter(isReason)) {
    const roles = (['controller', 'speaker'] as const)
      .filter((role) => new RegExp(`eventText\\(\\s*'${reason}'`).test(writers[role]))
    assert.equal(roles, [eventReasons[reason].by], reason)
  }
})

test('findings: all that a role can tell, and no others', () => {
  assert.equal(namesBelow('Findings'), findingReasons.toSorted())
  const sources = globSync('src/**/*.ts', { cwd: root })
    .filter((path) => !path.endsWith('.test.ts') && path !== join('src', 'finding.ts'))
    .map((path) => readFileSync(join(root, path), 'utf8')).join('')
  const notes = /which are notes: ([^.]*)\./.exec(document)?.[1] ?? ''
  assert.equal(quoted(notes), [...noteReasons])
  for (const reason of findingReasons) assert.ok(sources.includes(`'${reason}'`), `nobody tells ${reason}`)
})

/** Metrics with a series of each: only series show which labels there are. */
async function exposition(): Promise<string> {
  const metrics = createMetrics()
  metrics.watchMembership({
    members: () => [{ state: 'alive' }],
    health: () => 0,
    counts: () => ({
      packetsSent: 1, packetsReceived: 1, streamsOpened: 1, streamsAccepted: 1, drops: new Map([['r', 1]]),
    }),
  })
  metrics.setPools([{ pool: 'lan', ipv4Total: 1n, ipv6Total: 1n, ipv4Used: 0n, ipv6Used: 0n }])
  metrics.setAnnounced([{ text: '192.0.2.1', services: ['default/web'] }], 'a')
  metrics.setSilent(new Map([['noPrefix', 1]]))
  metrics.watchFindings(() => [{ reason: 'minority' }])
  metrics.countMove('placed')
  metrics.countRequest('192.0.2.1')
  metrics.countReply('192.0.2.1')
  metrics.countGratuitous('192.0.2.1')
  metrics.countDrop('notRequest', 1)
  metrics.countSendFailure('no', 2)
  return metrics.text()
}

test('metrics: name, type and labels', async () => {
  const text = await exposition()
  const rows = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type]) => {
    const series = new RegExp(`^${name}(?:\\{(.*)\\})? `, 'm').exec(text)
    assert.ok(series, `no series of ${name}`)
    const labels = [...(series[1] ?? '').matchAll(/(\w+)="/g)].map(([, label]) => label)
    return [name, type, labels.toSorted()]
  })
  const written = rowsBelow('Metrics').map(([name, type, labels]) =>
    [quoted(name)[0], type, quoted(labels).toSorted()])
  assert.equal(written.toSorted(), rows.toSorted())
  const foreign = rows.filter(([name]) => !/^(?:metallb|arpeggio)_/.test(String(name)))
  assert.equal(foreign, [], 'a prefix says whose a name is')
})

test.run()
