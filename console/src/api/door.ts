// Whether Lamppost lets this device in. Any answer of 401 to a question shuts the door; signing in opens it.
import { useSyncExternalStore } from 'react';

const KEY = 'lamppost-signed-in';
const watchers = new Set<() => void>();
let shut = false;

function tell(): void {
  for (const w of watchers) w();
}

function watch(changed: () => void): () => void {
  watchers.add(changed);
  return () => watchers.delete(changed);
}

/** A question was answered with 401. */
export function shutDoor(): void {
  if (shut) return;
  shut = true;
  tell();
}

/** The token was taken. The cookie cannot be seen from here, so that it is there is noted, for the button to sign out. */
export function openDoor(): void {
  shut = false;
  note(true);
  tell();
}

/** Signed out. */
export function leaveDoor(): void {
  note(false);
  tell();
}

function note(signedIn: boolean): void {
  try {
    if (signedIn) localStorage.setItem(KEY, '1');
    else localStorage.removeItem(KEY);
  } catch {
    // Storage is off: then nobody is offered to sign out, and the session ends by itself.
  }
}

/** Nothing can be read without the token. */
export const useShut = () => useSyncExternalStore(watch, () => shut);

/** This device has signed in, and has not signed out since. */
export const useSignedIn = () =>
  useSyncExternalStore(watch, () => {
    try {
      return localStorage.getItem(KEY) === '1';
    } catch {
      return false;
    }
  });
