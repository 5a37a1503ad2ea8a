import { useEffect, useRef, useState } from 'react';

/** A text that changes at most every ms: for regions that are read out, where each change interrupts. */
export function useSettled(text: string, ms: number): string {
  const [settled, setSettled] = useState('');
  const last = useRef(0);
  useEffect(() => {
    const due = last.current + ms - Date.now();
    const timer = setTimeout(
      () => {
        last.current = Date.now();
        setSettled(text);
      },
      Math.max(0, due),
    );
    return () => clearTimeout(timer);
  }, [text, ms]);
  return settled;
}
