/** How to be let in by an API server. */

export interface Access {
  readonly server: URL
  /** Certificate authority and client certificate, as options of a TLS connection. */
  tls(): Readonly<Record<string, unknown>>
  /** Read for each request: tokens are replaced on disk while the program runs. */
  headers(): Readonly<Record<string, string>>
  /** The server has said 401: what is cached is read again. */
  refused(): void
  /** Namespace of the Pod or of the context. */
  readonly namespace: string | undefined
}
