/** Outputs of the guide's commands as a good cluster gives them, and the words that must not change. */

/** An output of one step. */
export interface Recorded {
  /** Begins the step's command, behind what kubectl's flags say of the namespace. */
  readonly block: string
  readonly command: RegExp
  readonly output: string
  /** Each, were it another, must be noticed. */
  readonly words: readonly string[]
}

const line = (level: string, caller: string, rest: string): string =>
  `{"ts":"2026-11-28T01:02:03Z","level":"${level}","caller":"${caller}",${rest}}\n`
const owned = line('info', 'share.ts', '"msg":"leader, announcing","event":"announces","node":"node-1",' +
  '"count":2,"ips":["192.168.1.240","192.168.1.245"],"memberlist":3')
const podRows = 'controller-6d9c9b7f5-abcde   1/1     Running   0          5m\n' + ['aaaaa', 'bbbbb', 'ccccc']
  .map((id) => `speaker-${id}               1/1     Running   0          5m\n`).join('')
const podSheet = `NAME                         READY   STATUS    RESTARTS   AGE\n${podRows}`
const stamped = (text: string): string => `[2026-11-28 01:02:03] ${text}`

export const recorded: readonly Recorded[] = [
  {
    block: 'pods', command: /get pods/, output: podSheet,
    words: ['controller-', 'speaker-', 'Running', '1/1'],
  },
  {
    block: 'apply the pool', command: /^kubectl apply/,
    output: 'ipaddresspool.metallb.io/local-network-pool created\n',
    words: ['ipaddresspool', 'metallb.io', 'local-network-pool', 'created'],
  },
  {
    block: 'apply the pool', command: /jsonpath/,
    output: '{"assignedIPv4":0,"assignedIPv6":0,"availableIPv4":16,"availableIPv6":0}',
    words: ['assignedIPv4', 'availableIPv4', ':16'],
  },
  {
    block: 'apply and verify', command: /get service nginx-lb$/,
    output: 'NAME       TYPE           CLUSTER-IP     EXTERNAL-IP     PORT(S)        AGE\n' +
      'nginx-lb   LoadBalancer   10.96.12.240   192.168.1.240   80:31234/TCP   5s\n',
    words: ['EXTERNAL-IP', 'LoadBalancer', '192.168.1.240', '80:'],
  },
  {
    block: 'a specific pool', command: /describe service/,
    output: 'Events:\n  Normal  IPAllocated  5s  metallb-controller  Assigned IP ["192.168.1.200"]\n',
    words: ['Assigned IP', '192.168.1.200'],
  },
  {
    block: 'failover', command: /^kubectl logs/, output: owned,
    words: [
      'leader, announcing', '"msg"', '"ts"', '"level"', '"caller"', '"node"', 'node-1', '192.168.1.240',
    ],
  },
  {
    block: 'failover', command: /^kubectl describe service/,
    output: 'Events:\n  Type    Reason        Age   From                Message\n' +
      '  Normal  IPAllocated   10s   metallb-controller  Assigned IP ["192.168.1.240"]\n' +
      '  Normal  nodeAssigned  9s    metallb-speaker     announcing from node "node-1" with protocol ' +
      '"layer2"\n',
    words: ['IPAllocated', 'nodeAssigned', 'metallb-controller', 'metallb-speaker', 'Assigned IP',
      'announcing from node', '"layer2"', 'node-1'],
  },
  {
    block: 'monitoring script', command: /^#!/,
    output: 'Monitoring MetalLB speaker logs for leadership changes...\nPress Ctrl+C to stop\n' +
      stamped(line('info', 'share.ts', '"msg":"withdrawing service announcement",' +
        '"event":"serviceWithdrawn","ip":"192.168.1.240","services":["default/nginx-lb"]')) +
      stamped(line('info', 'news.ts', '"msg":"became leader of address","event":"claimed",' +
        '"ip":"192.168.1.240"')),
    words: ['withdrawing service announcement', 'became leader of address', '192.168.1.240'],
  },
  {
    block: 'stuck in Pending', command: /get ipaddresspools/,
    output: 'NAME            AUTO ASSIGN   AVOID BUGGY IPS   ADDRESSES\n' +
      'primary-pool    true          true              ["192.168.1.240-192.168.1.255"]\n' +
      'priority-pool   false         false             ["192.168.1.200-192.168.1.204"]\n',
    words: ['AUTO ASSIGN', 'AVOID BUGGY IPS', 'ADDRESSES', 'true', 'false'],
  },
  {
    block: 'stuck in Pending', command: /^kubectl logs/,
    output: line('info', 'journal.ts', '"msg":"IP address assigned by controller","event":"ipAllocated"'),
    words: ['"msg"', '"ts"', '"caller"'],
  },
  {
    block: 'not reachable', command: /get l2advertisement /,
    output: 'NAME                         IPADDRESSPOOLS        IPADDRESSPOOL SELECTORS   INTERFACES\n' +
      'primary-l2-advertisement     ["primary-pool"]\npriority-l2-advertisement    ["priority-pool"]\n',
    words: ['IPADDRESSPOOLS', 'IPADDRESSPOOL SELECTORS', 'INTERFACES', '["primary-pool"]'],
  },
  {
    block: 'not reachable', command: /^kubectl logs/, output: owned,
    words: ['"event":"announces"', '"node":"node-1"', '192.168.1.240'],
  },
  {
    block: 'failover not working', command: /^kubectl get pods/,
    output: podSheet.replace(/^controller.*\n/m, ''), words: ['speaker-', 'Running'],
  },
  {
    block: 'failover not working', command: /^kubectl logs/, output: owned,
    words: ['leader, announcing', '"memberlist"', ':3'],
  },
  {
    block: 'failover not working', command: /^kubectl exec/,
    output: 'arpeggio_memberlist_members{state="alive"} 3\narpeggio_memberlist_packets_sent_total 120\n',
    words: ['arpeggio_memberlist_members', 'state="alive"', 'arpeggio_memberlist_packets_sent_total', ' 3'],
  },
]
