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
