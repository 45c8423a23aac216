/** YAML text: what is refused and with which position, and what plain scalars become. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { dumpYaml, maxDocuments, maxTextBytes, parseDocuments } from './yaml.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const parse = (bytes: Uint8Array) => parseDocuments({ file: 'a.yaml', bytes })
const values = (text: string): readonly unknown[] => parse(encode(text)).documents.map((d) => d.value)

const bomb = Array.from({ length: 9 }, (_, i) =>
  `a${i}: &a${i} [${Array.from({ length: 10 }, () => i === 0 ? 'x' : `*a${i - 1}`).join(', ')}]`
).join('\n')

const broken: { it: string; bytes: Uint8Array; want: string }[] = [
  { it: 'a NUL byte', bytes: encode('a: b\0'),
    want: '1 Unreadable: File is not text: NUL byte at offset 4' },
  { it: 'Latin-1', bytes: Uint8Array.of(0x61, 0x3a, 0x20, 0xe9),
    want: '1 Unreadable: File is not UTF-8: save it in that encoding' },
  { it: 'more bytes than the limit', bytes: new Uint8Array(maxTextBytes + 1).fill(0x20),
    want: '1 TooLarge: File has 16777217 bytes: the limit is 16777216; split it' },
  { it: 'more documents than the limit', bytes: encode('a\n' + '---\n'.repeat(maxDocuments + 1)),
    want: '1 TooLarge: File has 100001 documents: the limit is 100000; split it' },
  { it: 'a tab as indentation', bytes: encode('a:\n\tb: c\n'),
    want: '1 BadSyntax: Not valid YAML: tab characters must not be used in indentation ' +
      'at line 2, column 1' },
  { it: 'half a document', bytes: encode('a: 1\nb: [1,\n'),
    want: '1 BadSyntax: Not valid YAML: deficient indentation ' +
      'at line 3, column 1' },
  { it: 'a key twice', bytes: encode('a: 1\nb: 2\na: 3\n'),
    want: '1 DuplicateKey: The same key stands twice at line 3, column 1: keep one' },
  { it: 'a key twice in JSON', bytes: encode('{"a": 1, "a": 2}'),
    want: '1 DuplicateKey: The same key stands twice at line 1, column 11: keep one' },
  { it: 'an alias bomb', bytes: encode(bomb),
    want: '1 TooLarge: Aliases expand to more than 2000000 values: write them out' },
  { it: 'an alias in itself', bytes: encode('a: &a\n  b: *a\n'),
    want: '1 TooLarge: An alias contains itself: write the value out' },
  { it: 'nesting without end', bytes: encode('['.repeat(100_000)),
    want: '1 TooLarge: Too deep: nesting exceeded maxDepth (60) at line 1, column 60' },
  { it: 'a tag of another language', bytes: encode('a: !!js/function x\n'),
    want: '1 BadSyntax: Not valid YAML: unknown scalar tag !<tag:yaml.org,2002:js/function> ' +
      'at line 1, column 4' },
]
for (const { it, bytes, want } of broken) {
  test(`parseDocuments: refuses ${it}`, () => {
    const { documents, problems } = parse(bytes)
    assert.equal(documents, [])
    assert.equal(problems.map((p) => `${p.document} ${p.reason}: ${p.message}`), [want])
  })
}

test('parseDocuments: a long line is not quoted whole', () => {
  const [problem] = parse(encode(`*${'x'.repeat(1_000_000)}`)).problems
  assert.is(problem?.reason, 'BadSyntax')
  assert.ok((problem?.message.length ?? 0) < 250)
})

test('parseDocuments: a broken document hides no other, and lines count from the file\'s start', () => {
  const { documents, problems } = parse(encode('# head\n---\na: 1\n---\nb: [\n---\nc: 3\nc: 4\n---\nd: 5\n'))
  assert.equal(documents, [{ document: 1, value: { a: 1 } }, { document: 4, value: { d: 5 } }])
  assert.equal(problems.map((p) => `${p.document} ${p.reason} ${/line \d+/.exec(p.message)}`), [
    '2 BadSyntax line 5', '3 DuplicateKey line 8',
  ])
})

test('parseDocuments: documents without content count beside a broken one', () => {
  const { documents, problems } = parse(encode('---\n---\n---\nb: [\n---\nc: 1\n...\nd: 1\n---\ne: 1'))
  assert.equal(documents, [
    { document: 4, value: { c: 1 } }, { document: 5, value: { d: 1 } }, { document: 6, value: { e: 1 } },
  ])
  assert.equal(problems.map(({ document, reason }) => [document, reason]), [[3, 'BadSyntax']])
})

const scalars: { it: string; text: string; want: readonly unknown[] }[] = [
  { it: 'nothing', text: '', want: [] },
  { it: 'comments only', text: '# one\n# two\n', want: [] },
  { it: 'documents without content', text: '---\n---\na: 1\n---\n', want: [null, { a: 1 }, null] },
  { it: 'a byte order mark', text: '\ufeffa: 1\n', want: [{ a: 1 }] },
  { it: 'Windows line ends', text: 'a: 1\r\n---\r\nb: 2\r\n', want: [{ a: 1 }, { b: 2 }] },
  { it: 'a directive and an end mark', text: '%YAML 1.2\n---\na: 1\n...\n', want: [{ a: 1 }] },
  { it: 'JSON indented by tabs', text: '{\n\t"a": [\n\t\t1\n\t]\n}\n', want: [{ a: [1] }] },
  { it: 'YAML 1.1 booleans, as kubectl does', text: '[yes, No, ON, off, True, "yes", y]',
    want: [[true, false, true, false, true, 'yes', 'y']] },
  { it: 'timestamps as text', text: 'a: 2026-01-01T00:00:00Z\nb: 2026-01-01\n',
    want: [{ a: '2026-01-01T00:00:00Z', b: '2026-01-01' }] },
  { it: 'addresses as text', text: '[192.0.2.1, 2001:db8::1, 192.0.2.0/24]',
    want: [['192.0.2.1', '2001:db8::1', '192.0.2.0/24']] },
  { it: 'merge keys', text: 'a: &a {c: 1, d: 1}\nb:\n  <<: *a\n  c: 2\n',
    want: [{ a: { c: 1, d: 1 }, b: { d: 1, c: 2 } }] },
  { it: 'three dashes inside a block of text', text: 'a: |\n  ---\n  x\n', want: [{ a: '---\nx\n' }] },
]
for (const { it, text, want } of scalars) {
  test(`parseDocuments: takes ${it}`, () => {
    assert.equal(parse(encode(text)).problems, [])
    assert.equal(values(text), want)
  })
}

test('parseDocuments: 20,000 documents, one of them broken', () => {
  const text = Array.from({ length: 20_000 }, (_, i) => i === 9_999 ? 'a: {' : `a: ${i}`).join('\n---\n')
  const { documents, problems } = parse(encode(text))
  assert.is(documents.length, 19_999)
  assert.equal(problems.map((p) => p.document), [10_000])
})

test('dumpYaml: quotes what would read back as something else, folds nothing', () => {
  const value = { a: 'yes', b: '1', c: ['x'.repeat(200)], d: { e: true } }
  const text = dumpYaml(value)
  assert.equal(values(text), [value])
  assert.is(text.split('\n').length, 7)
  const shared = ['x']
  assert.equal(values(dumpYaml([shared, shared])), [[shared, shared]])
  assert.not(dumpYaml([shared, shared]).includes('&'))
})

test.run()
