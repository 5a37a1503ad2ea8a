import { act, cleanup, fireEvent, render, screen } from '@testing-library/react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { gaveUp, SessionProvider, useSession } from '../src/app/session.tsx';
import { asFault, post } from '../src/api/client.ts';

let signedIn = false;
const sent: { url: string; body: unknown }[] = [];

beforeEach(() => {
  signedIn = false;
  sent.length = 0;
  // The test's document has no dialogs: showing one is enough here.
  HTMLDialogElement.prototype.showModal = function () {
    this.open = true;
  };
  vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
    const body: unknown = JSON.parse(init.body as string);
    sent.push({ url, body });
    if (url.endsWith('/session')) {
      signedIn = (body as { token: string }).token === 'right';
      return Promise.resolve(new Response(null, { status: signedIn ? 204 : 401 }));
    }
    return Promise.resolve(new Response(JSON.stringify(signedIn ? { done: true } : { detail: 'token wanted' }), { status: signedIn ? 200 : 401 }));
  });
});

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
  localStorage.clear();
});

function Replay({ outcome }: { outcome: (text: string) => void }) {
  const session = useSession();
  const run = (): void => {
    session
      .act('replay', () => post('quarantine/replay', {}))
      .then(
        (r) => outcome(JSON.stringify(r)),
        (e: unknown) => outcome(gaveUp(e) ? 'gave up' : asFault(e).title),
      );
  };
  return (
    <button type="button" onClick={run}>
      Replay
    </button>
  );
}

const settle = () => act(() => new Promise<void>((r) => setTimeout(r, 20)));

async function open() {
  const outcome = vi.fn();
  render(
    <SessionProvider>
      <Replay outcome={outcome} />
    </SessionProvider>,
  );
  fireEvent.click(screen.getByText('Replay'));
  await settle();
  return outcome;
}

async function enter(token: string): Promise<void> {
  fireEvent.change(screen.getByLabelText('Token'), { target: { value: token } });
  fireEvent.click(screen.getByText('Sign in'));
  await settle();
}

it('what was refused is done after the token was given', async () => {
  const outcome = await open();
  await enter(' right\n');
  expect(outcome).toHaveBeenCalledWith('{"done":true}');
  expect(sent.map((s) => s.url)).toEqual(['/api/v1/quarantine/replay', '/api/v1/session', '/api/v1/quarantine/replay']);
  expect(sent[1]?.body).toEqual({ token: 'right' });
});

it('a wrong token is said, and can be given again', async () => {
  const outcome = await open();
  await enter('wrong');
  expect(screen.getByRole('alert', { hidden: true }).textContent).toContain('That is not the token');
  expect(outcome).not.toHaveBeenCalled();
  await enter('right');
  expect(outcome).toHaveBeenCalledWith('{"done":true}');
});

it('closing the form does nothing', async () => {
  const outcome = await open();
  fireEvent.click(screen.getByLabelText('Close'));
  await settle();
  expect(outcome).toHaveBeenCalledWith('gave up');
  expect(sent).toHaveLength(1);
});
