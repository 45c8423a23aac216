/** Objects of metallb.io, good and bad: what an API server with our definitions and `check` say. */

export interface Row {
  readonly it: string
  readonly kind: string
  readonly spec: unknown
  /** What only the API server can say, in its own words; else its words are those of `check`. */
  readonly words?: RegExp
}

const pool = (it: string, spec: unknown, words?: RegExp): Row =>
  ({ it, kind: 'IPAddressPool', spec, ...(words === undefined ? {} : { words }) })
const entry = (it: string, text: string): Row => pool(it, { addresses: [text] })
const good = ['192.0.2.0/28']
const allocation = (it: string, serviceAllocation: unknown, words?: RegExp): Row =>
  pool(it, { addresses: good, serviceAllocation }, words)
const advertisement = (it: string, spec: unknown, words?: RegExp): Row =>
  ({ it, kind: 'L2Advertisement', spec, ...(words === undefined ? {} : { words }) })
const selecting = (it: string, selector: unknown, words?: RegExp): Row =>
  advertisement(it, { nodeSelectors: [selector] }, words)
const expression = (it: string, one: unknown, words?: RegExp): Row =>
  selecting(it, { matchExpressions: [one] }, words)
const preferring = (it: string, one: unknown): Row =>
  advertisement(it, { preferredNodeSelectors: [one] })

