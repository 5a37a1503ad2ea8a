// The street plan of a made-up city, as GeoJSON: a grid that bends, a river with few bridges, a ring road, parks and
// districts. Everything is computed, so the mock needs no data.

/** The middle of the made-up city: longitude, latitude. */
export const CENTRE = [8.012, 50.021];

const METRES_PER_DEGREE = 111_320;
const RADIUS = { x: 3400, y: 2300 };

/** Metres east and north of the centre to longitude, latitude. */
export function place(x, y) {
  const lat = CENTRE[1] + y / METRES_PER_DEGREE;
  const lon = CENTRE[0] + x / (METRES_PER_DEGREE * Math.cos((CENTRE[1] * Math.PI) / 180));
  return [Number(lon.toFixed(6)), Number(lat.toFixed(6))];
}

/** Bends the plane, so that the grid looks grown and not ruled. */
function bend(x, y) {
  const turn = 0.16 * Math.sin(x / 2600) + 0.1;
  const bx = x + 140 * Math.sin(y / 900 + 0.6) + 60 * Math.sin((x + y) / 700);
  const by = y + 120 * Math.sin(x / 1100) + 50 * Math.cos((x - y) / 800);
  return [bx * Math.cos(turn) - by * Math.sin(turn), bx * Math.sin(turn) + by * Math.cos(turn)];
}

const riverY = (x) => -260 + 520 * Math.sin(x / 1900 - 0.5) + 110 * Math.sin(x / 640);
const riverHalf = (x) => 62 + 26 * Math.sin(x / 1300 + 1) + Math.max(0, (x - 1400) / 26);

const PARKS = [
  { name: 'Castle Park', x: -900, y: 900, rx: 420, ry: 300 },
  { name: 'Meadow', x: 1500, y: 1000, rx: 520, ry: 330 },
  { name: 'Old Orchard', x: -1700, y: -1000, rx: 380, ry: 300 },
  { name: 'Lock Garden', x: 700, y: -620, rx: 260, ry: 170 },
];

const inTown = (x, y, grow = 1) => (x / (RADIUS.x * grow)) ** 2 + (y / (RADIUS.y * grow)) ** 2 < 1;
const inRiver = (x, y) => Math.abs(y - riverY(x)) < riverHalf(x) + 14;
const inPark = (x, y) => PARKS.some((p) => ((x - p.x) / p.rx) ** 2 + ((y - p.y) / p.ry) ** 2 < 1);

const line = (points, properties) => ({
  type: 'Feature',
  properties,
  geometry: { type: 'LineString', coordinates: points.map(([x, y]) => place(x, y)) },
});

const area = (points, properties) => ({
  type: 'Feature',
  properties,
  geometry: { type: 'Polygon', coordinates: [[...points, points[0]].map(([x, y]) => place(x, y))] },
});

const STREETS = ['Mill', 'Bridge', 'Harbour', 'Station', 'Market', 'Canal', 'Garden', 'School', 'North', 'Abbey', 'Tanner', 'Linden', 'Foundry', 'Chapel', 'Quay', 'Orchard', 'Weaver', 'Hill', 'Ferry', 'Tower'];

/** Cuts a line wherever keep says no. */
function cut(points, keep) {
  const parts = [];
  let part = [];
  for (const p of points) {
    if (keep(p)) part.push(p);
    else {
      if (part.length > 1) parts.push(part);
      part = [];
    }
  }
  if (part.length > 1) parts.push(part);
  return parts;
}

function gridStreets() {
  const features = [];
  const step = 40;
  for (const along of ['x', 'y']) {
    const reach = 3600;
    for (let i = -20; i <= 20; i++) {
      const main = i % 5 === 0;
      const name = `${STREETS[(i + 40) % STREETS.length]} ${along === 'x' ? 'Street' : main ? 'Avenue' : 'Lane'}`;
      const points = [];
      for (let t = -reach; t <= reach; t += step) points.push(along === 'x' ? bend(t, i * 185) : bend(i * 205, t));
      const keep = ([x, y]) => inTown(x, y, main ? 1.25 : 0.97) && (main || (!inRiver(x, y) && !inPark(x, y)));
      for (const part of cut(points, keep)) features.push(line(part, { kind: 'street', name, class: main ? 'main' : 'minor' }));
    }
  }
  return features;
}

