/** The code blocks of the public layer-2 guide as facts, in its order: commands and expected outputs. */
import {
  accepts, allPods, applies, controllerRow, created, frees, gets, logLine, pods, running, sheetOf,
  speakerRows,
} from './expected.ts'
import type { Block } from './model.ts'

/** What the guide installs from. */
export const installAddress =
  'https://raw.githubusercontent.com/metallb/metallb/v0.14.5/config/manifests/metallb-native.yaml'

const installing: readonly Block[] = [
  {
    id: 'install',
    steps: [{
      command: 'kubectl apply -f ' + installAddress,
      want: [
        'namespace/metallb-system', 'customresourcedefinition.apiextensions.k8s.io/ipaddresspools.metallb.io',
        'customresourcedefinition.apiextensions.k8s.io/l2advertisements.metallb.io',
        'deployment.apps/controller', 'daemonset.apps/speaker',
      ].map((object) => new RegExp(`^${object} (?:created|configured|unchanged)$`, 'm')),
    }],
  },
  {
    id: 'wait',
    steps: [{
      command: `kubectl wait --namespace metallb-system \\
  --for=condition=ready pod \\
  --selector=app=metallb \\
  --timeout=90s`,
      isPatient: true,
      want: [/^pod\/controller-\S+ condition met\n(?:pod\/speaker-\S+ condition met\n){3}$/],
    }],
  },
  {
    id: 'pods',
    steps: [{ command: 'kubectl get pods -n metallb-system', isPatient: true, want: [allPods] }],
  },
]

const pools = 'ipaddresspool.metallb.io'
const advertisements = 'l2advertisement.metallb.io'

const configuring: readonly Block[] = [
  {
    id: 'basic pool', manifests: ['basic-pool'], file: 'ipaddresspool.yaml', isFresh: true,
    steps: [accepts('ipaddresspool.yaml', `${pools}/local-network-pool`)],
  },
  {
    id: 'apply the pool',
    steps: [
      { command: 'kubectl apply -f ipaddresspool.yaml', want: created(`${pools}/local-network-pool`) },
      frees('local-network-pool', 16),
    ],
  },
  {
    id: 'advanced pool', manifests: ['advanced-pool'], file: 'advanced.yaml',
    // 51 + 21 + 16, without 10.0.0.0
    steps: [applies('advanced.yaml', `${pools}/production-pool`), frees('production-pool', 87)],
  },
  {
    id: 'database pool', manifests: ['database-pool'], file: 'database.yaml',
    steps: [applies('database.yaml', `${pools}/database-pool`), frees('database-pool', 10)],
  },
  {
    id: 'basic advertisement', manifests: ['basic-advertisement'], file: 'l2advertisement.yaml',
    steps: [accepts('l2advertisement.yaml', `${advertisements}/local-network-advertisement`)],
  },
  {
    id: 'apply the advertisement',
    steps: [{
      command: 'kubectl apply -f l2advertisement.yaml',
      want: created(`${advertisements}/local-network-advertisement`),
    }],
  },
  {
    id: 'advertisement with node selectors', manifests: ['edge-advertisement'], file: 'edge.yaml',
    steps: [applies('edge.yaml', `${advertisements}/edge-node-advertisement`)],
  },
  {
    id: 'advertisement with interfaces', manifests: ['interface-advertisement'], file: 'interface.yaml',
    steps: [
      applies('interface.yaml', `${advertisements}/interface-specific-advertisement`),
      {
        command: 'kubectl get l2advertisements -n metallb-system', isOurs: true,
        want: [
          /^edge-node-advertisement +\["production-pool"\]/m,
          /^interface-specific-advertisement +\["local-network-pool"\] +\["eth0","bond0"\]/m,
          /^local-network-advertisement +\["local-network-pool"\]/m,
        ],
      },
    ],
  },
  {
    id: 'complete example', manifests: ['complete'], file: 'complete.yaml', isFresh: true,
    steps: [
      applies('complete.yaml', `${pools}/primary-pool`, `${pools}/priority-pool`,
        `${advertisements}/primary-l2-advertisement`, `${advertisements}/priority-l2-advertisement`),
      frees('primary-pool', 15),
      frees('priority-pool', 5),
    ],
  },
]

