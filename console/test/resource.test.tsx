import { act, cleanup, render, screen } from '@testing-library/react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { useResource } from '../src/api/resource.ts';
import { Aged } from '../src/parts/Aged.tsx';
import { Answer } from '../src/parts/Says.tsx';

interface Told {
  n: number;
}

const asked: string[] = [];
let answer: () => Promise<Response>;

const says = (n: number) => () => Promise.resolve(new Response(JSON.stringify({ n })));
const fails = (status: number, detail: string) => () => Promise.resolve(new Response(JSON.stringify({ title: 'Bad', status, detail }), { status }));
const nobody = () => Promise.reject(new TypeError('connection refused'));

beforeEach(() => {
  vi.useFakeTimers();
  asked.length = 0;
  vi.stubGlobal('fetch', (url: string) => {
    asked.push(url);
    return answer();
  });
});

afterEach(() => {
  cleanup();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));

function Show({ path, every = 0 }: { path: string; every?: number }) {
  const kept = useResource<Told>(path, every);
  return (
    <Answer kept={kept} what="the number">
      {(d) => (
        <Aged at={kept.at} limitMs={10_000}>
          <p>number {d.n}</p>
        </Aged>
      )}
    </Answer>
  );
}

it('two who need one answer ask once', async () => {
  answer = says(1);
  render(
    <>
      <Show path="a" />
      <Show path="a" />
    </>,
  );
  await pass(10);
  expect(screen.getAllByText('number 1')).toHaveLength(2);
  expect(asked).toEqual(['/api/v1/a']);
});

it('an answer is asked for as soon as the network is back', async () => {
  answer = says(1);
  render(<Show path="back" every={1000} />);
  await pass(10);
  answer = nobody;
  await pass(30_000);
  answer = says(2);
  window.dispatchEvent(new Event('online'));
  await pass(10);
  expect(screen.getByText('number 2')).toBeTruthy();
});

it('an answer is asked for again and again while it is looked at, and not after', async () => {
  answer = says(1);
  const view = render(<Show path="b" every={1000} />);
  await pass(3500);
  const seen = asked.length;
  expect(seen).toBe(4);
  view.unmount();
  await pass(10_000);
  expect(asked).toHaveLength(seen);
});

it('what was heard stays when the next answer fails, and says how old it is', async () => {
  answer = says(7);
  render(<Show path="c" every={1000} />);
  await pass(10);
  answer = nobody;
  await pass(12_000);
  expect(screen.getByText('number 7')).toBeTruthy();
  expect(screen.getByText('number 7').closest('.aged')).not.toBeNull();
  expect(screen.getByText(/^from \d\d:\d\d:\d\d$/)).toBeTruthy();
  answer = says(8);
  await pass(30_000);
  expect(screen.getByText('number 8').closest('.aged')).toBeNull();
});

it('failures are asked about less and less often', async () => {
  answer = nobody;
  render(<Show path="d" every={1000} />);
  await pass(60_000);
  expect(asked.length).toBeGreaterThan(3);
  expect(asked.length).toBeLessThan(12);
});

it('an error says what is wrong and what to do', async () => {
  answer = fails(503, 'the store does not answer');
  render(<Show path="e" />);
  await pass(10);
  expect(screen.getByRole('alert').textContent).toContain('The store does not answer');
  expect(screen.getByRole('alert').textContent).toContain('Look at the Pipeline page');
  answer = says(5);
  act(() => screen.getByRole('button', { name: 'Try again now' }).click());
  await pass(10);
  expect(screen.getByText('number 5')).toBeTruthy();
});

it('a page of a proxy is not shown as a problem', async () => {
  answer = () => Promise.resolve(new Response('<html>Bad gateway nginx</html>', { status: 502 }));
  render(<Show path="f" />);
  await pass(10);
  expect(screen.getByRole('alert').textContent).toContain('The answer was 502');
  expect(screen.getByRole('alert').textContent).not.toContain('nginx');
});

it('an answer that never ends is given up', async () => {
  answer = () => new Promise(() => undefined);
  vi.stubGlobal('fetch', (_: string, init: RequestInit) => new Promise((_resolve, reject) => init.signal?.addEventListener('abort', () => reject(new Error('aborted')))));
  render(<Show path="g" />);
  await pass(21_000);
  expect(screen.getByRole('alert').textContent).toContain('Lamppost does not answer');
});
