/** A web server for the lab: each port serves one page that names the Service and who asked. */
import { createServer } from 'node:http'

/** Arguments are `port=name`, one for each page; prints `ready` when all are served. */
const pages = process.argv.slice(2).map((argument) => argument.split('='))

const listening = pages.map(([port = '', name = '']) =>
  new Promise<void>((resolve, reject) => {
    const server = createServer((request, response) => {
      const peer = request.socket.remoteAddress?.replace(/^::ffff:/, '')
      response.end(`page of ${name}, asked for as ${request.headers.host}, by ${peer}\n`)
    })
    server.on('error', reject)
    server.listen(Number(port), '::', resolve)
  })
)
await Promise.all(listening)
console.log('ready')
