// How the map looks: the street plan below, the sites above. Everything it draws comes from this host; labels are drawn
// with the fonts of the device.
import type { FeatureCollection } from 'geojson';
import type { ExpressionSpecification, LayerSpecification, StyleSpecification } from 'maplibre-gl';
import type { Palette } from './marks.ts';

export const SITES = 'sites';
const FONT = ['Liberation Sans', 'Helvetica Neue', 'Segoe UI', 'Roboto', 'Noto Sans', 'sans-serif'];
const BOLD = ['Liberation Sans Bold', 'sans-serif'];

const ofKind = (kind: string): ExpressionSpecification => ['==', ['get', 'kind'], kind];
/** Wider with the zoom, and with the size of the text on the page: a wall is seen from afar. */
const wide = (far: number, near: number, scale: number): ExpressionSpecification => ['interpolate', ['exponential', 1.6], ['zoom'], 11, far * scale, 17, near * scale];

function planLayers(c: Palette, scale: number): LayerSpecification[] {
  const main: ExpressionSpecification = ['all', ofKind('street'), ['in', ['coalesce', ['get', 'class'], ['get', 'rank'], ''], ['literal', ['main', 'primary', 'avenue', 'ring', 'arterial']]]];
  const minor: ExpressionSpecification = ['all', ofKind('street'), ['!', main]];
  return [
    { id: 'land', type: 'background', paint: { 'background-color': c.land } },
    { id: 'town', type: 'fill', source: 'plan', filter: ofKind('district'), paint: { 'fill-color': c.town } },
    { id: 'park', type: 'fill', source: 'plan', filter: ofKind('park'), paint: { 'fill-color': c.park } },
    { id: 'water', type: 'fill', source: 'plan', filter: ['all', ofKind('water'), ['!=', ['geometry-type'], 'LineString']], paint: { 'fill-color': c.water } },
    { id: 'stream', type: 'line', source: 'plan', filter: ['all', ofKind('water'), ['==', ['geometry-type'], 'LineString']], paint: { 'line-color': c.water, 'line-width': wide(3, 40, scale) } },
    { id: 'street-minor-edge', type: 'line', source: 'plan', filter: minor, minzoom: 13.5, layout: { 'line-cap': 'round', 'line-join': 'round' }, paint: { 'line-color': c.streetEdge, 'line-width': wide(1.6, 16, scale) } },
    { id: 'street-main-edge', type: 'line', source: 'plan', filter: main, layout: { 'line-cap': 'round', 'line-join': 'round' }, paint: { 'line-color': c.streetEdge, 'line-width': wide(3, 26, scale) } },
    { id: 'street-minor', type: 'line', source: 'plan', filter: minor, layout: { 'line-cap': 'round', 'line-join': 'round' }, paint: { 'line-color': c.street, 'line-width': wide(0.9, 13, scale) } },
    { id: 'street-main', type: 'line', source: 'plan', filter: main, layout: { 'line-cap': 'round', 'line-join': 'round' }, paint: { 'line-color': c.street, 'line-width': wide(2, 22, scale) } },
    { id: 'district', type: 'line', source: 'plan', filter: ofKind('district'), paint: { 'line-color': c.district, 'line-width': 1.2 * scale, 'line-dasharray': [2, 3] } },
  ];
}

function labelLayers(c: Palette, scale: number): LayerSpecification[] {
  const halo = { 'text-halo-color': c.town, 'text-halo-width': 1.6 * scale };
  return [
    {
      id: 'water-name',
      type: 'symbol',
      source: 'names',
      filter: ofKind('water'),
      minzoom: 11,
      layout: { 'text-field': ['get', 'name'], 'text-font': FONT, 'text-size': 13 * scale, 'text-letter-spacing': 0.2 },
      paint: { 'text-color': c.waterLabel, 'text-halo-color': c.water, 'text-halo-width': 1 },
    },
    {
      id: 'street-name',
      type: 'symbol',
      source: 'plan',
      filter: ofKind('street'),
      minzoom: 14.5,
      layout: { 'symbol-placement': 'line', 'text-field': ['get', 'name'], 'text-font': FONT, 'text-size': 11.5 * scale, 'symbol-spacing': 420 },
      paint: { 'text-color': c.label, 'text-halo-color': c.street, 'text-halo-width': 1.4 * scale },
    },
    {
      id: 'district-name',
      type: 'symbol',
      source: 'names',
      filter: ofKind('district'),
      maxzoom: 15.5,
      layout: { 'text-field': ['upcase', ['coalesce', ['get', 'name'], ['get', 'title'], '']], 'text-font': BOLD, 'text-size': 11.5 * scale, 'text-letter-spacing': 0.16, 'text-max-width': 8, 'text-padding': 6 },
      paint: { 'text-color': c.label, ...halo },
    },
  ];
}

