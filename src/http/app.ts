/** The read-only HTTP endpoint: probes, metrics and status. */
import { Hono } from 'hono'
import { formatPage } from './page.ts'
import { answerProbe, probePaths, type Site } from './probes.ts'
import { formatStatus } from './status.ts'

/** The application; `fetch` is its whole interface, so tests need no port. Only GET and HEAD. */
export function createApp(site: Site): { fetch(request: Request): Response | Promise<Response> } {
  const app = new Hono()
  app.use(async (context, next) => {
    if (!['GET', 'HEAD'].includes(context.req.method)) return context.text('read-only\n', 405)
    await next()
    context.header('cache-control', 'no-store')
    return undefined
  })
  for (const path of probePaths) {
    app.get(path, async (context) => {
      const { status, contentType, text } = await answerProbe(site, path)
      return context.body(text, status, { 'content-type': contentType })
    })
  }
  app.get('/debug/state', (context) => context.json(site.status()))
  app.get('/', (context) => context.redirect('/status'))
  app.get('/status', (context) => {
    const form = chooseForm(context.req.query('format'), context.req.raw.headers)
    if (form === undefined) return context.text(`unknown format: ask for ${formList}\n`, 400)
    const status = site.status()
    if (form === 'html') return context.html(formatPage(status))
    return form === 'text' ? context.text(formatStatus(status)) : context.json(status)
  })
  app.notFound((context) =>
    context.text('not found: /healthz /readyz /metrics /status /debug/state\n', 404)
  )
  return app
}

const forms = ['json', 'text', 'html'] as const
type Form = (typeof forms)[number]

const formList = 'format=json, format=text or format=html'

/**
 * `?format=` wins; then what the client accepts; curl, which accepts anything, gets text. undefined = another
 * format is asked for than there is.
 */
function chooseForm(asked: string | undefined, headers: Headers): Form | undefined {
  if (asked !== undefined) return forms.find((form) => form === asked)
  const accept = headers.get('accept') ?? ''
  if (accept.includes('text/html')) return 'html'
  if (accept.includes('json')) return 'json'
  if (accept.includes('text/plain')) return 'text'
  return /^(curl|wget)\//i.test(headers.get('user-agent') ?? '') ? 'text' : 'json'
}
