// A stand-in for Lamppost's API, for developing the page and for tests that need states that a real city seldom has:
// offline, empty, failing, signed out, ten thousand sensors. It also serves the built page as the binary does.
import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { lastSeen, makeCity, QUANTITIES, readingsAt, seeded, stateOf, valueAt } from './city.mjs';
import { plan } from './plan.mjs';

const DIST = fileURLToPath(new URL('../../dist', import.meta.url));
/** The token that the mock accepts. */
export const TOKEN = 'lamp-token';

const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.mjs': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml', '.json': 'application/json' };

/** The same policy as embed.go's, so that what it stops is seen here too. */
export function policy() {
  const go = readFileSync(fileURLToPath(new URL('../../embed.go', import.meta.url)), 'utf8');
  const source = /const policy = ((?:"[^"]*"[\s+]*)+)/.exec(go)?.[1] ?? '';
  return [...source.matchAll(/"([^"]*)"/g)].map((m) => m[1]).join('');
}

class Problem extends Error {
  constructor(status, title, detail) {
    super(detail);
    this.status = status;
    this.title = title;
  }
}

/**
 * Makes a mock. Options: sensors (how many), guarded (everything asks for the token), noPlan, noCity.
 * The answer has listen(port), close(), and controls for tests: silence(id), fail(prefix, status), mend(), dropLive(),
 * refuse(reason, n).
 */
export function createMock(options = {}) {
  const started = Date.now();
  const city = makeCity(options.sensors ?? 120, options.seed ?? 7);
  for (const s of city.sensors) if (s.silentFor > 0) s.silentSince = started - s.silentFor * 1000;
  const state = { options, started, city, streams: new Set(), failing: new Map(), quarantine: [], lost: 0, slow: 0, version: '0.1.0' };
  fillQuarantine(state, options.quarantine ?? (options.sensors === 0 ? 0 : 46));
  const server = http.createServer((request, response) => {
    answer(state, request, response).catch((error) => problem(response, error));
  });
  const ticker = setInterval(() => tick(state), 1000);
  return {
    listen: (port = 0) => new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}`));
    }),
    close: () => new Promise((resolve) => {
      clearInterval(ticker);
      for (const s of state.streams) s.response.destroy();
      server.close(resolve);
      server.closeAllConnections();
    }),
    sensors: city.sensors,
    silence: (id) => {
      const sensor = city.sensors.find((s) => s.id === id);
      sensor.silentFor = 1;
      sensor.silentSince = Date.now() - 600_000;
    },
    fail: (prefix, status) => state.failing.set(prefix, status),
    mend: () => state.failing.clear(),
    dropLive: () => { for (const s of state.streams) s.response.destroy(); },
    slowDown: (ms) => { state.slow = ms; },
  };
}

function problem(response, error) {
  if (response.headersSent) return response.destroy();
  const status = error.status ?? 500;
  response.writeHead(status, { 'Content-Type': 'application/problem+json' });
  response.end(JSON.stringify({ type: 'about:blank', title: error.title ?? 'Internal Server Error', status, detail: error.message }));
}

const signedIn = (request) =>
  request.headers.authorization === `Bearer ${TOKEN}` || (request.headers.cookie ?? '').includes(`lamppost_session=${TOKEN}`);

async function body(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}

async function answer(state, request, response) {
  const url = new URL(request.url, 'http://localhost');
  if (!url.pathname.startsWith('/api/')) return file(response, url.pathname);
  for (const [prefix, status] of state.failing) {
    if (!url.pathname.startsWith(prefix)) continue;
    if (status === 0) return request.socket.destroy();
    throw new Problem(status, 'Unavailable', 'the store does not answer; lamppost keeps trying');
  }
  if (state.slow > 0) await new Promise((r) => setTimeout(r, state.slow));
  const route = url.pathname.replace('/api/v1/', '');
  if (route === 'session') return session(request, response);
  if ((state.options.guarded || request.method !== 'GET') && !signedIn(request)) {
    throw new Problem(401, 'Unauthorized', 'this needs the token from the file api-token in the data folder');
  }
  if (route === 'live') return live(state, request, response, url.searchParams);
  const made = await make(state, request, route, url.searchParams);
  response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
  response.end(JSON.stringify(made));
}

async function session(request, response) {
  if (request.method === 'DELETE') {
    response.writeHead(204, { 'Set-Cookie': 'lamppost_session=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0' });
    return response.end();
  }
  const { token } = JSON.parse(await body(request));
  if (token !== TOKEN) throw new Problem(401, 'Unauthorized', 'this is not the token in the file api-token');
  response.writeHead(204, { 'Set-Cookie': `lamppost_session=${TOKEN}; HttpOnly; SameSite=Strict; Path=/` });
  response.end();
}

async function make(state, request, route, query) {
  const now = Date.now();
  const [head, id] = route.split('/');
  switch (head) {
    case 'city':
      if (state.options.noCity) throw new Problem(404, 'Not Found', 'no city is configured');
      return { name: 'Aldermouth', zone: 'Europe/Berlin' };
    case 'plan':
      if (state.options.noPlan || state.city.sensors.length === 0) throw new Problem(404, 'Not Found', 'no street plan was put');
      return plan();
    case 'sensors': return id === undefined ? listSensors(state, query, now) : oneSensor(state, decodeURIComponent(id), now);
    case 'sites': return listSites(state, now);
    case 'districts': return listDistricts(state);
    case 'quantities': return { items: QUANTITIES };
    case 'latest': return { items: pick(state, query).filter((s) => stateOf(s, now) !== 'never').flatMap((s) => readingsAt(s, lastSeen(s, now))) };
    case 'figures': return { items: figures(state, now) };
    case 'history': return history(state, query, now);
    case 'ledger': return id === undefined ? ledger(state, query, now) : sensorLedger(state, route.split('/')[2], query, now);
    case 'quarantine': return id === 'replay' ? replay(state, request) : listQuarantine(state, query);
    case 'audit': await new Promise((r) => setTimeout(r, 1500)); return audit(state, query, now);
    case 'bridges': return listBridges(state, now);
    case 'pipeline': return pipeline(state, now);
    default: throw new Problem(404, 'Not Found', 'no such address');
  }
}

const view = (s, now) => {
  const seen = lastSeen(s, now);
  return {
    id: s.id, title: s.title, site: s.site, site_title: s.site_title, district: s.district, lon: s.lon, lat: s.lat, publisher: s.publisher === '' ? s.id : s.publisher,
    cadence_s: s.cadence_s, quantities: s.quantities, domains: s.domains, state: stateOf(s, now), last_seen: seen === null ? null : new Date(seen).toISOString(),
  };
};

function pick(state, query) {
  const has = (key, test) => !query.get(key) || test(query.get(key));
  return state.city.sensors.filter((s) =>
    has('sensor', () => query.getAll('sensor').includes(s.id)) && has('district', (v) => s.district === v) &&
    has('domain', (v) => s.domains.includes(v)) && has('quantity', () => query.getAll('quantity').some((name) => s.quantities.includes(name))) &&
    has('q', (v) => v.toLowerCase().split(/\s+/).every((word) => `${s.id} ${s.title} ${s.site} ${s.site_title}`.toLowerCase().includes(word))));
}

function listSensors(state, query, now) {
  const all = pick(state, query).filter((s) => !query.get('state') || stateOf(s, now) === query.get('state'));
  const offset = Number(query.get('offset') ?? 0);
  return { items: all.slice(offset, offset + Number(query.get('limit') ?? 100)).map((s) => view(s, now)), total: all.length };
}

function find(state, id) {
  const sensor = state.city.sensors.find((s) => s.id === id);
  if (sensor === undefined) throw new Problem(404, 'Not Found', `no sensor ${id} is registered`);
  return sensor;
}

function oneSensor(state, id, now) {
  const sensor = find(state, id);
  const seen = lastSeen(sensor, now);
  return { ...view(sensor, now), latest: seen === null ? [] : readingsAt(sensor, seen) };
}

function listSites(state, now) {
  const items = state.city.sites.map((site) => ({ id: site.id, title: site.title, district: site.district, lon: site.lon, lat: site.lat, domains: new Set(), sensors: 0, silent: 0, never: 0 }));
  const byId = new Map(items.map((s) => [s.id, s]));
  for (const s of state.city.sensors) {
    const site = byId.get(s.site);
    site.sensors++;
    for (const d of s.domains) site.domains.add(d);
    const is = stateOf(s, now);
    if (is !== 'ok') site[is]++;
  }
  const full = items.filter((s) => s.sensors > 0).map((s) => ({ ...s, domains: [...s.domains], state: s.silent > 0 ? 'silent' : s.never === s.sensors ? 'never' : 'ok' }));
  return { items: full, total: full.length };
}

function listDistricts(state) {
  return {
    items: state.city.districts.map((d) => ({
      id: d.id, title: d.title, sites: state.city.sites.filter((s) => s.district === d.id).length, sensors: state.city.sensors.filter((s) => s.district === d.id).length,
    })),
  };
}

const SHOWN = [['traffic', 'speed', 'mean'], ['traffic', 'intensity', 'sum'], ['traffic', 'occupancy', 'mean'], ['energy', 'active_power', 'sum'], ['energy', 'voltage', 'mean'], ['safety', 'no2', 'max'], ['safety', 'pm10', 'mean'], ['safety', 'noise_level', 'max'], ['safety', 'temperature', 'mean'], ['safety', 'water_level', 'max']];

function figures(state, now) {
  return SHOWN.flatMap(([domain, name, agg]) => {
    const quantity = QUANTITIES.find((k) => k.name === name);
    const sensors = state.city.sensors.filter((s) => s.quantities.includes(name) && stateOf(s, now) === 'ok');
    if (sensors.length === 0) return [];
    const values = sensors.flatMap((s) => s.channels.map((c) => valueAt(s, name, c, lastSeen(s, now))));
    const sum = values.reduce((a, b) => a + b, 0);
    const value = agg === 'sum' ? sum : agg === 'max' ? Math.max(...values) : sum / values.length;
    return [{ domain, quantity: name, title: quantity.title, unit: quantity.unit, agg, value, sensors: sensors.length, time: new Date(Math.max(...sensors.map((s) => lastSeen(s, now)))).toISOString() }];
  });
}

const seconds = (text) => {
  const m = /^(\d+)(s|m|h|d)?$/.exec(text ?? '');
  return m === null ? 0 : Number(m[1]) * { s: 1, m: 60, h: 3600, d: 86_400 }[m[2] ?? 's'];
};

function history(state, query, now) {
  const to = query.get('to') ? Date.parse(query.get('to')) : now;
  const from = query.get('from') ? Date.parse(query.get('from')) : to - 3_600_000;
  const wanted = query.getAll('quantity');
  const series = [];
  for (const s of pick(state, query)) {
    const until = Math.min(to, lastSeen(s, now) ?? 0);
    const step = Math.max(seconds(query.get('step')), s.cadence_s) * 1000;
    for (const name of s.quantities.filter((k) => wanted.length === 0 || wanted.includes(k))) {
      for (const channel of s.channels) {
        series.push({ sensor: s.id, quantity: name, channel, unit: QUANTITIES.find((k) => k.name === name).unit, points: points(s, name, channel, from, until, step, query.get('agg')) });
      }
    }
  }
  return { series, truncated: false };
}

function points(s, name, channel, from, until, step, agg) {
  const made = [];
  const raw = step === s.cadence_s * 1000;
  const first = raw ? Math.ceil((from - s.phase * 1000) / step) * step + s.phase * 1000 : Math.floor(from / step) * step;
  for (let t = first; t <= until; t += step) {
    // A sensor that lost its link this morning: an hour without values, so that gaps are seen.
    if (s.id.endsWith('3') && t % 86_400_000 > 5 * 3_600_000 && t % 86_400_000 < 5.8 * 3_600_000) continue;
    const value = valueAt(s, name, channel, t + (raw ? 0 : step / 2));
    const spread = raw ? 0 : Math.abs(value) * 0.01;
    made.push([t, agg === 'min' ? value - spread : agg === 'max' ? value + spread : agg === 'sum' ? value * Math.round(step / 1000 / s.cadence_s) : value]);
  }
  return made;
}

const rate = (state) => state.city.sensors.reduce((sum, s) => sum + (s.silentFor === 0 ? (s.quantities.length * s.channels.length) / s.cadence_s : 0), 0);

function ledger(state, query, now) {
  const from = query.get('from') ? Date.parse(query.get('from')) : state.started - 26 * 3_600_000;
  const received = Math.round((rate(state) * (now - from)) / 1000);
  const rejected = {};
  for (const item of state.quarantine) if (!item.replayed) rejected[item.reason] = (rejected[item.reason] ?? 0) + item.readings;
  const refused = Object.values(rejected).reduce((a, b) => a + b, 0);
  const duplicate = Math.round(received * 0.0004);
  const waiting = Math.min(received, Math.round(rate(state) * 0.4));
  const accepted = Math.max(0, received - duplicate - refused);
  return { received: accepted + duplicate + refused, duplicate, late: Math.round(received * 0.002), stamped: Math.round(received * 0.01), rejected, accepted, written: Math.max(0, accepted - waiting), waiting: Math.min(waiting, accepted), missing: Math.round(received * 0.0011), reports: Math.round(accepted / 3), expected: Math.round(accepted / 3) + Math.round(received * 0.0011) };
}

function sensorLedger(state, id, query, now) {
  const sensor = find(state, id);
  const from = Date.parse(query.get('from') ?? new Date(now - 86_400_000).toISOString());
  const per = Math.max(1, Math.round((60 / sensor.cadence_s) * sensor.quantities.length * sensor.channels.length));
  const totals = { received: 0, duplicate: 0, late: 0, stamped: 0, rejected: {}, accepted: 0, written: 0, waiting: 0, missing: 0, reports: 0, expected: 0 };
  const minutes = [];
  const random = seeded(sensor.phase + 1);
  const seen = lastSeen(sensor, now) ?? 0;
  for (let t = Math.ceil(from / 60_000) * 60_000; t < now; t += 60_000) {
    const luck = random();
    const gone = t > seen || (id.endsWith('3') && t % 86_400_000 > 5 * 3_600_000 && t % 86_400_000 < 5.8 * 3_600_000);
    const missing = gone ? per : luck < 0.004 ? Math.ceil(per / 2) : 0;
    const bad = !gone && luck > 0.998 ? 1 : 0;
    const received = per - missing;
    totals.received += received;
    totals.missing += missing;
    totals.reports += received;
    totals.expected += per;
    totals.accepted += received - bad;
    totals.written += received - bad;
    if (bad > 0) totals.rejected.range = (totals.rejected.range ?? 0) + bad;
    minutes.push({ time: new Date(t).toISOString(), ...(received > 0 ? { received, accepted: received - bad, written: received - bad } : {}), ...(missing > 0 ? { missing } : {}), ...(bad > 0 ? { rejected: { range: bad } } : {}) });
  }
  return { ...totals, minutes };
}

const BAD = [
  ['unregistered', (s) => [`city/pole-${s % 7}/readings`, `pole-${s % 7}`, '', `no sensor pole-${s % 7} is registered`, '{"time":"2026-05-04T09:12:00Z","no2":31.2}']],
  ['range', (s) => [`city/loop-00${(s % 4) + 1}/readings`, `loop-00${(s % 4) + 1}`, `loop-00${(s % 4) + 1}`, 'speed 412 km/h is outside 0 to 300 km/h', '[{"bn":"loop-001/","n":"speed/lane1","u":"km/h","v":412,"t":1777885920}]']],
  ['malformed', (s) => [`city/bridge-${(s % 4) + 1}/readings`, `bridge-${(s % 4) + 1}`, '', 'CBOR is cut short at byte 41', Buffer.from('8aa3216a6c6f6f702d3030312f22fb41da7d1f6666666600a2006573706565640283', 'hex')]],
  ['unknown_quantity', (s) => [`city/air-00${(s % 3) + 3}/readings`, `air-00${(s % 3) + 3}`, `air-00${(s % 3) + 3}`, 'no quantity "luminosity" in the catalogue; did the sensor mean illuminance?', '{"luminosity":310,"time":1777885921}']],
  ['future', (s) => ['city/noise-008/readings', 'noise-008', 'noise-008', `measured ${s + 3} hours after it was received`, '{"noise_level":61.2,"time":"2031-01-01T00:00:00Z"}']],
];

function fillQuarantine(state, n) {
  const random = seeded(11);
  for (let i = 0; i < n; i++) {
    const [reason, write] = BAD[Math.floor(random() * random() * BAD.length)];
    const [topic, publisher, sensor, detail, payload] = write(i);
    const bytes = Buffer.from(payload);
    state.quarantine.push({ id: i + 1, received: new Date(state.started - (n - i) * 1_740_000 * random() - (n - i) * 60_000).toISOString(), reason, topic, publisher, sensor, detail, readings: reason === 'malformed' ? 4 : 1, size_bytes: bytes.length, payload_base64: bytes.toString('base64'), truncated: false });
  }
}

function listQuarantine(state, query) {
  const kept = state.quarantine.filter((i) => !i.replayed && (!query.get('reason') || i.reason === query.get('reason')) && (!query.get('sensor') || i.sensor === query.get('sensor')));
  const before = query.get('before') ? Number(query.get('before')) : Infinity;
  return { items: kept.filter((i) => i.id < before).sort((a, b) => b.id - a.id).slice(0, Number(query.get('limit') ?? 50)), total: kept.length };
}

async function replay(state, request) {
  const { reason, ids } = JSON.parse(await body(request));
  await new Promise((r) => setTimeout(r, 600));
  const chosen = state.quarantine.filter((i) => !i.replayed && (ids ? ids.includes(i.id) : !reason || i.reason === reason));
  const accepted = chosen.filter((i) => i.reason === 'unregistered');
  for (const i of accepted) i.replayed = true;
  return { replayed: accepted.length, still_refused: chosen.length - accepted.length };
}

function audit(state, query, now) {
  const sums = ledger(state, query, now);
  return { clean: true, from: query.get('from') ?? new Date(now - 86_400_000).toISOString(), to: new Date(now).toISOString(), readings: sums.accepted, rows: sums.written, waiting: sums.waiting, differences: [] };
}

function pipeline(state, now) {
  const wave = 1 + 0.06 * Math.sin(now / 9000) + 0.03 * Math.sin(now / 2300);
  const parts = ['store', 'registry', 'spool', 'broker', 'ingest', 'api'].map((name) => ({ name, ready: true, message: '' }));
  if (state.options.storeAway) parts[0] = { name: 'store', ready: false, message: 'no answer from http://127.0.0.1:8086 for 2m10s; readings wait in the spool' };
  const waiting = state.options.storeAway ? 18_400 : Math.round(rate(state) * 0.4 * wave);
  return {
    received_per_s: rate(state) * wave, written_per_s: state.options.storeAway ? 0 : rate(state) * (2 - wave), waiting, quarantined: state.quarantine.filter((i) => !i.replayed).length,
    rejected_total: state.quarantine.reduce((sum, i) => sum + i.readings, 0), spool: { bytes: Math.round(2_400_000 * wave + waiting * 90), max_bytes: 4_294_967_296, oldest_s: state.options.storeAway ? 130 : 0.4, full: false },
    parts, delay_ms: { p50: 7.8 * wave, p99: 41 * wave }, started: new Date(state.started - 26 * 3_600_000).toISOString(), version: state.version,
  };
}

/** One that is away, one of which sensors fail, one that refuses its settings, and those that do well. */
function listBridges(state, now) {
  const one = (publisher, title, more = {}) => ({
    publisher, title, state: 'online', version: state.version, at: new Date(now - 42_000).toISOString(), started: new Date(state.started).toISOString(), sensors: 14, failing: 0,
    settings: { source: 'remote', id: '3f9ac01d77e2', buses: 2, sensors: 14, applied: new Date(state.started).toISOString() },
    outbox: { waiting_readings: 12, oldest_s: 4, disk: 'fine' }, clock: { known: true, source: 'system' }, ...more,
  });
  if (state.city.sensors.length === 0) return { items: [], total: 0 };
  const items = [
    one('bridge-1', 'Quay cabinet'),
    one('bridge-2', 'Station cabinet', { failing: 2 }),
    one('bridge-3', 'Bridge Street cabinet', { state: 'offline', at: new Date(now - 9_400_000).toISOString(), outbox: { waiting_readings: 0, oldest_s: 0, disk: 'fine' } }),
    one('bridge-4', 'bridge-4', { sensors: 3, settings: { source: 'file', id: 'ba9876543210', refused: { id: '281b518c223e', error: 'sensors[2].driver: "sht9x" is no driver; did you mean sht3x?' } } }),
    one('bridge-5', 'Mill Lane cabinet', { outbox: { waiting_readings: 18_204, oldest_s: 5_700, disk: 'fine' } }),
  ];
  return { items, total: items.length };
}

function live(state, request, response, query) {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  response.write(': welcome\n\n');
  const stream = { response, wanted: new Set(pick(state, query).map((s) => s.id)), quantities: query.getAll('quantity'), beat: Date.now() };
  state.streams.add(stream);
  request.on('close', () => state.streams.delete(stream));
}

function tick(state) {
  const now = Date.now();
  const due = state.city.sensors.filter((s) => s.silentFor === 0 && Math.floor(now / 1000 - s.phase) % s.cadence_s === 0);
  for (const stream of state.streams) {
    let text = '';
    for (const s of due) {
      if (!stream.wanted.has(s.id)) continue;
      for (const r of readingsAt(s, lastSeen(s, now))) {
        if (stream.quantities.length === 0 || stream.quantities.includes(r.quantity)) text += `event: reading\ndata: ${JSON.stringify(r)}\n\n`;
      }
    }
    if (text === '' && now - stream.beat > 15_000) text = ': still here\n\n';
    if (text === '') continue;
    stream.beat = now;
    stream.response.write(text);
  }
}

function file(response, pathname) {
  const headers = { 'Content-Security-Policy': policy(), 'X-Content-Type-Options': 'nosniff' };
  let name = path.join(DIST, path.normalize(pathname));
  if (!existsSync(name) || statSync(name).isDirectory()) name = path.join(DIST, 'index.html');
  if (!existsSync(name)) {
    response.writeHead(503, { 'Content-Type': 'text/plain' });
    return response.end('The page is not built: run npm run build.\n');
  }
  headers['Content-Type'] = TYPES[path.extname(name)] ?? 'application/octet-stream';
  response.writeHead(200, headers);
  createReadStream(name).pipe(response);
}
