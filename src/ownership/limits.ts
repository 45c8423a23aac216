/** Times and bounds of ownership: the constants of the protocol in one place. */
import type { Millis } from '../net/model.ts'

// Design "Beats" and "Fence".
/** B: between two beats of an owner. */
export const beatMs: Millis = 100
/** F: how long an owner may answer after the instant stamped on its last beat. */
export const fenceMs: Millis = 300
/** Two missed beats and a bit of lateness. */
export const suspectMs: Millis = 220
export const monitorCount = 3
/** How many in rank are told of a suspicion. */
export const toldCount = 3
/** A suspicion is stated again when nobody has claimed by then, five times; then every second. */
export const restateMs: Millis = 400
export const restateSlowMs: Millis = 1_000
export const restateFast = 5
/** A loop that is this late has stalled: it reads its queues before anything else. */
export const stallMs: Millis = 40

// Design "Claim".
export const rankMs: Millis = 100
export const probeCount = 5
export const probeGapMs: Millis = 15
/** A whole probe round: five gaps, the last of them for late answers. */
export const roundMs: Millis = probeCount * probeGapMs
/** Addresses whose probe rounds start in one millisecond: 1,000 of them end within 200 ms. */
export const startsPerMs = 12
/** So many may start so fast; the credit comes back at this pace, so that probes are no storm. */
export const startCredit = 1_000
export const creditPerMs = 0.5
/** Credit is taken so long in advance; a round that finds none waits in line, which is looked at so often. */
export const lineMs: Millis = 100
export const lineTickMs: Millis = 10
/** Whoever waits for much credit is overtaken by those that need less, but not for longer. */
export const overtakenMs: Millis = 500

/** Instants at which an owner answers a member's probe after the responder's own answer. */
export const repeatMs: readonly Millis[] = [4, 9]
/** An answered claim goes on only while somebody goes on saying that there are no beats. */
export const staleMs: Millis = 1_500
/** Whose probes made a claim wait does so again only after this. */
export const yieldMs: Millis = 2_000
export const postponeMs: Millis = fenceMs
export const postponeMaxMs: Millis = 1_000
export const reportAfterMs: Millis = 5_000
/** Members' frames that were under way when a round began are not answers to it. */
export const graceMs: Millis = 10

// Design "A deaf node never claims, a deaf owner stops" and "Witness".
export const unheardRetryMs: Millis = 300
export const quietMs: Millis = 300
/** Before that, one member alone is asked: where it answers, the others need not be troubled. */
export const glanceMs: Millis = 200
export const controlMs: Millis = 200
export const deafMs: Millis = 900
export const missingMs: Millis = 100
export const missingSlowMs: Millis = 1_000
/** As many owners ask so often; with more of them, each asks more rarely. */
export const missingAskers = 10
export const missingSlowAfterMs: Millis = 600_000
export const witnessCount = 2
export const witnessMs: Millis = 400
/** An ask that is not answered by then is a miss. */
export const missMs: Millis = 100
export const missCount = 3
/** Rivals that are asked for at each turn, besides one missing member. */
export const rivalCount = 2
/** A member that is missing and heard makes all units be probed, once in this time. */
export const returnedMs: Millis = 1_000
/** While it goes on being heard, twice as long each time, up to this. */
export const returnedMaxMs: Millis = 32_000
/** Hosts that are remembered on a segment, to be asked whether this node is heard. */
export const hostCount = 8

// Overload.
/** An owner whose deadline has passed says so, and nobody claims what it probes for, for so long. */
export const pausedMs: Millis = 600
/** Deadlines that pass within this are in a row: probes and claims wait, longer each time. */
export const expiryMs: Millis = 10_000
export const expiryWaitMs: Millis = 100
export const expiryWaitMaxMs: Millis = 2_000
/** Nodes that know fewer units wait in proportion. */
export const strainUnits = 256
/** A loop that was late is forgiven once in this time; late again, its probes are halved, `lateMax` times. */
export const lateCalmMs: Millis = 1_000
export const lateMax = 4
/** After so many in a row, nobody waits for the owner any more. */
export const pauseCount = 2
/** Nothing moves by choice within this after a loop that was late. */
export const calmMs: Millis = 2_000
/** Second and third answers that wait, at most: they are against loss, not against overload. */
export const repeatLimit = 256
/** Whoever has said anything within this is no dead MAC that a fabric answers for. */
export const spokenMs: Millis = 3_000
/** So often in a row such a MAC has to be silent by unicast. */
export const unicastCount = 3

// Design "Foreign voices".
export const settleMs: Millis = 300
/** DEFEND_INTERVAL (RFC 5227 §2.4). */
export const defendMs: Millis = 10_000
export const conflictMinMs: Millis = 10_000
export const conflictMaxMs: Millis = 60_000
/**
 * Between two questions of an owner for its own addresses: five of them are asked for within the 5 s in which
 * a silence is to be told, by a tenth of the frames that beats to one monitor take. Of more owners than
 * `missingAskers`, each asks more rarely.
 */
export const patrolMs: Millis = 1_000

// Design "Placement" and "Hand-over".
/** A leg that was given up is told of again so often, when the rest of the unit is asked for. */
export const pleaCount = 3
export const startMs: Millis = 3_000
export const provisionalMs: Millis = 60_000
export const preferredMs: Millis = 30_000
export const mixedMs: Millis = 10_000
/** An offer is made again after this; after so many tries the next successor is asked. */
export const offerMs: Millis = 100
export const offerTries = 3
/** A successor that was asked for on the wire has answered by then; what it answered holds for so long. */
export const meetMs: Millis = 20
export const metMs: Millis = 500
/** Offers are made so far apart, those of one tick together. */
export const offerGapMs: Millis = 0.4
export const offerTickMs: Millis = 20
/** Who has said that it took over, and is not heard by then, is asked for on the wire. */
export const takenMs: Millis = 100
/** Frames of the old owner that are under way during a hand-over. */
export const handedMs: Millis = 200
/** An owner that may no longer be one waits so long for a successor. */
export const ineligibleMs: Millis = 2_000
/** After another's answer was heard, and at most so often, a unit is announced again. */
export const shoutMs: Millis = 30
export const shoutGapMs: Millis = 1_000
/** The burst of announcements is over by then. */
export const wholeBurstMs: Millis = 5_000
/** Others wait for a new unit's owner for longer than this: within it, nobody else has claimed the unit. */
export const patienceMs: Millis = 250
/** A placement that was told to a node counts as its load for so long. */
export const pickMs: Millis = 1_000
/** Between two looks at what moves slowly: preferences, balance, units without owner. */
export const slowMs: Millis = 1_000
/** Units that nobody wants any more keep their term for so long. */
export const ghostMs: Millis = 60_000

/** A successor that refused is not asked again for so long. */
export const refusedMs: Millis = 5_000
/** A member that said it does not own a unit, and whose MAC answers for it within this: strictARP. */
export const deniedMs: Millis = 300

// Bounds.
export const messageBytes = 1_200
export const historyLength = 200
export const unitLimit = 20_000
