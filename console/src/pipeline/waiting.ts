// Whether readings wait for the store: what the strip below the wall and the page of the pipeline say of it.
import type { Pipeline } from '../api/types.ts';

type Queue = Pick<Pipeline, 'waiting'> & { spool: Pick<Pipeline['spool'], 'oldest_s'> };

/** Does the store not keep up? */
export const isBehind = (p: Queue) => p.spool.oldest_s > 60;

/** Is there anything whose age is worth saying? What has just been written stays in the spool for a moment, and waits for nothing. */
export const isHeldUp = (p: Queue) => isBehind(p) || (p.waiting > 0 && p.spool.oldest_s >= 1);