export const bad: readonly Row[] = [
  pool('no spec', undefined),
  pool('an empty spec', {}),
  pool('no entry', { addresses: [] }),
  pool('no list', { addresses: null }),
  entry('a single address', '192.0.2.1'),
  entry('a single IPv6 address', '2001:db8::1'),
  entry('a single address and a blank', '192.0.2.1 '),
  entry('an empty entry', ''),
  entry('a name', 'lan'),
  entry('a network and a blank', '192.0.2.0/28 '),
  entry('a leading zero', '192.0.02.0/28'),
  entry('three octets', '192.0.2/24'),
  entry('an octet too large', '192.0.2.256/32'),
  entry('a prefix too long', '192.0.2.0/33'),
  entry('an IPv6 prefix too long', '2001:db8::/129'),
  entry('two lengths', '192.0.2.0/28/28'),
  entry('no length', '192.0.2.0/'),
  entry('a zone', 'fe80::1%eth0/64'),
  entry('a negative length', '192.0.2.0/-1'),
  entry('a network around the mapped addresses', '::/80'),
  entry('a bad start', '192.0.2.300-192.0.2.9'),
  entry('no start', '-192.0.2.9'),
  entry('a bad end', '192.0.2.1-lan'),
  entry('a short end', '192.0.2.1-9'),
  entry('no end', '192.0.2.1-'),
  entry('three parts', '192.0.2.1-192.0.2.2-192.0.2.3'),
  entry('a network as start', '192.0.2.0/28-192.0.2.9'),
  entry('a reversed range', '192.0.2.9-192.0.2.1'),
  entry('a reversed range, more digits first', '192.0.2.10-192.0.2.9'),
  entry('a reversed IPv6 range', '2001:db8::10-2001:db8::f'),
  pool('a reversed IPv6 range, not in its usual form', { addresses: ['2001:DB8:0:1::-2001:db8::1:0:0:0'] },
    // `check` prints the usual form of both.
    /invalid IP range "2001:DB8:.*": start IP "2001:DB8:0:1::" is after the end IP "2001:db8::1:0:0:0"$/),
  entry('mixed families', '192.0.2.1-2001:db8::1'),
  entry('mixed families, IPv6 first', '2001:db8::1-192.0.2.1'),
  entry('a range over the mapped addresses', '::1-2001:db8::1'),
  pool('two bad entries', { addresses: ['192.0.2.9-192.0.2.1', ...good, 'x'] }),
  pool('an entry too long', { addresses: [' '.repeat(100)] }, /Too long/),
  pool('too many entries', { addresses: Array.from({ length: 1_001 }, (_, i) => `2001:db8::${i}/128`) },
    /Too many: 1001: must have at most 1000 items/),
  pool('addresses that are text', { addresses: '192.0.2.0/28' }, /must be of type array: "string"/),
  pool('an entry that is a number', { addresses: [10.1] }, /must be of type string: "number"/),
  pool('an entry that is nothing', { addresses: [null] }, /must be of type string: "null"/),
  pool('text as flag', { addresses: good, autoAssign: 'false' }, /must be of type boolean: "string"/),
  pool('a misspelt field', { addresses: good, autoasign: false }, /unknown field "spec\.autoasign"/),
  allocation('a negative priority', { priority: -1 }),
  allocation('a priority with a fraction', { priority: 1.5 }, /must be of type integer: "number"/),
  allocation('a priority too large', { priority: 2 ** 31 }, /2147483647|int32/),
  allocation('a namespace twice', { namespaces: ['a', 'b', 'a'] }),
  allocation('a namespace selector twice', { namespaceSelectors: [{}, {}] }),
  allocation('a bad service selector', { serviceSelectors: [{ matchLabels: { 'a b': 'c' } }] }),
  advertisement('a misspelt field', { ipAddressPool: ['a'] }, /unknown field "spec\.ipAddressPool"/),
  advertisement('a spec that is a list', [], /must be of type object: "array"/),
  advertisement('a pool twice', { ipAddressPools: ['a', 'a'] }),
  advertisement('an interface twice', { interfaces: ['eth0', 'bond0', 'eth0'] }),
  advertisement('a pool selector twice', { ipAddressPoolSelectors: [{}, {}] }),
  advertisement('a service selector twice',
    { serviceSelectors: [{ matchLabels: { a: 'b' } }, { matchLabels: { a: 'b' } }] }),
  selecting('a number as label', { matchLabels: { tier: 1 } }, /must be of type string: "integer"/),
  selecting('too many labels', {
    matchLabels: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`a${i}`, ''])),
  }, /must have at most 16/),
  advertisement('too many selectors', {
    nodeSelectors: Array.from({ length: 129 }, (_, i) => ({ matchLabels: { a: `${i}` } })),
  }, /Too many: 129: must have at most 128 items/),
  selecting('a key with a blank', { matchLabels: { 'a b': 'c' } }),
  selecting('a key with two slashes', { matchLabels: { 'a/b/c': 'd' } }),
  selecting('a prefix in capitals', { matchLabels: { 'A/b': 'd' } }),
  selecting('a name of 64 characters', { matchLabels: { ['x'.repeat(64)]: 'd' } }),
  selecting('a prefix of 254 characters', { matchLabels: { [`${'x'.repeat(254)}/a`]: 'd' } }),
  selecting('a value with a blank', { matchLabels: { a: 'b c' } }),
  selecting('a value of 64 characters', { matchLabels: { a: 'x'.repeat(64) } }),
  selecting('an expression twice',
    { matchExpressions: [{ key: 'a', operator: 'Exists' }, { key: 'a', operator: 'Exists' }] }),
  expression('no key', { operator: 'Exists' }),
  expression('a bad key', { key: '-a', operator: 'Exists' }),
  expression('no operator', { key: 'a' }),
  expression('an unknown operator', { key: 'a', operator: 'Is' }),
  expression('In without values', { key: 'a', operator: 'In' }),
  expression('NotIn without values', { key: 'a', operator: 'NotIn', values: [] }),
  expression('Exists with values', { key: 'a', operator: 'Exists', values: ['b'] }),
  expression('DoesNotExist with values', { key: 'a', operator: 'DoesNotExist', values: ['b'] }),
  expression('a bad value', { key: 'a', operator: 'In', values: ['b', '-c'] }),
  expression('a value twice', { key: 'a', operator: 'In', values: ['b', 'b'] }, /Duplicate value: "b"/),
  preferring('weight 0', { weight: 0, preference: {} }),
  preferring('weight 101', { weight: 101, preference: {} }),
  preferring('no weight and no preference', {}),
  preferring('a bad preference', { weight: 1, preference: { matchLabels: { a: 'b c' } } }),
  { it: 'a pool of BGP twice', kind: 'BGPAdvertisement', spec: { ipAddressPools: ['a', 'a'] } },
]

const label = `${'x'.repeat(253)}/${'y'.repeat(63)}`
const full = [
  { matchLabels: { 'example.com/tier': 'gold', empty: '', [label]: 'A_b.c-1' } },
  { matchExpressions: [
    { key: 'zone', operator: 'In', values: ['b', 'a', ''] },
    { key: 'zone', operator: 'NotIn', values: ['c'] }, { key: 'rack', operator: 'Exists' },
    { key: 'edge', operator: 'DoesNotExist', values: [] },
  ] },
  {},
]

