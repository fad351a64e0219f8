/** What a decision may read of a run. Those with a key of their own, by it; the others have the key ''. */
export type Readable =
  /** By id. */
  | 'attempts'
  | 'openAttempts'
  /** Of the top, and of each child that began and did not complete. */
  | 'lastAttempts'
  | 'lastAtTop'
  /** By `stepKey`, of a scope and those within; of the scope '*' in any. */
  | 'stepAttempts'
  /** By the signal's name. */
  | 'waitingAttempts'
  /** By path; '*' is all. */
  | 'joins'
  /** By the join's path. */
  | 'openWithin'
  | 'gathered'
  /** By scope. */
  | 'children'
  | 'variables'
  | 'errors'
  | 'earlier'
  /** That waits since a retry, with all inside. */
  | 'resuming'
  | 'unfinishedChildren'
  /** By `stepKey`. */
  | 'outputs'
  | 'visits'
  /** By id, and by name those that nobody took. */
  | 'signals'
  | 'untakenSignals'
  /** By `workflowKey`. */
  | 'workflows'
  | 'workflowInput';

/**
 * What of a run was asked for. Of that, what is absent from its state is not there; of anything else nobody knows, and to read it is
 * an error: 'none' and 'not loaded' are two things.
 */
export interface Known {
  has(what: Readable, key: string): boolean;
}
