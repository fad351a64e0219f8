/** On whose behalf something is read or changed. What a viewer may see is decided in the queries, never filtered afterwards. */
export interface Viewer {
  readonly userId: string;
  readonly isAdmin: boolean;
  readonly communities: readonly number[];
}

/** Where a page of a list ends: the sort key's text, and the row's id where several share it. */
export interface Position {
  readonly key: string;
  readonly id: string;
}

export interface PageRequest {
  readonly after: Position | null;
  readonly limit: number;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  /** Null on the last page. */
  readonly next: Position | null;
}
