/** A batch of records whose compressed part cannot be decoded. Asking for it again gives the same. */
export class CorruptBatch extends Error {
  readonly code = 'CORRUPT_BATCH';
  /** For kafkajs, which else fetches it for ever. */
  readonly retriable = false;

  static tooLarge(codec: string, maxBytes: number, cause?: unknown): CorruptBatch {
    return new CorruptBatch(`${codec}: the batch has more than ${maxBytes} bytes decoded`, { cause });
  }
}
