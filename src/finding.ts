/** What is wrong with this host, and the command that mends it: for the log and for status. */

export interface HostFinding {
  /** Literal, for scripts. */
  readonly reason: string
  /** A sentence that ends with the fix. */
  readonly message: string
}
