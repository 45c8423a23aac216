/** A program: serves one file over HTTP on 127.0.0.1. Arguments: its path, and the port. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'

const [path = '', port = ''] = process.argv.slice(2)
createServer((_, reply) => void reply.end(readFileSync(path)))
  .listen(Number(port), '127.0.0.1', () => console.log('listening'))
