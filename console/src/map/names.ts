// Where the names of areas stand on the map: one place for each, in the widest part of it.
import type { Feature, FeatureCollection, Point, Position } from 'geojson';

/** Is a point inside a ring? (Even-odd rule.) */
function inside([x = 0, y = 0]: Position, ring: readonly Position[]): boolean {
  let is = false;
  ring.forEach(([ax = 0, ay = 0], i) => {
    const [bx = 0, by = 0] = ring[(i + ring.length - 1) % ring.length] ?? [];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) is = !is;
  });
  return is;
}

/** Distance from a point to the nearest edge of a ring, in degrees of latitude; lon is squeezed to the same length. */
function toEdge([x = 0, y = 0]: Position, ring: readonly Position[], squeeze: number): number {
  let nearest = Infinity;
  ring.forEach(([ax = 0, ay = 0], i) => {
    const [bx = 0, by = 0] = ring[(i + 1) % ring.length] ?? [];
    const [dx, dy] = [(bx - ax) * squeeze, by - ay];
    const [px, py] = [(x - ax) * squeeze, y - ay];
    const along = Math.max(0, Math.min(1, (px * dx + py * dy) / (dx * dx + dy * dy || 1)));
    nearest = Math.min(nearest, Math.hypot(px - along * dx, py - along * dy));
  });
  return nearest;
}

/** The point of a grid over the ring that is furthest from its edge: good enough for a name, and quick. */
export function middleOf(ring: readonly Position[]): Position {
  const lons = ring.map(([x = 0]) => x);
  const lats = ring.map(([, y = 0]) => y);
  const [west, east, south, north] = [Math.min(...lons), Math.max(...lons), Math.min(...lats), Math.max(...lats)];
  const squeeze = Math.cos((((south + north) / 2) * Math.PI) / 180);
  let best: Position = [(west + east) / 2, (south + north) / 2];
  let room = inside(best, ring) ? toEdge(best, ring, squeeze) : -1;
  const steps = 16;
  for (let i = 1; i < steps; i++) {
    for (let j = 1; j < steps; j++) {
      const at: Position = [west + ((east - west) * i) / steps, south + ((north - south) * j) / steps];
      if (!inside(at, ring)) continue;
      const edge = toEdge(at, ring, squeeze);
      // A little more room is not worth leaving the middle for.
      if (edge > room * 1.15) {
        best = at;
        room = edge;
      }
    }
  }
  return best;
}

/** A point with kind and name for each district, and for each water that is an area. */
export function namePoints(plan: FeatureCollection): FeatureCollection<Point> {
  const points: Feature<Point>[] = [];
  const named = new Set<string>();
  for (const f of plan.features) {
    const kind: unknown = f.properties?.kind;
    const name = String(f.properties?.name ?? f.properties?.title ?? '');
    if ((kind !== 'district' && kind !== 'water') || name === '') continue;
    const rings = f.geometry.type === 'Polygon' ? [f.geometry.coordinates[0]] : f.geometry.type === 'MultiPolygon' ? f.geometry.coordinates.map((p) => p[0]) : [];
    const largest = rings.filter((r) => r !== undefined).sort((a, b) => b.length - a.length)[0];
    if (largest === undefined || named.has(`${kind}/${name}`)) continue;
    named.add(`${kind}/${name}`);
    points.push({ type: 'Feature', properties: { kind, name }, geometry: { type: 'Point', coordinates: middleOf(largest) } });
  }
  return { type: 'FeatureCollection', features: points };
}
