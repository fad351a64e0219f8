import type { Caller } from '../../shared/auth/caller.ts';
import type { AnyRoute } from './route.ts';

/** What becomes known of a request while it is served; a refusal half-way finds it here. */
export interface Exchange {
  /** Null where the path names none. */
  route: AnyRoute | null;
  caller: Caller | null;
  community: number | null;
  /** For the answer, whatever it is. */
  headers: Readonly<Record<string, string>>;
}
