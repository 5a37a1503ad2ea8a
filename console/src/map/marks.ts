// The marks of the sites on the map, drawn once per colour scheme and size: the same shapes as everywhere on the page.
import type { SensorState } from '../api/types.ts';

export interface Mark {
  width: number;
  height: number;
  data: Uint8ClampedArray;
}

export interface Palette {
  land: string;
  town: string;
  water: string;
  park: string;
  street: string;
  streetEdge: string;
  district: string;
  label: string;
  waterLabel: string;
  halo: string;
  ok: string;
  silent: string;
  never: string;
  ink: string;
  sheet: string;
  lamp: string;
}

const NAMES: Record<keyof Palette, string> = {
  land: '--map-land',
  town: '--map-town',
  water: '--map-water',
  park: '--map-park',
  street: '--map-street',
  streetEdge: '--map-street-edge',
  district: '--map-district',
  label: '--map-label',
  waterLabel: '--map-water-label',
  halo: '--map-halo',
  ok: '--ok',
  silent: '--silent',
  never: '--never',
  ink: '--ink',
  sheet: '--sheet',
  lamp: '--lamp',
};

/** The colours of the page as it is now, so that map and page cannot differ. */
export function palette(): Palette {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(Object.entries(NAMES).map(([key, name]) => [key, style.getPropertyValue(name).trim()])) as unknown as Palette;
}

/** A cluster's ring shows its share of silent sensors in this many parts. */
export const RING_PARTS = 16;

function canvasOf(diameter: number, ratio: number): { g: CanvasRenderingContext2D; size: number } | undefined {
  const size = Math.ceil(diameter * ratio);
  const canvas = document.createElement('canvas');
  canvas.width = size;
  canvas.height = size;
  const g = canvas.getContext('2d', { willReadFrequently: true });
  return g === null ? undefined : { g, size };
}

/** Draws the ring of a cluster: the silent part from the top on, and thicker, so that it is seen without its colour. */
export function drawRing(silentParts: number, colours: Palette, diameter: number, ratio: number): Mark | undefined {
  const made = canvasOf(diameter, ratio);
  if (made === undefined) return undefined;
  const { g, size } = made;
  g.scale(size / 64, size / 64);
  g.translate(32, 32);
  g.beginPath();
  g.arc(0, 0, 26, 0, 2 * Math.PI);
  g.fillStyle = colours.sheet;
  g.fill();
  const top = -Math.PI / 2;
  const end = top + (2 * Math.PI * silentParts) / RING_PARTS;
  g.lineWidth = 4;
  g.strokeStyle = colours.ok;
  g.beginPath();
  g.arc(0, 0, 26, end, top + 2 * Math.PI);
  if (silentParts < RING_PARTS) g.stroke();
  if (silentParts > 0) {
    g.lineWidth = 10;
    g.strokeStyle = colours.silent;
    g.beginPath();
    g.arc(0, 0, 26, top, end);
    g.stroke();
  }
  return { width: size, height: size, data: g.getImageData(0, 0, size, size).data };
}

/** Draws a mark of a diameter in CSS pixels at a number of device pixels for each. */
export function drawMark(state: SensorState, colours: Palette, diameter: number, ratio: number): Mark | undefined {
  const made = canvasOf(diameter, ratio);
  if (made === undefined) return undefined;
  const { g, size } = made;
  g.scale(size / 32, size / 32);
  g.translate(16, 16);
  g.lineJoin = 'round';
  g.lineCap = 'round';
  if (state === 'silent') diamond(g, colours);
  else disc(g, colours, state);
  return { width: size, height: size, data: g.getImageData(0, 0, size, size).data };
}

function disc(g: CanvasRenderingContext2D, colours: Palette, state: 'ok' | 'never'): void {
  g.beginPath();
  g.arc(0, 0, state === 'ok' ? 8 : 7, 0, 2 * Math.PI);
  g.strokeStyle = colours.halo;
  g.lineWidth = 7;
  g.stroke();
  g.fillStyle = state === 'ok' ? colours.ok : colours.halo;
  g.fill();
  if (state === 'ok') return;
  g.strokeStyle = colours.never;
  g.lineWidth = 3.2;
  g.stroke();
}

function diamond(g: CanvasRenderingContext2D, colours: Palette): void {
  g.beginPath();
  g.moveTo(0, -12.5);
  g.lineTo(12.5, 0);
  g.lineTo(0, 12.5);
  g.lineTo(-12.5, 0);
  g.closePath();
  g.strokeStyle = colours.halo;
  g.lineWidth = 5;
  g.stroke();
  g.fillStyle = colours.silent;
  g.fill();
  g.strokeStyle = colours.halo;
  g.lineWidth = 2.8;
  g.beginPath();
  g.moveTo(0, -5.5);
  g.lineTo(0, 1);
  g.moveTo(0, 5.4);
  g.lineTo(0, 5.5);
  g.stroke();
}
