/** Rules of ownership that can be left out, to see whether anybody notices. */

/**
 * Rules that the simulator leaves out, one at a time, to see that its checks notice. Production has
 * no way to say anything but `allRules`.
 */
export interface Rules {
  /** A right ends F after the last beat. */
  readonly hasFence: boolean
  /** Silence counts only where this node hears; a deaf owner stops. */
  readonly hasControls: boolean
  /** Of two that probe at once, the lower MAC goes on. */
  readonly hasTieBreak: boolean
  /** Beats and claims with a higher term contest an owner. */
  readonly hasTerms: boolean
  /** Who misses an owner's beats suspects it, and tells who may claim. */
  readonly hasSuspicion: boolean
  /** Nothing goes by choice to a node where all that would serve terminates. */
  readonly hasEndings: boolean
}

export const allRules: Rules = {
  hasFence: true, hasControls: true, hasTieBreak: true, hasTerms: true, hasSuspicion: true,
  hasEndings: true,
}