const serving: readonly Block[] = [
  {
    id: 'deployment', manifests: ['deployment'], file: 'deployment.yaml',
    steps: [accepts('deployment.yaml', 'deployment.apps/nginx-demo')],
  },
  {
    // The guide applies both by one name.
    id: 'service', manifests: ['deployment', 'automatic'], file: 'nginx-demo.yaml',
    steps: [accepts('nginx-demo.yaml', 'service/nginx-lb')],
  },
  {
    id: 'apply and verify',
    steps: [
      {
        command: 'kubectl apply -f nginx-demo.yaml',
        want: created('deployment.apps/nginx-demo', 'service/nginx-lb'),
      },
      {
        command: 'kubectl get service nginx-lb', isPatient: true,
        want: [
          /^NAME +TYPE +CLUSTER-IP +EXTERNAL-IP +PORT\(S\) +AGE\n/, sheetOf('nginx-lb', '192.168.1.240', 80),
        ],
      },
      { command: 'curl http://192.168.1.240', isPatient: true, want: [/nginx/] },
    ],
  },
  {
    id: 'a specific address', manifests: ['specific-address'], file: 'specific-address.yaml',
    steps: [
      applies('specific-address.yaml', 'service/nginx-specific-ip'),
      gets('nginx-specific-ip', '192.168.1.245', 80),
      { command: 'curl http://192.168.1.245', isPatient: true, isOurs: true, want: [/nginx/] },
    ],
  },
  {
    id: 'a specific pool', manifests: ['specific-pool'], file: 'specific-pool.yaml',
    steps: [
      applies('specific-pool.yaml', 'service/priority-service'),
      gets('priority-service', '192.168.1.200', 443),
      {
        // No Pod is behind it, and no node of kind has the label that its advertisement asks for.
        command: 'kubectl describe service priority-service', isOurs: true, isPatient: true,
        want: [/Assigned IP \["192\.168\.1\.200"\]/], never: /nodeAssigned/,
      },
    ],
  },
]

