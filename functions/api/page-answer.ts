import type { Page } from '../../shared/application/page.ts';
import type { Answer } from './answer.ts';
import { encodeCursor } from './cursor.ts';

/** A page of a list that goes on by cursors, as `pageOf` (`operation.ts`) documents it. */
export function pageAnswer<Item>(
  message: string,
  { items, next }: Page<Item>,
  limit: number,
  present: (item: Item) => unknown,
): Answer {
  return {
    status: 200,
    message,
    data: items.map((item) => present(item)),
    meta: { limit, next_cursor: next && encodeCursor(next) },
  };
}
