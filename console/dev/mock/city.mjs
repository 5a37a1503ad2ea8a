// The sensors of the made-up city and what they would report at any moment. Values are functions of sensor, quantity
// and time, so history needs no memory and two runs agree.
import { DISTRICTS, districtAt, place, streetPoint } from './plan.mjs';

/** The catalogue of the mock: a part of the real one, of the same shape. */
export const QUANTITIES = [
  q('intensity', 'Vehicles counted', 'traffic', 'count', '', 0, 100_000),
  q('occupancy', 'Occupancy', 'traffic', 'gauge', '', 0, 1, { ratio: true }),
  q('speed', 'Mean speed', 'traffic', 'gauge', 'km/h', 0, 300),
  q('active_power', 'Active power', 'energy', 'gauge', 'W', -1e9, 1e9),
  q('energy', 'Energy drawn', 'energy', 'counter', 'Wh', 0, 1e15),
  q('voltage', 'Voltage', 'energy', 'gauge', 'V', 0, 1e6),
  q('no2', 'Nitrogen dioxide', 'safety', 'gauge', 'µg/m³', 0, 5000),
  q('pm10', 'Particles under 10 µm', 'safety', 'gauge', 'µg/m³', 0, 10_000),
  q('temperature', 'Air temperature', 'safety', 'gauge', '°C', -60, 70),
  q('noise_level', 'Noise level', 'safety', 'gauge', 'dB', 0, 200),
  q('water_level', 'Water level', 'safety', 'gauge', 'm', -20, 100),
  q('lamp', 'Lamp', 'safety', 'state', '', 0, 2, { states: ['off', 'on', 'fault'] }),
];

function q(name, title, domain, kind, unit, min, max, more = {}) {
  return {
    name, title, domain, kind, unit, ucum: unit === '' ? '1' : unit, senml: more.ratio ? '/' : unit, min, max,
    states: more.states ?? [], model: '',
  };
}

const KINDS = [
  { slug: 'loop', title: 'Traffic loop', cadence: 10, quantities: ['intensity', 'occupancy', 'speed'], channels: ['lane1', 'lane2'] },
  { slug: 'meter', title: 'Grid meter', cadence: 15, quantities: ['active_power', 'energy', 'voltage'], channels: ['l1', 'l2', 'l3'] },
  { slug: 'air', title: 'Air station', cadence: 30, quantities: ['no2', 'pm10', 'temperature'], channels: [''] },
  { slug: 'noise', title: 'Noise meter', cadence: 10, quantities: ['noise_level'], channels: [''] },
  { slug: 'gauge', title: 'River gauge', cadence: 60, quantities: ['water_level', 'temperature'], channels: [''] },
  { slug: 'lamp', title: 'Street light', cadence: 30, quantities: ['lamp', 'active_power'], channels: [''] },
];
const MIX = [0, 0, 0, 0, 1, 1, 2, 3, 0, 1, 5, 5, 2, 4, 3, 0];

