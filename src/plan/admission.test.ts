/** Which changes of a configuration are refused beside the rest of it, and which only warned of. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { lossAnnotation } from '../config/annotation.ts'
import { config, held, pool as inForcePool, service } from '../config/builders.ts'
import type { Fields } from '../config/fields.ts'
import { readLiveConfig } from '../config/live.ts'
import type { Config, Intent } from '../config/model.ts'
import { judgeChange } from './admission.ts'

const namespace = 'metallb-system'

function object(kind: string, name: string, spec: Fields, annotations: Fields = {}): Fields {
  return { apiVersion: 'metallb.io/v1beta1', kind, metadata: { name, namespace, annotations }, spec }
}

const pool = (name: string, addresses: string, annotations: Fields = {}): Fields =>
  object('IPAddressPool', name, { addresses: addresses.split(' ') }, annotations)
const advert = (name: string, spec: Fields = {}): Fields => object('L2Advertisement', name, spec)
const map = (text: string): Fields =>
  ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'config', namespace }, data: { config: text } })
const legacy = (range: string): Fields =>
  map(`address-pools: [{name: old, protocol: layer2, addresses: [${range}]}]`)

interface Row {
  readonly it: string
  readonly objects: readonly Fields[]
  readonly before?: Fields
  readonly after?: Fields
  readonly services?: readonly Intent[]
  /** As the objects say, unless given. */
  readonly inForce?: Config | undefined
  /** '' = allowed; else what the message has in it. */
  readonly want: string | RegExp
  readonly warnings?: readonly string[]
}

const lan = pool('lan', '192.0.2.0/28')
const all = advert('all')
const web = service('web', { held: held('192.0.2.5'), allocatedFromPool: 'lan' })
const meant = { [lossAnnotation]: 'true' }
const lost = `IPAddressPool/${namespace}/lan: InUse: Services would lose 192.0.2.5 of Service ` +
  `"default/web" (notInPool); if that is meant, set the annotation ${lossAnnotation}: "true" on the object ` +
  'first'

