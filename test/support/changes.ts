import type { Changes } from '../../shared/application/ports/run-store.ts';

/** For tests of the store: what they say nothing about. */
export const NO_CHANGES: Changes = {
  advanced: [],
  changed: [],
  opened: [],
  continued: [],
  closed: [],
  joins: [],
  children: [],
  data: [],
  signalsKept: [],
  signalsTaken: [],
  runsStarted: [],
  audited: [],
};
