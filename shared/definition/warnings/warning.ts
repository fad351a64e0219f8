import type { Problem } from '../../validation/problem.ts';

/** Something of a valid definition that does nothing, or not what it seems to: it is probably not meant so. */
export interface Warning extends Problem {
  /** What to do about it. */
  readonly hint: string;
}
