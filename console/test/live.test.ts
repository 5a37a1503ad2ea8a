import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { eventReader, type LivePhase, openLive, type SSEvent } from '../src/api/live.ts';
import type { Reading } from '../src/api/types.ts';

const TEXT = ': connected\nretry: 2000\n\nevent: reading\ndata: {"a":1}\n\n: still here\n\nevent: lost\r\ndata: {"readings":3}\r\n\r\ndata: one\ndata: two\n\nevent: reading\n\ndata:bare\n\n';
const EVENTS: SSEvent[] = [
  { event: 'reading', data: '{"a":1}' },
  { event: 'lost', data: '{"readings":3}' },
  { event: 'message', data: 'one\ntwo' },
  { event: 'message', data: 'bare' },
];

describe('the reader of events', () => {
  it('gives the same events however the stream is cut', () => {
    for (let first = 0; first <= TEXT.length; first++) {
      for (const second of [first, Math.min(TEXT.length, first + 1), Math.min(TEXT.length, first + 7)]) {
        const read = eventReader();
        const got = [...read(TEXT.slice(0, first)), ...read(TEXT.slice(first, second)), ...read(TEXT.slice(second))];
        expect(got).toEqual(EVENTS);
      }
    }
  });

  it('gives nothing of an event that is not complete', () => {
    const read = eventReader();
    expect(read('event: reading\ndata: {"a"')).toEqual([]);
    expect(read(':1}\n')).toEqual([]);
    expect(read('\n')).toEqual([{ event: 'reading', data: '{"a":1}' }]);
  });
});

/** A server that the test speaks for. */
function fakeServer() {
  const encoder = new TextEncoder();
  const opened: ReadableStreamDefaultController<Uint8Array>[] = [];
  const asked: string[] = [];
  let status = 200;
  vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
    asked.push(url);
    if (status !== 200) return Promise.resolve(new Response(null, { status }));
    const body = new ReadableStream<Uint8Array>({
      start: (c) => {
        opened.push(c);
        init.signal?.addEventListener('abort', () => c.error(new Error('aborted')));
      },
    });
    return Promise.resolve(new Response(body, { status: 200 }));
  });
  return {
    asked,
    answer: (s: number) => (status = s),
    send: (text: string) => opened.at(-1)?.enqueue(encoder.encode(text)),
    end: () => opened.at(-1)?.close(),
  };
}

function reading(n: number): string {
  const r: Reading = { sensor: 'loop-1', quantity: 'speed', channel: '', value: n, unit: 'km/h', time: '2026-05-04T10:00:00.000Z' };
  return `event: reading\ndata: ${JSON.stringify(r)}\n\n`;
}

describe('a live stream', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] }));
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  function open() {
    const server = fakeServer();
    const heard = { batches: [] as number[][], phases: [] as LivePhase[], lost: 0 };
    const stream = openLive('live?sensor=loop-1', {
      readings: (batch) => heard.batches.push(batch.map((r) => r.value)),
      phase: (p) => heard.phases.push(p),
      lost: (n) => (heard.lost += n),
    });
    return { server, heard, stream };
  }
  /** Lets promises run, then time pass. */
  const pass = async (ms: number): Promise<void> => {
    for (let i = 0; i < 20; i++) await Promise.resolve();
    await new Promise((r) => setImmediate(r));
    await vi.advanceTimersByTimeAsync(ms);
    await new Promise((r) => setImmediate(r));
  };

  it('hands readings on in batches', async () => {
    const { server, heard, stream } = open();
    await pass(0);
    server.send(reading(1) + reading(2));
    await pass(300);
    server.send(reading(3));
    await pass(300);
    expect(heard.batches).toEqual([[1, 2], [3]]);
    expect(heard.phases).toEqual(['connecting', 'live']);
    expect(server.asked).toEqual(['/api/v1/live?sensor=loop-1']);
    stream.stop();
  });

  it('is opened again after it ended', async () => {
    const { server, heard, stream } = open();
    await pass(0);
    server.end();
    await pass(1000);
    server.send(reading(4));
    await pass(300);
    expect(heard.phases).toEqual(['connecting', 'live', 'reconnecting', 'live']);
    expect(heard.batches).toEqual([[4]]);
    stream.stop();
  });

  it('is taken for dead when even the signs of life stop', async () => {
    const { server, heard, stream } = open();
    await pass(0);
    await pass(20_000);
    server.send(': still here\n\n');
    await pass(20_000);
    expect(heard.phases).toEqual(['connecting', 'live']);
    await pass(13_000);
    expect(heard.phases.slice(0, 3)).toEqual(['connecting', 'live', 'reconnecting']);
    await pass(1000);
    expect(heard.phases.at(-1)).toBe('live');
    stream.stop();
  });

  it('waits longer after each failure, and never for ever', async () => {
    const { server, heard, stream } = open();
    await pass(0);
    server.answer(503);
    server.end();
    await pass(1000);
    const early = server.asked.length;
    await pass(60_000);
    const late = server.asked.length;
    expect(early).toBeGreaterThan(1);
    expect(late - early).toBeGreaterThan(3);
    expect(late - early).toBeLessThan(15);
    server.answer(200);
    await pass(20_000);
    expect(heard.phases.at(-1)).toBe('live');
    stream.stop();
  });

  it.each([
    ['the network is back', () => window.dispatchEvent(new Event('online'))],
    ['somebody looks at the page again', () => document.dispatchEvent(new Event('visibilitychange'))],
  ])('is opened again as soon as %s', async (_, back) => {
    const { server, heard, stream } = open();
    await pass(0);
    server.answer(503);
    server.end();
    await pass(60_000);
    server.answer(200);
    back();
    await pass(0);
    expect(heard.phases.at(-1)).toBe('live');
    stream.stop();
  });

  it('is not asked for again when the session is over', async () => {
    const { server, heard, stream } = open();
    await pass(0);
    server.answer(401);
    server.end();
    await pass(60_000);
    expect(heard.phases.at(-1)).toBe('signed_out');
    expect(server.asked).toHaveLength(2);
    stream.stop();
  });

  it('counts what it could not show', async () => {
    const { server, heard, stream } = open();
    await pass(0);
    server.send('event: lost\ndata: {"readings":12}\n\nevent: reading\ndata: {broken\n\n');
    await pass(300);
    expect(heard.lost).toBe(13);
    stream.stop();
  });

  it('says nothing after it was stopped', async () => {
    const { server, heard, stream } = open();
    await pass(0);
    server.send(reading(1));
    stream.stop();
    await pass(60_000);
    expect(heard.batches).toEqual([]);
    expect(server.asked).toHaveLength(1);
  });
});
