/** How long anything may last that is not as it should be: what design §5 promises, exactly. */

/** How long two may answer (design §5, "What is promised, exactly"). */
export const overlapBounds = {
  handOverMs: 50, healMs: 250, resumeMs: 200, lossMs: 300,
  /** At 30 % the 300 ms hold for 99 of 100. */
  worstLossMs: 1_500,
}

/** How long nobody may. */
export const darkBounds = {
  /** The owner is dead, cut off, or stands still. */
  deadMs: 600,
  /** Its monitors died with it, or it only went deaf. */
  deafMs: 1_600,
  /** Gossip has to find out, since nobody who watched is left. */
  gossipMs: 9_500,
  /** A start: all nodes join, then claim. */
  startMs: 5_000,
  /** A new address that nobody owned. */
  newMs: 1_200,
  /** Endpoints of a Service with policy Local have gone, or come, and nothing else has happened. */
  rolloutMs: 300,
}
