/** One thing that is wrong with what somebody sent: where, and what was expected. */
export interface Problem {
  /** Dotted from the root of what was sent; `''` is all of it. */
  readonly path: string;
  readonly message: string;
}

/** What an answer lists: who has made more mistakes than this begins with the first. */
export const MAX_PROBLEMS = 100;
