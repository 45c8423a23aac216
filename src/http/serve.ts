/** Serves the application on Node's HTTP server; loaded when somebody asks for more than a probe. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { createApp } from './app.ts'
import type { Site } from './probes.ts'

export type Serve = (request: IncomingMessage, response: ServerResponse) => unknown

export function createServe(site: Site): Serve {
  const app = createApp(site)
  return getRequestListener((request) => app.fetch(request))
}
