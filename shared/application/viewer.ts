/** On whose behalf something is read or changed. What a viewer may see is decided in the queries, never filtered afterwards. */
export interface Viewer {
  readonly userId: string;
  readonly isAdmin: boolean;
  readonly communities: readonly number[];
}
