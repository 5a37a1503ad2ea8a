// One request to the API, and what went wrong with it in words for a person.

const BASE = '/api/v1/';
const DEADLINE_MS = 20_000;

/** Why a request got no answer, and what to do about it. Status 0: nothing answered at all. */
export class Fault extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly todo: string,
  ) {
    super(title);
    this.name = 'Fault';
  }
}

const UNREACHABLE = new Fault(0, 'Lamppost does not answer', 'Check that lamppost runs and that this device is on its network. The page keeps trying by itself.');

function todoFor(status: number): string {
  if (status === 401) return 'Sign in with the token from the file api-token in the data folder.';
  if (status === 403) return 'This token may not do that. Ask whoever runs Lamppost.';
  if (status === 404) return 'Check the address, or go back to the list.';
  if (status === 429) return 'Too many requests at once. Wait a moment; the page tries again by itself.';
  if (status >= 500) return 'Look at the Pipeline page for a part that is not ready. The page keeps trying by itself.';
  return 'Change what was asked for and try again.';
}

interface ProblemDocument {
  title?: string;
  detail?: string;
}

/** Reads an RFC 9457 problem document; a body that is none is not shown to anybody. */
async function faultOf(response: Response): Promise<Fault> {
  let problem: ProblemDocument = {};
  try {
    problem = (await response.json()) as ProblemDocument;
  } catch {
    // Not JSON: a proxy on the way answered, and its page is no use here.
  }
  const said = problem.detail ?? problem.title ?? `The answer was ${response.status}`;
  return new Fault(response.status, said.charAt(0).toUpperCase() + said.slice(1), todoFor(response.status));
}

/** Parameters as a query string; empty ones are left out, lists repeat. */
export function query(path: string, params: Record<string, string | number | readonly string[] | undefined>): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) {
    if (value === undefined || value === '') continue;
    for (const one of typeof value === 'object' ? value : [String(value)]) search.append(key, one);
  }
  const text = search.toString();
  return text === '' ? path : `${path}?${text}`;
}

/** The address of a path of the API, for streams. */
export const address = (path: string) => BASE + path;

interface Asked {
  method?: string;
  body?: string;
  type?: string;
}

async function send(path: string, { method = 'GET', body, type }: Asked, stop?: AbortSignal): Promise<Response> {
  // By hand: AbortSignal.any and timeout are younger than some phones that open this page.
  const ended = new AbortController();
  const deadline = setTimeout(() => ended.abort(), DEADLINE_MS);
  const stopped = (): void => ended.abort();
  stop?.addEventListener('abort', stopped);
  try {
    const headers = { Accept: 'application/json', ...(type === undefined ? {} : { 'Content-Type': type }) };
    const response = await fetch(BASE + path, { method, headers, signal: ended.signal, ...(body === undefined ? {} : { body }) });
    if (!response.ok) throw await faultOf(response);
    // The whole body, so that the deadline holds for it too.
    return new Response(response.status === 204 ? null : await response.blob(), response);
  } catch (error) {
    if (stop?.aborted || error instanceof Fault) throw error;
    throw UNREACHABLE;
  } finally {
    clearTimeout(deadline);
    stop?.removeEventListener('abort', stopped);
  }
}

/** Gets JSON. Rejects with a Fault, or with the reason of stop when that was used. */
export async function get<T>(path: string, stop?: AbortSignal): Promise<T> {
  const response = await send(path, {}, stop);
  try {
    return (await response.json()) as T;
  } catch (error) {
    if (stop?.aborted) throw error;
    throw UNREACHABLE;
  }
}

/** Posts JSON and reads JSON; an answer without a body gives undefined. */
export async function post<T>(path: string, body: unknown, stop?: AbortSignal): Promise<T> {
  const response = await send(path, { method: 'POST', body: JSON.stringify(body), type: 'application/json' }, stop);
  const text = await response.text();
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

/** Whoever asks is told whether they are in: the cookie is set by the answer and cannot be read here. */
export async function signIn(token: string): Promise<void> {
  await post('session', { token: token.trim() });
}

/** Forgets the session on this device. */
export async function signOut(): Promise<void> {
  await send('session', { method: 'DELETE' });
}

/** Turns anything thrown into a Fault. */
export function asFault(error: unknown): Fault {
  if (error instanceof Fault) return error;
  return new Fault(-1, 'Something in this page went wrong', 'Reload the page. If it comes back, report it with the steps that led to it.');
}