const rows: readonly Row[] = [
  { it: 'a pool that overlaps another', objects: [lan, all], after: pool('b', '192.0.2.8-192.0.2.20'),
    want: `IPAddressPool/${namespace}/b spec.addresses[0]: Overlap: ` +
      'CIDR "192.0.2.8-192.0.2.20" in pool "b" overlaps with already defined CIDR "192.0.2.0/28" of ' +
      'pool "lan" (cluster)' },
  { it: 'an edit that makes two overlap', objects: [lan, pool('b', '192.0.2.16/28'), all],
    before: lan, after: pool('lan', '192.0.2.0/27'), want: /^IPAddressPool.*: Overlap: / },
  { it: 'two problems at once are both told', objects: [lan, all],
    after: pool('b', '192.0.2.1/32 192.0.2.2/32'), want: /addresses\[0\].*\n.*addresses\[1\]/ },
  { it: 'more problems than anybody reads are counted', objects: [lan, all],
    after: pool('b', Array.from({ length: 16 }, (_, i) => `192.0.2.${i}/32 192.0.2.${i}/32`).join(' ')),
    want: /\nand 12 more$/ },
  { it: 'a bad exclusion, which no definition checks', objects: [lan, all], before: lan,
    after: pool('lan', '192.0.2.0/28', { 'arpeggio.io/exclude': 'x' }), want: /BadAddress/ },
  { it: 'a bad ConfigMap', objects: [], after: map('address-pools: [{'), want: /BadSyntax/ },
  { it: 'a problem that was there already is no reason: one after the other is mended',
    objects: [pool('a', '192.0.2.0/28'), pool('b', '192.0.2.0/28'), pool('c', '198.51.100.0/28'),
      pool('d', '198.51.100.0/28'), all], before: pool('d', '198.51.100.0/28'), want: '' },
  { it: 'a pool that overlaps nothing', objects: [lan, all], after: pool('b', '192.0.2.16/28'), want: '' },
  { it: 'the same object again', objects: [lan, all], before: lan, after: lan, want: '' },
  { it: 'a pool before its advertisement', objects: [], after: lan, want: '',
    warnings: [`IPAddressPool/${namespace}/lan: NotAdvertised: No L2Advertisement selects pool "lan": ` +
      'its addresses are announced by nobody'] },
  { it: 'a warning that was there already is not told again', objects: [lan], before: lan,
    after: pool('lan', '192.0.2.0/27'), want: '' },
  { it: 'an advertisement that names no pool there is', objects: [lan, all],
    after: advert('typo', { ipAddressPools: ['lam'] }), want: '',
    warnings: [`L2Advertisement/${namespace}/typo spec.ipAddressPools[0]: UnknownPool: `] },
  { it: 'the last advertisement of a pool goes', objects: [lan, all], before: all, want: '',
    warnings: [`IPAddressPool/${namespace}/lan: NotAdvertised: `] },
  { it: 'an object that nobody reads', objects: [lan, all],
    after: { ...pool('b', '192.0.2.0/28'), metadata: { name: 'b', namespace: 'default' } }, want: '',
    warnings: ['IPAddressPool/default/b metadata.namespace: ForeignNamespace: '] },

  { it: 'an edit that drops an address in use', objects: [lan, all], services: [web],
    before: lan, after: pool('lan', '192.0.2.8/29'), want: lost },
  { it: 'deletion of a pool in use, the only one', objects: [lan, all], services: [web], before: lan,
    want: lost },
  { it: 'deletion of a pool in use, one of two', objects: [lan, pool('b', '198.51.100.0/28'), all],
    services: [web], before: lan, want: lost },
  { it: 'addresses beyond five are counted', objects: [lan, all], before: lan,
    services: Array.from({ length: 7 }, (_, i) => service(`s${i}`, { held: held(`192.0.2.${i + 1}`) })),
    after: pool('lan', '192.0.2.12/30'), want: /"default\/s4" \(notInPool\), 2 more; if that is meant/ },
  { it: 'a pool that is closed to a Service that holds its address', objects: [lan, all], services: [web],
    before: lan, after: object('IPAddressPool', 'lan', {
      addresses: ['192.0.2.0/28'], serviceAllocation: { namespaces: ['elsewhere'] },
    }), want: /192\.0\.2\.5 of Service "default\/web" \(poolNotForService\)/ },
  { it: 'avoidBuggyIPs, with such an address in use', objects: [lan, all], before: lan,
    services: [service('web', { held: held('192.0.2.0') })],
    after: object('IPAddressPool', 'lan', { addresses: ['192.0.2.0/28'], avoidBuggyIPs: true }),
    want: /192\.0\.2\.0 of Service "default\/web" \(addressExcluded\)/ },
  { it: 'the ConfigMap that gave the address', objects: [legacy('192.0.2.0/28')], services: [web],
    before: legacy('192.0.2.0/28'), after: legacy('192.0.2.8/29'), want: /InUse: .*192\.0\.2\.5/ },
  { it: 'it is meant: the edit says so', objects: [lan, all], services: [web], before: lan,
    after: pool('lan', '192.0.2.8/29', meant), want: '' },
  { it: 'it is meant: the pool that is deleted says so', objects: [pool('lan', '192.0.2.0/28', meant), all],
    services: [web], before: pool('lan', '192.0.2.0/28', meant), want: '' },
  { it: 'an overlap is never meant', objects: [lan, all], after: pool('b', '192.0.2.0/28', meant),
    want: /Overlap/ },
  { it: 'the range of a held address is written otherwise', objects: [lan, all], services: [web],
    before: lan, after: pool('lan', '192.0.2.4-192.0.2.5'), want: '' },
  { it: 'a held address is excluded: it stays held', objects: [lan, all], services: [web],
    before: lan, after: pool('lan', '192.0.2.0/28', { 'arpeggio.io/exclude': '192.0.2.5' }), want: '' },
  { it: 'an address that no pool had before either', objects: [lan, all], before: lan,
    services: [service('odd', { held: held('203.0.113.9') })], after: pool('lan', '192.0.2.0/29'), want: '' },
  { it: 'an address of another class of Services', objects: [lan, all], before: lan,
    services: [service('other', { held: held('192.0.2.5'), loadBalancerClass: 'x' })],
    after: pool('lan', '192.0.2.8/29'), want: '' },
  { it: 'what a Service asks for itself is no loss', objects: [lan, all], before: all,
    services: [service('mover', { held: held('192.0.2.5'), requested: held('192.0.2.6') })], want: '',
    warnings: [`IPAddressPool/${namespace}/lan: NotAdvertised: `] },
  { it: 'nothing good was ever read: nothing can be lost', objects: [lan, all], services: [web],
    before: lan, after: pool('lan', '192.0.2.8/29'), inForce: undefined, want: '' },
  { it: 'a bad edit got past; what is in force counts, and undoing it is no loss',
    objects: [pool('lan', '192.0.2.8/29'), pool('b', '192.0.2.8/32'), all], services: [web],
    inForce: config(inForcePool('lan', '192.0.2.0/28')),
    before: pool('lan', '192.0.2.8/29'), after: pool('lan', '192.0.2.0/29'), want: '' },
  { it: 'mending a bad edit so that an address in use is dropped',
    objects: [lan, pool('b', '192.0.2.8/32'), all], services: [web],
    inForce: config(inForcePool('lan', '192.0.2.0/28')),
    before: lan, after: pool('lan', '192.0.2.10/32'), want: lost },
]
for (const row of rows) {
  test(row.it, () => {
    const { objects, before, after, services = [], want, warnings = [] } = row
    const inForce = 'inForce' in row ? row.inForce : readLiveConfig(objects, namespace).config
    const found = judgeChange({
      change: { before, after }, objects, namespace, inForce, services, loadBalancerClass: '',
    })
    if (typeof want === 'string') assert.is(found.message, want)
    else assert.match(found.message, want)
    assert.is(found.isAllowed, want === '')
    assert.is(found.warnings.length, warnings.length, found.warnings.join('\n'))
    for (const [i, warning] of warnings.entries()) assert.ok(found.warnings[i]?.startsWith(warning))
  })
}

test.run()