function ring(scale, name) {
  const points = [];
  for (let a = 0; a <= 360; a += 4) {
    const r = (a * Math.PI) / 180;
    const wobble = 1 + 0.05 * Math.sin(3 * r);
    points.push([RADIUS.x * scale * wobble * Math.cos(r), RADIUS.y * scale * wobble * Math.sin(r)]);
  }
  return line(points, { kind: 'street', name, class: 'main' });
}

function river() {
  const upper = [];
  const lower = [];
  for (let x = -5600; x <= 5600; x += 80) {
    upper.push([x, riverY(x) + riverHalf(x)]);
    lower.push([x, riverY(x) - riverHalf(x)]);
  }
  return area([...upper, ...lower.reverse()], { kind: 'water', name: 'Alder' });
}

function park(p) {
  const points = [];
  for (let a = 0; a < 360; a += 10) {
    const r = (a * Math.PI) / 180;
    const wobble = 1 + 0.09 * Math.sin(3 * r + p.x) + 0.05 * Math.cos(5 * r);
    points.push([p.x + p.rx * wobble * Math.cos(r), p.y + p.ry * wobble * Math.sin(r)]);
  }
  return area(points, { kind: 'park', name: p.name });
}

/** The districts: id, title and the quarter of the plan that is theirs. */
export const DISTRICTS = [
  { id: 'old-town', title: 'Old Town', from: 0, to: 360, inner: 0, outer: 0.36 },
  { id: 'northgate', title: 'Northgate', from: 35, to: 145, inner: 0.36, outer: 1 },
  { id: 'weavers', title: 'Weavers', from: 145, to: 215, inner: 0.36, outer: 1 },
  { id: 'millside', title: 'Millside', from: 215, to: 320, inner: 0.36, outer: 1 },
  { id: 'harbour', title: 'Harbour', from: 320, to: 395, inner: 0.36, outer: 1 },
];

function district(d) {
  const arc = (scale, from, to) => {
    const points = [];
    for (let a = from; a <= to; a += 5) {
      const r = (a * Math.PI) / 180;
      points.push([RADIUS.x * scale * Math.cos(r), RADIUS.y * scale * Math.sin(r)]);
    }
    return points;
  };
  const inner = d.inner === 0 ? [] : arc(d.inner, d.from, d.to).reverse();
  return area([...arc(d.outer, d.from, d.to), ...inner], { kind: 'district', name: d.title, id: d.id });
}

/** The whole plan as a GeoJSON FeatureCollection. */
export function plan() {
  return {
    type: 'FeatureCollection',
    features: [...DISTRICTS.map(district), ...PARKS.map(park), river(), ...gridStreets(), ring(0.98, 'Ring Road'), ring(0.36, 'Wall Street')],
  };
}

/** The district at a point given in metres from the centre. */
export function districtAt(x, y) {
  const scale = Math.hypot(x / RADIUS.x, y / RADIUS.y);
  if (scale < 0.36) return DISTRICTS[0];
  const a = ((Math.atan2(y / RADIUS.y, x / RADIUS.x) * 180) / Math.PI + 360) % 360;
  return DISTRICTS.slice(1).find((d) => (a >= d.from && a < d.to) || (a + 360 >= d.from && a + 360 < d.to)) ?? DISTRICTS[1];
}

/** A point beside a street of the grid, in metres; random gives numbers from 0 to 1. */
export function streetPoint(random) {
  for (;;) {
    const spread = Math.sqrt(random()) * 0.95;
    const a = random() * 2 * Math.PI;
    const column = Math.round((RADIUS.x * spread * Math.cos(a)) / 205);
    const [x, y] = bend(column * 205, RADIUS.y * spread * Math.sin(a));
    if (inTown(x, y, 0.95) && !inRiver(x, y) && !inPark(x, y)) return [x, y];
  }
}
