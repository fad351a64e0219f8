import { unzip, zstdDecompress } from 'node:zlib';
import kafkajs, { CompressionTypes } from 'kafkajs';
import { CorruptBatch } from './corrupt-batch.ts';
import { decodeLz4 } from './lz4.ts';
import { decodeSnappy } from './snappy.ts';

/** Far above what a producer puts into a batch, which is at most `max.message.bytes` (2 MiB) as it is stored; below what ends a process. */
const MAX_DECODED_BYTES = 128 * 1024 * 1024;

/** @throws CorruptBatch when it cannot be decoded, or is more than `maxBytes` decoded */
type Decode = (input: Buffer, maxBytes: number) => Buffer | Promise<Buffer>;

const decoders: readonly (readonly [Exclude<CompressionTypes, CompressionTypes.None>, Decode])[] = [
  [CompressionTypes.GZIP, decodeWith('gzip', unzip)],
  [CompressionTypes.Snappy, decodeSnappy],
  [CompressionTypes.LZ4, decodeLz4],
  [CompressionTypes.ZSTD, decodeWith('zstd', zstdDecompress)],
];

/**
 * Makes each consumer of kafkajs read every compression that Kafka has: by itself it knows gzip, without a bound, and stops for
 * good at any other batch. What others write is compressed as they like it, and a topic may compress what nobody did. We
 * compress nothing.
 */
export function registerCodecs(maxBytes = MAX_DECODED_BYTES): void {
  for (const [type, decode] of decoders) {
    kafkajs.CompressionCodecs[type] = () => ({
      compress: () => {
        throw new Error('Records are not compressed here: a topic does that by its compression.type');
      },
      decompress: async (input: Buffer) => decode(input, maxBytes),
    });
  }
}

type Decompress = (
  input: Buffer,
  options: { maxOutputLength: number },
  done: (error: Error | null, output: Buffer) => void,
) => void;

function decodeWith(name: string, decompress: Decompress): Decode {
  return (input, maxBytes) =>
    new Promise((resolve, reject) => {
      decompress(input, { maxOutputLength: maxBytes }, (error, output) => {
        if (error === null) return resolve(output);
        const isTooLarge = 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
        reject(
          isTooLarge
            ? CorruptBatch.tooLarge(name, maxBytes, error)
            : new CorruptBatch(`${name}: ${error.message}`, { cause: error }),
        );
      });
    });
}