/** A small seeded source of random numbers from 0 to 1 (mulberry32). */
export function seeded(seed) {
  let s = seed >>> 0;
  return () => {
    s = (s + 0x6d2b79f5) >>> 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function hash(text) {
  let h = 2166136261;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 16777619);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 4294967296;
}

const STREET = ['Mill', 'Bridge', 'Harbour', 'Station', 'Market', 'Canal', 'Garden', 'School', 'Abbey', 'Tanner', 'Linden', 'Foundry', 'Chapel', 'Quay', 'Weaver', 'Ferry'];

/** Makes n sensors on about n/1.7 sites. Some are silent and some have never reported. */
export function makeCity(n, seed = 7) {
  const random = seeded(seed);
  const sites = [];
  const sensors = [];
  const siteCount = Math.max(1, Math.ceil(n / 1.7));
  for (let i = 0; i < siteCount && n > 0; i++) {
    const [x, y] = streetPoint(random);
    const d = districtAt(x, y);
    const [lon, lat] = place(x, y);
    const street = STREET[Math.floor(random() * STREET.length)];
    const cross = STREET[Math.floor(random() * STREET.length)];
    sites.push({ id: `site-${String(i + 1).padStart(4, '0')}`, title: street === cross ? `${street} Square` : `${street} Street / ${cross} Street`, district: d.id, lon, lat });
  }
  for (let i = 0; i < n; i++) {
    const kind = KINDS[MIX[i % MIX.length]];
    const site = sites[Math.floor(i / 1.7) % siteCount];
    const number = String(Math.floor(i / MIX.length) * 16 + (i % MIX.length) + 1).padStart(3, '0');
    const fate = random();
    sensors.push({
      id: `${kind.slug}-${number}`, title: `${kind.title} ${number}`, site: site.id, site_title: site.title, district: site.district,
      lon: site.lon, lat: site.lat, publisher: i % 9 === 0 ? `bridge-${(i % 4) + 1}` : '', cadence_s: kind.cadence, quantities: kind.quantities,
      domains: [...new Set(kind.quantities.map((name) => QUANTITIES.find((k) => k.name === name).domain))],
      channels: kind.channels, phase: Math.floor(random() * kind.cadence),
      // The last moment at which it reported, for the silent ones: hours ago; null: never.
      silentFor: fate < 0.035 ? 300 + Math.floor(random() * 40_000) : fate < 0.05 ? null : 0,
    });
  }
  return { sites, sensors, districts: DISTRICTS };
}

const day = (ms) => ((ms / 3_600_000 + 1) % 24) / 24;
const rush = (t) => Math.exp(-(((t - 0.34) / 0.06) ** 2)) + 0.9 * Math.exp(-(((t - 0.73) / 0.08) ** 2)) + 0.45 * Math.exp(-(((t - 0.54) / 0.16) ** 2));

/** The value of one quantity and channel of a sensor at a time. */
export function valueAt(sensor, quantity, channel, ms) {
  const t = day(ms);
  const own = hash(sensor.id + channel);
  const slot = Math.floor(ms / (sensor.cadence_s * 1000));
  const noise = hash(`${sensor.id}${quantity}${channel}${slot}`) - 0.5;
  const slow = Math.sin(ms / 2_700_000 + own * 20) * 0.5 + Math.sin(ms / 640_000 + own * 50) * 0.3;
  switch (quantity) {
    case 'intensity': return Math.max(0, Math.round((2 + 22 * rush(t)) * (0.4 + own) * (1 + 0.5 * noise + 0.15 * slow)));
    case 'occupancy': return round(Math.min(0.95, Math.max(0.005, (0.03 + 0.3 * rush(t)) * (0.4 + own) * (1 + 0.4 * noise + 0.2 * slow))), 3);
    case 'speed': return round(Math.max(4, 54 - 24 * rush(t) * (0.4 + own) + 7 * noise + 3 * slow), 1);
    case 'active_power':
      if (sensor.id.startsWith('lamp')) return round(lampOn(t) ? 74 + 6 * noise : 1.1 + 0.1 * noise, 1);
      return Math.round((9000 + 30_000 * own) * (0.55 + 0.5 * rush(t) + 0.15 * slow + 0.1 * noise));
    case 'energy': return Math.round(4_000_000 * (1 + own) + (ms - 1_700_000_000_000) / 3_600_000 * 14_000 * (0.4 + own));
    case 'voltage': return round(230 + 2.4 * slow + 1.4 * noise, 1);
    case 'no2': return round(Math.max(1, 14 + 26 * rush(t) * (0.5 + own) + 5 * slow + 4 * noise), 1);
    case 'pm10': return round(Math.max(1, 16 + 9 * own + 6 * slow + 4 * noise), 1);
    case 'temperature': return round(11 + 6 * Math.sin((t - 0.35) * 2 * Math.PI) + own + 0.6 * noise + 0.8 * slow, 1);
    case 'noise_level': return round(52 + 12 * rush(t) + 8 * own + 6 * noise, 1);
    case 'water_level': return round(2.1 + 0.3 * slow + 0.02 * noise + 0.2 * own, 2);
    case 'lamp': return own > 0.97 ? 2 : lampOn(t) ? 1 : 0;
    default: return 0;
  }
}

const lampOn = (t) => t < 0.28 || t > 0.78;
const round = (v, digits) => Number(v.toFixed(digits));

/** When the sensor last reported, in ms; null when it never did. */
export function lastSeen(sensor, now) {
  if (sensor.silentFor === null) return null;
  const at = sensor.silentSince ?? (sensor.silentFor > 0 ? now - sensor.silentFor * 1000 : now);
  const step = sensor.cadence_s * 1000;
  return Math.floor((at - sensor.phase * 1000) / step) * step + sensor.phase * 1000;
}

/** ok, silent or never, by the rule of the API. */
export function stateOf(sensor, now) {
  const seen = lastSeen(sensor, now);
  if (seen === null) return 'never';
  return now - seen > (2 * sensor.cadence_s + 10) * 1000 ? 'silent' : 'ok';
}

/** The readings that a sensor measured at a time. */
export function readingsAt(sensor, ms) {
  const items = [];
  for (const name of sensor.quantities) {
    const quantity = QUANTITIES.find((k) => k.name === name);
    for (const channel of sensor.channels) {
      const value = valueAt(sensor, name, channel, ms);
      const reading = { sensor: sensor.id, quantity: name, channel, value, unit: quantity.unit, time: new Date(ms).toISOString() };
      if (quantity.states.length > 0) reading.state = quantity.states[value];
      items.push(reading);
    }
  }
  return items;
}
