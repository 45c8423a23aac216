/** Members that were away, and what has still to be heard of them. */
import type { Millis } from '../net/model.ts'

/** A member whose units were claimed from it. */
export interface Lost {
  readonly sinceMs: Millis
  /** Own legs on which it has still to be heard. */
  readonly legs: Set<number>
  /** Not heard on any other leg either. */
  isSilent: boolean
}

/** A member that was dead by membership, and is alive again by membership alone. */
export interface Unmet {
  readonly sinceMs: Millis
  /** Own legs on which it has still to be heard. */
  readonly legs: Set<number>
}

/** A member that is heard, and dead by membership. */
export interface Returned {
  checkedMs: Millis
  heardMs: Millis
  /** Before the next check, while it goes on being heard. */
  gapMs: Millis
}