const CLUSTER: ExpressionSpecification = ['has', 'point_count'];
const TROUBLED: ExpressionSpecification = ['>', ['get', 'silent'], 0];

function siteLayers(c: Palette, scale: number): LayerSpecification[] {
  const grown = (small: number, large: number): ExpressionSpecification => ['interpolate', ['linear'], ['sqrt', ['get', 'point_count']], 1.4, small * scale, 30, large * scale];
  const swell: ExpressionSpecification = ['interpolate', ['linear'], ['zoom'], 11, 0.62, 14, 0.86, 17, 1.15];
  return [
    {
      id: 'lit',
      type: 'circle',
      source: SITES,
      filter: ['!', CLUSTER],
      paint: {
        'circle-color': c.ok,
        'circle-radius': ['+', 6 * scale, ['*', 13 * scale, ['-', 1, ['coalesce', ['feature-state', 'lit'], 0]]]],
        'circle-opacity': ['*', 0.42, ['coalesce', ['feature-state', 'lit'], 0]],
      },
    },
    {
      id: 'chosen',
      type: 'circle',
      source: SITES,
      filter: ['==', ['get', 'id'], ''],
      paint: { 'circle-color': c.lamp, 'circle-opacity': 0.35, 'circle-radius': 20 * scale, 'circle-stroke-color': c.ink, 'circle-stroke-width': 2.5 * scale },
    },
    {
      id: 'cluster',
      type: 'circle',
      source: SITES,
      filter: CLUSTER,
      paint: {
        'circle-color': c.sheet,
        'circle-radius': grown(13, 34),
        'circle-stroke-color': ['case', TROUBLED, c.silent, c.ok],
        'circle-stroke-width': ['case', TROUBLED, 4 * scale, 2.5 * scale],
      },
    },
    {
      id: 'cluster-count',
      type: 'symbol',
      source: SITES,
      filter: CLUSTER,
      layout: { 'text-field': ['get', 'point_count_abbreviated'], 'text-font': BOLD, 'text-size': 12.5 * scale, 'text-allow-overlap': true },
      paint: { 'text-color': c.ink },
    },
    {
      // What is silent inside a cluster is said by a shape and a number as well as by the ring's colour.
      id: 'cluster-silent',
      type: 'symbol',
      source: SITES,
      filter: ['all', CLUSTER, TROUBLED],
      layout: { 'icon-image': 'site-silent', 'icon-size': 0.8, 'icon-allow-overlap': true, 'icon-offset': ['interpolate', ['linear'], ['get', 'point_count'], 2, ['literal', [16, -16]], 600, ['literal', [36, -36]]] },
    },
    {
      id: 'site',
      type: 'symbol',
      source: SITES,
      filter: ['!', CLUSTER],
      layout: {
        'icon-image': ['concat', 'site-', ['get', 'state']],
        'icon-size': swell,
        'icon-allow-overlap': true,
        'icon-ignore-placement': true,
        'symbol-sort-key': ['match', ['get', 'state'], 'silent', 3, 'never', 1, 2],
      },
    },
  ];
}

/** What the map shows: the plan, the places of its names, and the sites. */
export interface Shown {
  plan: FeatureCollection;
  names: FeatureCollection;
  sites: FeatureCollection;
}

/** The whole style. clustered: sites close together are drawn as one. */
export function look(c: Palette, scale: number, clustered: boolean, shown: Shown): StyleSpecification {
  return {
    version: 8,
    sources: {
      plan: { type: 'geojson', data: shown.plan, tolerance: 0.2 },
      names: { type: 'geojson', data: shown.names },
      [SITES]: {
        type: 'geojson',
        data: shown.sites,
        promoteId: 'id',
        cluster: clustered,
        clusterRadius: 46 * scale,
        clusterMaxZoom: 15,
        clusterProperties: { silent: ['+', ['get', 'silent']] },
      },
    },
    layers: [...planLayers(c, scale), ...labelLayers(c, scale), ...siteLayers(c, scale)],
  };
}
