/** What the bundle has of prom-client: the whole loads node:cluster and more, for metrics of its own, 4 MiB. */
export { default as Counter } from '../node_modules/prom-client/lib/counter.js'
export { default as Gauge } from '../node_modules/prom-client/lib/gauge.js'
export { default as Registry } from '../node_modules/prom-client/lib/registry.js'
