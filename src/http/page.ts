/** The status document as one HTML page: no script, no asset, readable on a phone. */
import { ownershipTables, summariseOwnership } from './ownership.ts'
import { configStateOf, notAgreed, type StatusDocument } from './status.ts'

const style = `
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif }
body { max-width: 72rem; margin: 1.5rem auto; padding: 0 1rem }
h1 { font-size: 1.3rem; margin: 0 } h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem }
p.sub { margin: .2rem 0 1rem; opacity: .7 }
.scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100% }
th { text-align: left; font-weight: 600; opacity: .7 }
th, td { padding: .3rem .9rem .3rem 0; border-bottom: 1px solid #8883; vertical-align: top }
td.mono { font-family: ui-monospace, monospace }
.good { color: #1a7f37 } .bad { color: #cf222e; font-weight: 600 }
ul.bad { padding-left: 1.2rem }
`

/** The whole page. Every value is escaped: names in it come from files. */
export function formatPage(status: StatusDocument): string {
  const { config, forwarding } = status
  const findings = [...forwarding.findings, ...status.findings]
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="5">
<title>Arpeggio on ${escape(status.node)}</title><style>${style}</style></head><body>
<h1>Arpeggio on ${escape(status.node)}</h1>
<p class="sub">${escape(status.role)} ${escape(status.version)}, since ${escape(status.startedAt)}.
${describeConfig(status)}. Forwarding ${escape(forwarding.state)}.</p>
${listOf('bad', [
    ...config.problems.map((p) => `${p.file}:${p.document} ${p.object} ${p.path}: ${p.message}`),
    ...findings.map((finding) => finding.message),
  ])}
${listOf('', config.warnings.map((p) => `${p.file}:${p.document} ${p.object}: ${p.message}`))}
<h2>Services</h2>
${table(['Service', 'Addresses', 'Pool', 'Announced by', 'Why'], status.services.map((row) => [
    `${row.namespace}/${row.name}`,
    row.addresses.join(' '),
    row.pool ?? '',
    row.announcements.map(({ node, interfaces }) =>
      interfaces.length === 0 ? node : `${node} (${interfaces.join(', ')})`).join(' '),
    row.message || row.reason ||
    row.silent.map((s) => `${s.node ?? 'every node'}: ${s.reason}`).join(', '),
  ]))}
<h2>Announcements</h2>
${table(['Address', 'Interfaces', 'Since', 'Requests', 'Replies', 'Unprompted'],
    status.announcements.map((row) => [
      row.address, row.interfaces.join(' '), row.since,
      String(row.requests), String(row.replies), String(row.gratuitous),
    ]))}
${ownership(status)}
<h2>Interfaces</h2>
${table(['Name', 'MAC', 'State', 'Addresses'], status.links.map((link) => [
    link.name, link.mac,
    link.usable && link.carrier ? 'ready' : link.up ? (link.carrier ? 'unused' : 'no carrier') : 'down',
    link.addresses.join(' '),
  ]))}
</body></html>
`
}

function describeConfig(status: StatusDocument): string {
  const { loadedAt } = status.config
  switch (configStateOf(status)) {
    case 'inForce':
      return `<span class="good">Configuration in force</span> since ${escape(loadedAt ?? '-')}`
    case 'refused':
      return '<span class="bad">Configuration refused</span>; ' +
        `${loadedAt === null ? 'none' : 'the last good one'} is in force`
    case 'notAgreed':
      return `<span class="bad">No configuration in force</span>: ${notAgreed}`
    case 'notRead':
      return 'Configuration not read yet'
  }
}

/** Members, owners, hearing and moves; nothing where nothing is announced. */
function ownership(status: StatusDocument): string {
  const summary = summariseOwnership(status)
  if (summary === undefined) return ''
  const parts = ownershipTables(status).filter(({ rows }) => rows.length > 0)
    .map(({ title, header, rows, rest }) =>
      `<h2>${escape(title)}</h2>${table(header.map(inSentence), rows)}` +
      (rest === '' ? '' : `<p class="sub">${escape(rest)}</p>`))
  return `<h2>Ownership</h2><p class="sub">${escape(summary)}</p>${parts.join('')}`
}

/** `LAST BEAT` as `Last beat`. */
function inSentence(heading: string): string {
  return heading.charAt(0) + heading.slice(1).toLowerCase()
}

function listOf(kind: string, lines: readonly string[]): string {
  if (lines.length === 0) return ''
  return `<ul class="${kind}">${lines.map((line) => `<li>${escape(line)}</li>`).join('')}</ul>`
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = header.map((cell) => `<th>${escape(cell)}</th>`).join('')
  const body = rows.map((row) =>
    `<tr>${row.map((cell) => `<td class="mono">${escape(cell || '–')}</td>`).join('')}</tr>`
  )
  return `<div class="scroll"><table><tr>${head}</tr>${body.join('')}</table></div>`
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;',
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character)
}