const failingOver: readonly Block[] = [
  {
    id: 'failover',
    steps: [
      {
        command: 'kubectl logs -n metallb-system -l app=metallb,component=speaker | grep -i "192.168.1.240"',
        isPatient: true, want: [logLine, /"msg":"leader, announcing",.*"node":"node-1".*"192\.168\.1\.240"/],
      },
      {
        command: 'kubectl describe service nginx-lb | grep -i "Events" -A 10',
        isPatient: true,
        want: [
          /^Events:\n +Type +Reason +Age +From +Message\n/,
          /^ +Normal +IPAllocated +.* metallb-controller +Assigned IP \["192\.168\.1\.240"\]$/m,
          /^ +Normal +nodeAssigned .* metallb-speaker +announcing from node "node-1" with proto.* "layer2"$/m,
        ],
      },
      { command: 'kubectl cordon node-1', want: [/^node\/node-1 cordoned\n/] },
      {
        command: 'kubectl drain node-1 --ignore-daemonsets --delete-emptydir-data',
        want: [/^node\/node-1 already cordoned$/m, /^node\/node-1 drained$/m],
      },
      {
        command: 'kubectl get service nginx-lb -w', endlessS: 5,
        want: [sheetOf('nginx-lb', '192.168.1.240', 80)],
      },
      {
        command: `for i in {1..30}; do
  curl -s -o /dev/null -w "%{http_code} - %{time_total}s\\n" http://192.168.1.240 || echo "Connection failed"
  sleep 1
done`,
        isMeanwhile: true,
        // Connections to a page that is being evicted may fail; those before and after may not.
        want: [
          /^(?:(?:200 - \d+\.\d+s|000 - .*|Connection failed)\n){30,}$/,
          /^200 - /, /(?:200 - \d+\.\d+s\n){5}$/,
        ],
      },
      { command: 'kubectl uncordon node-1', want: [/^node\/node-1 uncordoned\n/] },
    ],
  },
  {
    id: 'monitoring script', file: 'monitor-metallb.sh',
    steps: [{
      command: `#!/bin/bash

echo "Monitoring MetalLB speaker logs for leadership changes..."
echo "Press Ctrl+C to stop"

kubectl logs -n metallb-system -l component=speaker -f --all-containers 2>/dev/null | \\
  grep -E "(leader|announce|withdraw|elected)" --line-buffered | \\
  while read line; do
    echo "[$(date '+%Y-%m-%d %H:%M:%S')] $line"
  done`,
      endlessS: 25,
      meanwhile: 'kubectl delete pod -n metallb-system -l component=speaker ' +
        '--field-selector=spec.nodeName=node-1',
      want: [
        /^Monitoring MetalLB speaker logs for leadership changes\.\.\.\nPress Ctrl\+C to stop\n\[/,
        /^\[[-\d]{10} [:\d]{8}\] \{.*"msg":"withdrawing service announcement",.*"192\.168\.1\.240"/m,
        /^\[[-\d]{10} [:\d]{8}\] \{.*"msg":"became leader of address",.*"192\.168\.1\.240"/m,
      ],
    }],
  },
]

const firstSpeaker = '$(kubectl get pods -n metallb-system -l component=speaker ' +
  `-o jsonpath='{.items[0].metadata.name}')`

const troubleshooting: readonly Block[] = [
  {
    id: 'stuck in Pending',
    steps: [
      { command: 'kubectl get pods -n metallb-system', isPatient: true, want: [allPods] },
      {
        command: 'kubectl get ipaddresspools -n metallb-system',
        want: [
          /^NAME +AUTO ASSIGN +AVOID BUGGY IPS +ADDRESSES\n/,
          /^primary-pool +true +true +\["192\.168\.1\.240-192\.168\.1\.255"\]$/m,
          /^priority-pool +false +false +\["192\.168\.1\.200-192\.168\.1\.204"\]$/m,
        ],
      },
      {
        command: 'kubectl logs -n metallb-system -l app=metallb,component=controller',
        want: [logLine], never: /"level":"error"/,
      },
      {
        command: 'kubectl get l2advertisements -n metallb-system -o yaml',
        want: [
          /^ {4}ipAddressPools:\n {4}- primary-pool$/m, /^ {4}ipAddressPools:\n {4}- priority-pool$/m,
          /^ {8}node-role\.kubernetes\.io\/worker: "true"$/m,
        ],
      },
    ],
  },
  {
    id: 'not reachable',
    steps: [
      {
        command: 'kubectl get l2advertisement -n metallb-system',
        want: [
          /^NAME +IPADDRESSPOOLS +IPADDRESSPOOL SELECTORS +INTERFACES\n/,
          /^primary-l2-advertisement +\["primary-pool"\]/m,
          /^priority-l2-advertisement +\["priority-pool"\]/m,
        ],
      },
      {
        command: 'kubectl logs -n metallb-system -l component=speaker | grep -i "announce"',
        isPatient: true, want: [logLine, /"event":"announces","node":"node-1".*"192\.168\.1\.240"/],
      },
      {
        command: 'kubectl get pods -n metallb-system -o wide', isPatient: true,
        want: [
          /^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE +NOMINATED NODE +READINESS GATES\n/,
          /^speaker-.* node-1 +<none>/m, /^speaker-.*-worker\d* +<none>/m,
          /^speaker-.*-control-plane +<none>/m,
        ],
      },
      {
        command: 'arping -I eth0 192.168.1.240', isOnNode: true, endlessS: 4,
        want: [
          /^ARPING 192\.168\.1\.240 from \S+ eth0\n/,
          // All of them from one hardware address.
          / eth0\n\S+ reply from 192\.168\.1\.240 +\[([0-9A-F:]{17})\].*\n(?:.* \[\1\].*\n)+Sent/,
        ],
      },
      {
        // The host forgets whom it has not asked for a minute, if there are many on the machine.
        command: 'curl -s -o /dev/null -w "%{http_code}" http://192.168.1.240', isOurs: true, isPatient: true,
        want: [/^200$/],
      },
      {
        command: 'arp -a | grep 192.168.1.240',
        want: [/^\S+ \(192\.168\.1\.240\) at (?:[0-9a-f]{2}:){5}[0-9a-f]{2} \[ether\] +on \S+\n$/],
      },
    ],
  },
  {
    id: 'failover not working',
    steps: [
      {
        command: 'kubectl get pods -n metallb-system -l component=speaker', isPatient: true,
        want: [new RegExp(`^${pods}\n${speakerRows}$`)],
      },
      {
        command: 'kubectl logs -n metallb-system -l component=speaker | grep -i "memberlist"',
        isPatient: true, want: [logLine, /"msg":"leader, announcing",.*"memberlist":3\b/],
      },
      {
        command: `kubectl exec -n metallb-system ${firstSpeaker} -- \\
  wget -q -O - http://localhost:7472/metrics | grep memberlist`,
        want: [
          /^arpeggio_memberlist_members\{state="alive"\} 3$/m,
          /^arpeggio_memberlist_packets_sent_total \d+$/m,
        ],
      },
    ],
  },
  {
    id: 'debugging',
    steps: [
      {
        command: 'kubectl get all -n metallb-system',
        want: [
          new RegExp(`^pod/${controllerRow}$`, 'm'),
          new RegExp(String.raw`(?:^pod/speaker-\w{5} +${running}\n){3}`, 'm'),
          /^daemonset\.apps\/speaker +3 +3 +3 +3 +3 /m, /^deployment\.apps\/controller +1\/1 +1 +1 /m,
          /^replicaset\.apps\/controller-/m,
        ],
      },
      {
        command: 'kubectl get services --all-namespaces | grep LoadBalancer',
        want: [
          sheetOf('nginx-lb', '192.168.1.240', 80), sheetOf('nginx-specific-ip', '192.168.1.245', 80),
          sheetOf('priority-service', '192.168.1.200', 443),
        ],
      },
      {
        command: 'kubectl get ipaddresspools,l2advertisements -n metallb-system -o yaml',
        want: [
          /^ {4}addresses:\n {4}- 192\.168\.1\.240-192\.168\.1\.255$/m, /^ {4}assignedIPv4: 2$/m,
          /^ {2}kind: L2Advertisement$/m,
        ],
      },
      {
        command: `kubectl get events -n metallb-system --sort-by='.lastTimestamp'`,
        want: [/^LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n/, /Normal +Started +pod\/speaker-/],
      },
      {
        command: `kubectl exec -n metallb-system -it ${firstSpeaker} -- \\
  ip addr show`,
        want: [/^\d+: lo: /m, /inet 127\.0\.0\.1\/8/, /^\d+: eth\d+@?\S*: /m],
      },
    ],
  },
]

const practising: readonly Block[] = [
  {
    id: 'best practice', manifests: ['best-practice'], file: 'pools.yaml', isFresh: true,
    steps: [
      applies('pools.yaml', `${pools}/web-services-pool`, `${pools}/internal-services-pool`),
      frees('web-services-pool', 20),
      {
        command: 'kubectl get ipaddresspools -n metallb-system --show-labels', isOurs: true,
        want: [/^internal-services-pool .*environment=production,purpose=internal$/m],
      },
    ],
  },
  {
    // The kind is the Prometheus operator's, which is not here: its fields stand unchecked.
    id: 'alerts', manifests: ['alerts'], file: 'alerts.yaml',
    steps: [applies('alerts.yaml', 'prometheusrule.monitoring.coreos.com/metallb-alerts')],
  },
  {
    id: 'network policy', manifests: ['policy'], file: 'policy.yaml',
    steps: [
      applies('policy.yaml', 'networkpolicy.networking.k8s.io/metallb-speaker-policy'),
      { command: 'kubectl get pods -n metallb-system', isOurs: true, isPatient: true, want: [allPods] },
      {
        command: `kubectl exec -n metallb-system ${firstSpeaker} -- \\
  wget -q -O - http://localhost:7472/metrics`,
        isOurs: true, isPatient: true, want: [/^arpeggio_memberlist_members\{state="alive"\} 3$/m],
      },
    ],
  },
]

/** All 26, twelve of commands and fourteen of manifests. */
export const blocks: readonly Block[] = [
  ...installing, ...configuring, ...serving, ...failingOver, ...troubleshooting, ...practising,
]