/** Every field that MetalLB 0.16 knows, and every way to write an address. */
export const fine: readonly Row[] = [
  ...[
    '192.0.2.77/28', '192.0.2.0/08', '0.0.0.0/0', '::/0', '192.0.2.1/32', '192.0.2.0/31', '2001:db8::/127',
    '2001:DB8:0:0::/64', '192.0.2.1-192.0.2.9', ' 192.0.2.1 - 192.0.2.9 ', '192.0.2.1-192.0.2.1',
    '192.0.2.9-192.0.2.10', '192.0.2.255-192.0.3.0', '2001:db8::f-2001:db8::10', '::1-::2',
    '2001:db8::-2001:db8:0:0:0:0:0:1', '2001:db8::ffff:1-2001:db8::ffff:2', '::ffff:192.0.2.0/120',
    '::ffff:192.0.2.1-::ffff:192.0.2.9', '64:ff9b::192.0.2.1-64:ff9b::192.0.2.2', '2001:db8::1:0:0:0/127',
  ].map((text) => entry(`"${text}"`, text)),
  pool('every field of a pool', {
    addresses: ['192.0.2.1-192.0.2.9', '2001:db8::/120'], autoAssign: false, avoidBuggyIPs: true,
    serviceAllocation: {
      priority: 50, namespaces: ['a', 'b'], namespaceSelectors: full, serviceSelectors: full,
    },
  }),
  allocation('the largest priority', { priority: 2 ** 31 - 1 }),
  allocation('an empty serviceAllocation', {}),
  advertisement('no spec', undefined),
  advertisement('an empty spec', {}),
  advertisement('empty lists', { ipAddressPools: [], nodeSelectors: [], interfaces: [] }),
  advertisement('every field of an advertisement', {
    ipAddressPools: ['a', 'b'], ipAddressPoolSelectors: full, nodeSelectors: full,
    interfaces: ['eth0', 'eth1'], serviceSelectors: full,
    preferredNodeSelectors: [{ weight: 100, preference: full[0] }, { weight: 1, preference: {} }],
  }),
  advertisement('many nodes by name', { nodeSelectors: [{ matchExpressions: [{
    key: 'kubernetes.io/hostname', operator: 'In', values: Array.from({ length: 80 }, (_, i) => `n-${i}`),
  }] }] }),
]

/** As long as a list of addresses may be. */
export const longest: Row = pool('a thousand entries', { addresses: Array.from({ length: 1_000 }, (_, i) =>
  `2001:db8::${i.toString(16)}:0-2001:db8::${i.toString(16)}:ffff`) })

/** Kinds for BGP with all their fields: version, kind, spec. */
export const foreign: readonly {
  readonly version: string
  readonly kind: string
  readonly spec: unknown
}[] = [
  { version: 'v1beta1', kind: 'BGPPeer', spec: {
    myASN: 64500, peerASN: 64501, peerAddress: '192.0.2.1', sourceAddress: '192.0.2.2', peerPort: 179,
    holdTime: '90s', keepaliveTime: '30s', routerID: '192.0.2.3', nodeSelectors: full, password: 'x',
    bfdProfile: 'fast', ebgpMultiHop: true,
  } },
  { version: 'v1beta2', kind: 'BGPPeer', spec: {
    myASN: 64500, dynamicASN: 'external', interface: 'eth0', peerPort: 179, connectTime: '10s',
    passwordSecret: { name: 'a', namespace: 'b' }, enableGracefulRestart: true, vrf: 'red', disableMP: false,
    dualStackAddressFamily: true, localASN: 64502,
  } },
  { version: 'v1beta1', kind: 'BFDProfile', spec: {
    receiveInterval: 300, transmitInterval: 300, detectMultiplier: 3, echoInterval: 50, minimumTtl: 254,
    echoMode: false, passiveMode: true,
  } },
  { version: 'v1beta1', kind: 'BGPAdvertisement', spec: {
    aggregationLength: 32, aggregationLengthV6: 128, localPref: 100, communities: ['64500:1'],
    ipAddressPools: ['a'], ipAddressPoolSelectors: full, nodeSelectors: full, peers: ['p'],
    serviceSelectors: full,
  } },
  { version: 'v1beta1', kind: 'Community', spec: { communities: [{ name: 'a', value: '64500:1' }] } },
]
