// Signing in: one form that takes the token from the data folder. It is shown when the API asks for it, as a page when
// nothing can be read without it, as a dialog when something is to be changed.
import { createContext, type ReactNode, type SubmitEvent, useCallback, useContext, useEffect, useId, useMemo, useRef, useState } from 'react';
import { asFault, type Fault, signIn, signOut } from '../api/client.ts';
import { leaveDoor, openDoor } from '../api/door.ts';
import { reloadAll } from '../api/resource.ts';
import { CrossIcon, Mark } from '../parts/Icons.tsx';

interface Session {
  /** Runs what changes something; when it is refused for want of a token, asks for one and runs it again. */
  act: <T>(what: string, run: () => Promise<T>) => Promise<T>;
  leave: () => Promise<void>;
}

class GaveUp extends Error {}

/** The person closed the form: nothing is to be said about it. */
export const gaveUp = (error: unknown) => error instanceof GaveUp;

const SessionContext = createContext<Session | undefined>(undefined);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === undefined) throw new Error('no session around this component');
  return session;
}

/** The form alone. done is called after the token was taken. */
function TokenForm({ reason, done }: { reason: string; done: () => void }) {
  const id = useId();
  const [token, setToken] = useState('');
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<Fault>();
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    if (token.trim() === '') return;
    setBusy(true);
    setFault(undefined);
    try {
      await signIn(token);
      openDoor();
      done();
    } catch (error) {
      setFault(asFault(error));
    }
    setBusy(false);
  };
  return (
    <form className="token-form" onSubmit={(event) => void submit(event)}>
      <p>{reason}</p>
      <label htmlFor={id}>Token</label>
      {/* Readable by password managers, so that nobody has to keep the token on paper. */}
      <input id={id} type="password" autoComplete="current-password" spellCheck={false} value={token} onChange={(e) => setToken(e.target.value)} aria-describedby={`${id}-help`} aria-invalid={fault !== undefined} />
      <p id={`${id}-help`} className="quiet">
        It is the line in the file <code>api-token</code> in Lamppost&rsquo;s data folder. This device keeps it until you sign out.
      </p>
      {fault !== undefined && (
        <p className="form-fault" role="alert">
          {fault.status === 401 ? 'That is not the token. Copy the whole line from the file api-token and try again.' : `${fault.title}. ${fault.todo}`}
        </p>
      )}
      <button type="submit" className="button primary" disabled={busy || token.trim() === ''}>
        {busy ? 'Signing in' : 'Sign in'}
      </button>
    </form>
  );
}

/** The whole page while nothing can be read without a token. */
export function SignInPage() {
  return (
    <main id="main" className="sign-in">
      <Mark />
      <h1>Sign in</h1>
      <TokenForm reason="Lamppost is open to this network only with its token." done={reloadAll} />
    </main>
  );
}

interface Ask {
  what: string;
  answer: (signedIn: boolean) => void;
}

/** Holds the session and shows the dialog when something is refused. */
export function SessionProvider({ children }: { children: ReactNode }) {
  const [ask, setAsk] = useState<Ask>();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (ask !== undefined && dialog.current?.open === false) dialog.current.showModal();
  }, [ask]);

  const act = useCallback(async <T,>(what: string, run: () => Promise<T>): Promise<T> => {
    for (;;) {
      try {
        return await run();
      } catch (error) {
        if (asFault(error).status !== 401) throw error;
      }
      const entered = await new Promise<boolean>((answer) => setAsk({ what, answer }));
      setAsk(undefined);
      if (!entered) throw new GaveUp();
    }
  }, []);
  const leave = useCallback(async () => {
    await signOut();
    leaveDoor();
    reloadAll();
  }, []);
  const session = useMemo(() => ({ act, leave }), [act, leave]);

  return (
    <SessionContext.Provider value={session}>
      {children}
      {ask !== undefined && (
        <dialog ref={dialog} className="dialog" aria-labelledby="sign-in-title" onClose={() => ask.answer(false)}>
          <header className="dialog-head">
            <h2 id="sign-in-title">Sign in to {ask.what}</h2>
            <button type="button" className="icon-button" aria-label="Close" onClick={() => ask.answer(false)}>
              <CrossIcon />
            </button>
          </header>
          <TokenForm reason="Reading is free on this machine; changing something asks for the token." done={() => ask.answer(true)} />
        </dialog>
      )}
    </SessionContext.Provider>
  );
}
