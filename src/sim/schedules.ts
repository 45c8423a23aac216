/** The numbered schedules: each broke an earlier wording of the protocol, and has its bound now. */
import { aloneSchedules } from './alone.ts'
import { checkBalance } from './checks.ts'
import {
  appear, crash, cutGossip, deafen, drain, endMove, freezeNode, kill, loseCarrier, loseUplink, move, muffle,
  pauseNode, split, strayAnnouncement,
} from './faults.ts'
import { monitorsOf, notesOf, type Scenario } from './scenario.ts'
import { lossSchedules } from './losses.ts'
import { newcomers } from './newcomers.ts'
import { segmentSchedules } from './segments.ts'
import { goodQuality, lossy } from './segment.ts'

const ten = { nodes: 10 }
const one = { nodes: 3, units: 1 }

export const schedules: readonly Scenario[] = [
  {
    it: '1 a burst of new Services, seen in different order: one placer for each, no second voice',
    options: { ...ten, units: 1 },
    story: (stage) => {
      appear(stage.cluster, 1, 30)
      stage.pass(4_000)
    },
    most: { darkMs: 1_000, moves: 0 },
    also: ({ cluster }) => checkBalance(cluster, 2).map(({ text }) => text),
  },
  {
    it: '2 an uplink lost behind a healthy carrier, then back: the deaf owner has stopped',
    options: ten,
    story: ({ cluster, owner, lan, pass }) => {
      const heal = loseUplink(cluster, lan(), owner)
      pass(5_000)
      heal()
      pass(6_000)
    },
    most: { darkMs: 1_600, overlapMs: 0 },
  },
  {
    it: '2 an uplink lost for less than the owner needs to notice: the healed sides settle',
    options: ten,
    story: ({ cluster, owner, lan, pass }) => {
      const heal = loseUplink(cluster, lan(), owner)
      pass(600)
      heal()
      pass(6_000)
    },
    most: { darkMs: 1_600, overlapMs: 250 },
  },
  {
    it: '3 a segment split and healed: one side yields soon after the heal',
    options: { ...ten, clients: 2 },
    story: ({ cluster, owner, others, lan, pass }) => {
      const heal = split(cluster, lan(), [owner, ...others.slice(0, 4)])
      pass(5_000)
      heal()
      pass(6_000)
    },
    most: { darkMs: 1_000, overlapMs: 250 },
  },
  {
    it: '3 a segment split for longer than gossip needs, gossip on the same wire',
    options: { ...ten, isGossipCarried: true },
    story: ({ cluster, owner, others, lan, pass }) => {
      const heal = split(cluster, lan(), [owner, ...others.slice(0, 4)])
      pass(12_000)
      heal()
      pass(8_000)
    },
    most: { darkMs: 1_000, overlapMs: 250 },
  },
  {
    it: '3 thirty owners, split for longer than gossip needs: each asks more rarely, and all hear who asks',
    options: { nodes: 30, units: 60, isGossipCarried: true },
    seeds: 2,
    story: ({ cluster, owner, others, lan, pass }) => {
      const heal = split(cluster, lan(), [owner, ...others.slice(0, 12)])
      pass(12_000)
      heal()
      pass(6_000)
    },
    // Monitors and witnesses of some are all on the other side: how long that is dark is another matter.
    most: { overlapMs: 250 },
  },
  {
    it: '3 one of two segments split for a second: whom the claimers lost there they hear on the other',
    options: { nodes: 20, segments: 2, units: 3, isGossipCarried: true },
    seeds: 8,
    story: ({ cluster, owner, others, lan, pass }) => {
      const heal = split(cluster, lan(), [owner, ...others.slice(0, 5)])
      pass(1_000 + cluster.random.between(0, 400))
      heal()
      pass(6_000)
    },
    most: { overlapMs: 250 },
  },
  {
    it: '3 a segment split for less than gossip needs, and gossip with it: claimers ask for whom they lost',
    options: { nodes: 9, isGossipCarried: true },
    seeds: 12,
    story: ({ cluster, owner, others, lan, pass }) => {
      const heal = split(cluster, lan(), [owner, ...others.slice(0, 2)])
      pass(3_000)
      heal()
      pass(6_000)
    },
    most: { darkMs: 1_000, overlapMs: 250 },
  },
  {
    it: '4 a pause that the guest does not see, 10 nodes: the resumed owner is contested',
    options: ten,
    story: ({ cluster, owner, pass }) => {
      const resume = pauseNode(cluster, owner)
      pass(3_000)
      resume()
      pass(6_000)
    },
    most: { darkMs: 600, overlapMs: 200 },
  },
  {
    it: '4 a pause longer than gossip needs: a stale view contests nobody',
    options: ten,
    story: ({ cluster, owner, pass }) => {
      const resume = pauseNode(cluster, owner)
      pass(12_000)
      resume()
      pass(6_000)
    },
    most: { darkMs: 600, overlapMs: 200 },
  },
  ...lossSchedules,
  {
    it: '6 the owner and its three monitors die together: witnesses open the claim',
    options: ten,
    story: (stage) => {
      for (const name of [stage.owner, ...monitorsOf(stage)]) crash(stage.cluster, name)
      stage.pass(14_000)
    },
    most: { darkMs: 1_700 },
  },
  {
    it: '7 the receive side of the owner is dead: it stops, and one owner is left',
    options: ten,
    story: ({ cluster, owner, lan, pass }) => {
      deafen(cluster, lan(), owner)
      pass(6_000)
    },
    most: { darkMs: 1_600 },
  },
  {
    it: '7 the send side of the owner is dead: as if it were dead',
    options: ten,
    story: ({ cluster, owner, lan, pass }) => {
      muffle(cluster, lan(), owner)
      pass(6_000)
    },
    most: { darkMs: 1_600 },
  },
  {
    it: '8 frozen 60 to 295 ms under asks every 5 ms, with 10 % loss: the queue is read first',
    options: { ...one, askEveryMs: 5, quality: lossy(0.1) },
    seeds: 12,
    story: ({ cluster, owner, pass }) => {
      const thawed = freezeNode(cluster, owner)
      pass(cluster.random.between(60, 295))
      thawed()
      pass(3_000)
    },
    most: { darkMs: 700 },
  },
  {
    it: '9 two nodes without gateway and clients, one dies: the other still has a host to ask',
    options: { nodes: 2, units: 2, hasGateway: false, clients: 0 },
    story: ({ cluster, owner, pass }) => {
      crash(cluster, owner)
      pass(9_000)
    },
    most: { darkMs: 600 },
  },
  {
    it: '9 nothing but three nodes, and one that owns nothing goes deaf: it knows whom it does not hear',
    options: { nodes: 3, units: 1, hasGateway: false, clients: 0 },
    seeds: 8,
    story: ({ cluster, others, lan, pass }) => {
      deafen(cluster, lan(), others[0] ?? '')
      pass(4_000)
    },
    most: { darkMs: 0, moves: 0 },
  },
  {
    it: '9 a card that lost its carrier comes back deaf: it claims nothing, though it has heard nobody',
    options: { nodes: 3, units: 2 },
    seeds: 8,
    story: ({ cluster, others, lan, pass }) => {
      const [name = ''] = others
      deafen(cluster, lan(), name)
      const back = loseCarrier(cluster, lan(), name)
      pass(1_200)
      back()
      pass(5_000)
    },
    most: { darkMs: 0, moves: 0 },
    isSettled: false,
  },
  {
    it: '9 a card without carrier for longer than gossip needs comes back deaf: hosts heard before count',
    options: { nodes: 3, units: 2, isGossipCarried: true, hasRings: true },
    seeds: 8,
    story: ({ cluster, others, lan, pass }) => {
      const [name = ''] = others
      deafen(cluster, lan(), name)
      const back = loseCarrier(cluster, lan(), name)
      pass(12_000)
      back()
      pass(5_000)
    },
    most: { darkMs: 0, moves: 0 },
    isSettled: false,
  },
  {
    it: '9 nothing but three nodes, and a card without carrier that long: it was this node that was away',
    options: { ...one, hasGateway: false, clients: 0, isGossipCarried: true, hasRings: true },
    seeds: 8,
    story: ({ cluster, others, lan, pass }) => {
      const [name = ''] = others
      const back = loseCarrier(cluster, lan(), name)
      pass(3_000)
      deafen(cluster, lan(), name)
      back()
      pass(12_000)
    },
    most: { darkMs: 0, moves: 0 },
    isSettled: false,
  },
  {
    it: '9 a card loses its carrier while its node asks for what it would claim: silence says nothing',
    options: one,
    seeds: 12,
    story: ({ cluster, others, lan, pass }) => {
      const [name = ''] = others
      deafen(cluster, lan(), name)
      pass(4_000 + cluster.random.between(0, 300))
      loseCarrier(cluster, lan(), name)
      pass(4_000)
    },
    most: { moves: 0, darkMs: 0 },
    isSettled: false,
  },
  {
    it: '10 a kill while gossip is cut: the back-off is at most a second',
    options: ten,
    story: ({ cluster, owner, others, pass }) => {
      cutGossip(cluster, [owner, ...others.slice(0, 5)])
      pass(9_000)
      crash(cluster, owner)
      pass(6_000)
    },
    most: { darkMs: 1_100, moves: 1 },
  },
  {
    it: '11 one stray foreign announcement: the owner defends, and nobody else claims',
    options: { ...ten, units: 1 },
    story: ({ cluster, unit, pass }) => {
      const [client] = cluster.clients
      if (client !== undefined) strayAnnouncement(cluster, client, unit())
      pass(5_000)
    },
    most: { darkMs: 600, moves: 0 },
  },
  {
    it: '11 its owner is cut off while it is silent for a stray announcement: it asks when it hears again',
    options: { nodes: 3, units: 8 },
    seeds: 8,
    story: ({ cluster, owner, lan, unit, pass }) => {
      const [client] = cluster.clients
      if (client !== undefined) strayAnnouncement(cluster, client, unit())
      pass(cluster.random.between(100, 250))
      const heal = split(cluster, lan(), [owner])
      pass(960)
      heal()
      pass(4_000)
    },
    most: { overlapMs: 250 },
  },
  ...segmentSchedules,
  ...aloneSchedules,
  ...newcomers,
  {
    it: '13 a successor that has been cut off, and claims for itself, has not taken over',
    options: { nodes: 4, units: 8 },
    seeds: 8,
    story: ({ cluster, others, lan, unit, pass }) => {
      const [to = ''] = others
      const heal = split(cluster, lan(), [to])
      pass(250)
      move(cluster, unit(), to)
      pass(3_000)
      endMove(cluster, unit())
      heal()
      pass(4_000)
    },
    most: { darkMs: 600, overlapMs: 250 },
  },
  {
    it: '13 a move under jitter: beats in flight do not silence the new owner',
    options: { ...one, quality: { ...goodQuality, jitterMs: 5 } },
    seeds: 8,
    story: ({ cluster, others, unit, pass }) => {
      move(cluster, unit(), others[0] ?? '')
      pass(4_000)
    },
    most: { darkMs: 20, overlapMs: 50, moves: 1 },
    also: ({ answerers, others }) => answerers()[0] === others[0] ? [] : ['it did not move'],
  },
  {
    it: '13 offers that lay in the queue of a frozen node are not taken up',
    options: { nodes: 4, units: 1 },
    story: ({ cluster, others, unit, pass }) => {
      const [to = ''] = others
      move(cluster, unit(), to)
      const thaw = freezeNode(cluster, to)
      pass(1_500)
      endMove(cluster, unit())
      thaw()
      pass(4_000)
    },
    most: { darkMs: 0, overlapMs: 0, moves: 0 },
  },
  {
    it: '14 a total restart staggered over 10 s: the load is shared within a minute',
    options: { ...ten, units: 30 },
    seeds: 2,
    spreadMs: 10_000,
    warmUpMs: 15_000,
    story: ({ pass }) => pass(65_000),
    most: { overlapMs: 50, darkMs: 20 },
    also: ({ cluster }) => checkBalance(cluster, 3).map(({ text }) => text),
  },
  {
    it: '15 a hard kill with 30 % loss: announcements are repeated',
    options: { nodes: 10, units: 2, quality: lossy(0.3) },
    story: ({ cluster, owner, pass }) => {
      crash(cluster, owner)
      pass(10_000)
    },
    most: { darkMs: 2_000, overlapMs: 1_500 },
    isSettled: false,
  },
  {
    it: '16 an answer from the new owner, who does not beat to the prober, ends its attempt',
    options: { nodes: 20, units: 1 },
    story: (stage) => {
      crash(stage.cluster, stage.owner)
      stage.pass(9_000)
    },
    most: { darkMs: 600, moves: 1 },
    also: (stage) => notesOf(stage, 'claimed').length <= 2 ? [] : ['it was claimed more than once'],
  },
  {
    it: 'a process is killed under a kernel that goes on answering for the node',
    options: ten,
    story: ({ cluster, owner, pass }) => {
      const back = kill(cluster, owner)
      pass(9_000)
      back()
      pass(6_000)
    },
    most: { darkMs: 600 },
  },
  {
    it: 'a drain: make before break, no instant of silence',
    options: ten,
    story: ({ cluster, owner, pass }) => {
      drain(cluster, owner, 2_000)
      pass(5_000)
    },
    most: { darkMs: 5, overlapMs: 50 },
  },
]
